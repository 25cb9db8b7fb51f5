"""External cohorts that must not be scored, and spoilt files of one that was."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip, spoil_bytes

_CLASSES = ("benign", "malignant")
_SIDE = 16


@functools.cache
def _lab() -> Path:
    """A finished run, one cohort that was scored and one that was only predicted."""
    from gastric_keras.evaluation.external import score_cohorts
    from gastric_keras.runs.run_dir import RunDir
    from tests.helpers.fake_runs import make_run
    from tests.helpers.small_sets import write_small_set

    lab = Path(tempfile.mkdtemp(prefix="faults-external-"))
    config = make_run(lab, "run")
    target = lab / "records" / "target"
    shutil.rmtree(target)
    splits = {"train": 4, "validation": 4, "test": 4}
    write_small_set(target, "target", _CLASSES, per_class=splits, size=_SIDE)
    for name in ("first", "next"):
        folder = lab / "records" / name
        write_small_set(
            folder,
            "target",
            _CLASSES,
            per_class={"train": 3, "test": 3},
            size=_SIDE,
            source=name,
        )
        _predict(lab, name, folder)
    run_dir = RunDir(lab / "runs" / "run")
    with contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()):
            score_cohorts(_asking(config, first=lab / "records" / "first"), run_dir)
    return lab


def _asking(config: Any, **cohorts: Path) -> Any:
    from gastric_keras.config.cohorts import CohortConfig

    external = {name: CohortConfig(str(folder)) for name, folder in cohorts.items()}
    evaluate = dataclasses.replace(config.evaluate, bootstrap=100, external=external)
    return dataclasses.replace(config, evaluate=evaluate)


def _predict(lab: Path, name: str, folder: Path) -> None:
    """Predictions of a cohort, as if the network had made them: it has no weights."""
    import numpy as np

    from gastric_keras.records.manifest import MANIFEST_NAME
    from gastric_keras.records.schema import read_records
    from gastric_keras.runs.predictions import Predictions, write_predictions
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.support.files import sha256_of, write_json

    run_dir = RunDir(lab / "runs" / "run")
    place = run_dir.cohort(name)
    rows = [r for split in ("train", "test") for r in read_records(folder, split)]
    p = np.linspace(0.1, 0.9, len(rows)).astype(np.float32)
    found = Predictions(
        _CLASSES,
        np.array([row.case_id for row in rows]),
        np.array([row.image_id for row in rows]),
        *(np.array([getattr(row, key) for row in rows]) for key in ("x", "y", "label")),
        probability=np.stack([1 - p, p], axis=1),
    )
    write_predictions(place.predictions, found)
    key = {
        "target_sha256": sha256_of(run_dir.done("target")),
        "manifest_sha256": sha256_of(folder / MANIFEST_NAME),
        "sha256": {place.predictions.name: sha256_of(place.predictions)},
    }
    write_json(place.done, key)


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into copies of the run and of the next cohort."""
    lab, name = _lab(), rng.choice(sorted(_FAULTS))
    shutil.copytree(lab / "runs", folder / "runs")
    shutil.copytree(lab / "records" / "next", folder / "next")
    must = _FAULTS[name](rng, folder)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def read(folder: Path) -> None:
    """Score the next cohort; what was there before must be there after a refusal."""
    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.evaluation.external import score_cohorts
    from gastric_keras.runs.cohorts import read_cohorts
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.support import config_io
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    run_dir = RunDir(folder / "runs" / "run")
    before = _contents(run_dir.root)
    asked = folder / "asked.yaml"
    try:
        if asked.is_file() or must == "right":
            path = asked if asked.is_file() else run_dir.config
            records = [f"evaluate.external.next.records={folder / 'next'}"]
            config = config_io.load(
                ExperimentConfig, path, [] if asked.is_file() else records
            )
            few = dataclasses.replace(config.evaluate, bootstrap=100)
            with contextlib.redirect_stdout(io.StringIO()):
                score_cohorts(dataclasses.replace(config, evaluate=few), run_dir)
        names = [cohort.scores.name for cohort in read_cohorts(run_dir)]
    except InputError as error:
        assert must != "right", f"refused: {error}"
        assert _contents(run_dir.root) == before, "a refusal changed the run"
        raise
    assert must != "refused", f"it took {names}"
    assert names == (["first", "next"] if must == "right" else ["first"])


def _contents(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _ask(folder: Path, cohorts: str) -> str:
    """The run's config with a section ``external`` as it was typed."""
    text = (folder / "runs" / "run" / "config.yaml").read_text()
    assert "  external: {}\n" in text
    section = f"  external:\n{cohorts}"
    (folder / "asked.yaml").write_text(text.replace("  external: {}\n", section))
    return "refused"


def _next(folder: Path, name: str = "next", records: Path | None = None) -> str:
    return f"    {name}:\n      records: {records or folder / 'next'}\n"


def _manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> str:
    path = folder / "next" / "manifest.json"
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    return _ask(folder, _next(folder))


def _none(rng: random.Random, folder: Path) -> str:
    return "right"


def _other_classes(rng: random.Random, folder: Path) -> str:
    old, new = rng.choice((("benign", "normal"), ("malignant", "cancer")))

    def rename(tree: dict[str, Any]) -> None:
        tree["classes"] = [new if name == old else name for name in tree["classes"]]
        for split, count in tree["counts"].items():
            tree["counts"][split] = dict(zip(tree["classes"], count.values()))

    return _manifest(folder, rename)


def _other_order(rng: random.Random, folder: Path) -> str:
    def turn(tree: dict[str, Any]) -> None:
        tree["classes"].reverse()
        for split, count in tree["counts"].items():
            tree["counts"][split] = dict(reversed(count.items()))

    return _manifest(folder, turn)


def _one_class(rng: random.Random, folder: Path) -> str:
    def only(tree: dict[str, Any]) -> None:
        tree["counts"] = {
            split: {"benign": 0, "malignant": sum(count.values())}
            for split, count in tree["counts"].items()
        }

    return _manifest(folder, only)


def _empty(rng: random.Random, folder: Path) -> str:
    def empty(tree: dict[str, Any]) -> None:
        tree.update(counts={}, cases={}, shards=[])

    return _manifest(folder, empty)


def _missing(rng: random.Random, folder: Path) -> str:
    shutil.rmtree(folder / "next")
    if rng.random() < 0.3:
        (folder / "next").mkdir()
    return _ask(folder, _next(folder))


def _training_cases(rng: random.Random, folder: Path) -> str:
    return _ask(folder, _next(folder, records=_lab() / "records" / "target"))


def _training_pictures(rng: random.Random, folder: Path) -> str:
    """A picture of the run's sets under another name."""
    from gastric_keras.records.schema import read_records, serialize

    split = rng.choice(("train", "validation", "test"))
    stolen, *_ = read_records(_lab() / "records" / "target", split)

    def steal(record: Any) -> bytes:
        return serialize(dataclasses.replace(record, image=stolen.image))

    _rewrite(folder / "next", "test", steal)
    return _ask(folder, _next(folder))


def _rewrite(folder: Path, split: str, change: Callable[[Any], bytes]) -> None:
    """The first record of a split changed, and the manifest made to fit."""
    import tensorflow as tf

    from gastric_keras.records.schema import deserialize
    from gastric_keras.support.files import sha256_of

    path = folder / "manifest.json"
    tree = json.loads(path.read_text())
    shard = next(each for each in tree["shards"] if each["split"] == split)
    file = folder / shard["name"]
    raw = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    raw[0] = change(deserialize(raw[0], where=file))
    with tf.io.TFRecordWriter(str(file)) as writer:
        for each in raw:
            writer.write(each)
    shard.update(size=file.stat().st_size, sha256=sha256_of(file))
    path.write_text(json.dumps(tree))


def _other_stain(rng: random.Random, folder: Path) -> str:
    method = rng.choice(("macenko", "reinhard"))
    return _manifest(folder, lambda t: t["config"].update(normalization=method))


def _other_scale(rng: random.Random, folder: Path) -> str:
    factor = rng.choice((10, 0.1, 5.5))
    return _manifest(folder, lambda t: t.update(mpp=t["mpp"] * factor))


def _bad_shard(rng: random.Random, folder: Path) -> str:
    path = rng.choice(sorted((folder / "next").glob("*.tfrecord")))
    spoil = rng.choice((lambda d: flip(rng, d, most=1), lambda d: cut(rng, d)))
    path.write_bytes(spoil(path.read_bytes()))
    return _ask(folder, _next(folder))


def _name_twice(rng: random.Random, folder: Path) -> str:
    other = rng.choice(("next", "NEXT", "Next"))
    return _ask(folder, _next(folder) + _next(folder, other))


def _bad_name(rng: random.Random, folder: Path) -> str:
    name = rng.choice(("../up", "a/b", "''", "'a b'", "'..'", "a.b", "'\\0'"))
    return _ask(folder, _next(folder, name))


def _bad_section(rng: random.Random, folder: Path) -> str:
    section = rng.choice(
        ("    next: 3\n", "    next:\n", "    next: {}\n", "    - next\n")
    )
    return _ask(folder, section)


def _spoilt_file(rng: random.Random, folder: Path) -> str:
    """A file of the cohort that was scored before."""
    place = folder / "runs" / "run" / "external"
    path = rng.choice(
        [place / "first" / f for f in ("predictions.csv", "appearance.json")]
        + [place / "first" / "scores.json", place / "internal_test.json"]
    )
    sound = path.read_bytes()
    if rng.random() < 0.2:
        path.unlink()
        return "refused"
    path.write_bytes(spoil_bytes(rng, sound))
    return "unchanged" if path.read_bytes() == sound else "refused"


_FAULTS: dict[str, Callable[[random.Random, Path], str]] = {
    "none": _none,
    "other classes": _other_classes,
    "classes in another order": _other_order,
    "one class only": _one_class,
    "an empty set": _empty,
    "a missing folder": _missing,
    "the training set itself": _training_cases,
    "a picture of the run's sets under another name": _training_pictures,
    "another normalization": _other_stain,
    "another scale": _other_scale,
    "a damaged shard": _bad_shard,
    "a name twice": _name_twice,
    "a name that is no folder's": _bad_name,
    "a section of another form": _bad_section,
    "a changed file of a scored cohort": _spoilt_file,
}

KIND = Kind("external", write, read, needs_tensorflow=True)
