"""Runs that must not be averaged, and spoilt files of those that may."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from tests.faults.kinds import Kind
from tests.faults.mutations import spoil_bytes

_RUNS = ("one", "two")
_FOLDS = ("fold1", "fold2", "fold3")


@functools.cache
def _lab() -> Path:
    """Two seeds, three folds, and runs that fit neither; the weights are but bytes."""
    from tests.helpers.fake_classes import make_class_run
    from tests.helpers.fake_runs import make_run

    lab = Path(tempfile.mkdtemp(prefix="faults-ensembles-"))
    made = lab / "runs"
    for seed, name in enumerate(_RUNS):
        make_run(lab, name, seed=seed)
    make_run(lab, "other", seed=2, classes=("normal", "cancer"))
    make_run(lab, "rows", seed=2, test_seed=5, cases=18)
    for number, name in enumerate(_FOLDS, start=1):
        make_run(lab, name, case=f"{name}-", cases=8, test_seed=number)
        _be_fold(made / name, number, len(_FOLDS))
    for name in ("four", "four2"):
        make_class_run(lab, name)
    for run in made.iterdir():
        _seal(run, weights=run.name.encode() * 99)
    return lab


def _be_fold(run: Path, number: int, count: int, seed: int = 0) -> None:
    path = run / "evaluate" / "report.json"
    tree = json.loads(path.read_text())
    tree["fold"] = {"number": number, "count": count, "seed": seed}
    path.write_text(json.dumps(tree))


def _seal(run: Path, weights: bytes | None = None) -> None:
    """Checksums over the files as they are, as the stages write them."""
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.runs.scores import checksums
    from gastric_keras.support.files import read_object, sha256_of, write_json

    run_dir = RunDir(run)
    done = read_object(run_dir.done("evaluate"))
    write_json(run_dir.done("evaluate"), {**done, **checksums(run_dir)})
    path = run_dir.weights("target")
    if weights is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(weights)
        write_json(run_dir.done("target"), {"weights_sha256": sha256_of(path)})


class _Case:
    """A folder of runs, those that are asked for, and how it must end."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        self.runs = list(rng.choice((_RUNS, _FOLDS)))
        shutil.copytree(_lab() / "runs", folder / "runs")
        self.must = "refused"

    @property
    def is_of_folds(self) -> bool:
        return len(self.runs) > 2

    def any_run(self) -> Path:
        return self.folder / "runs" / self.rng.choice(self.runs)

    def change(self, name: str, old: str, new: str) -> None:
        """A word of a run's config."""
        path = self.folder / "runs" / name / "config.yaml"
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new))


def _none(case: _Case) -> None:
    case.rng.shuffle(case.runs)
    case.must = "right"


def _too_few(case: _Case) -> None:
    case.runs = (
        case.runs[: case.rng.randrange(2)]
        if not case.is_of_folds
        else (case.rng.sample(case.runs, case.rng.randint(1, 2)))
    )


def _twice(case: _Case) -> None:
    case.runs.append(case.rng.choice(case.runs))


def _equal(case: _Case) -> None:
    """One network under two names."""
    one, two = (case.folder / "runs" / name for name in case.runs[:2])
    _seal(two, weights=(one / "target" / "best.weights.h5").read_bytes())


def _strangers(case: _Case) -> None:
    case.runs[-1] = case.rng.choice(("other", "rows", "four", "three"))


def _several_classes(case: _Case) -> None:
    case.runs = ["four", "four2"]


def _mixed(case: _Case) -> None:
    more = _RUNS if case.is_of_folds else _FOLDS
    case.runs = [*case.runs, *case.rng.sample(more, case.rng.randint(1, len(more)))]


def _setting(case: _Case) -> None:
    """Another size, network, mid-level weight, rate, or subset."""
    old, new = case.rng.choice(
        (
            ("image_size: null", "image_size: 112"),
            ("dropout: null", "dropout: 0.1"),
            ("batch_size: 32", "batch_size: 8"),
            ("precision: auto", "precision: mixed_bfloat16"),
            ("subset: null", "subset: 90"),
            ("name: alexnet", "name: vgg16"),
            ("positive: malignant", "positive: benign"),
        )
    )
    path = case.folder / "runs" / case.runs[-1] / "config.yaml"
    if old not in path.read_text():
        old, new = "positive: malignant", "positive: benign"
    case.change(case.runs[-1], old, new)


def _other_set(case: _Case) -> None:
    """The set was made again between the trainings, or is another."""
    name = case.runs[-1]
    if case.is_of_folds:
        target = case.folder / "target"
        shutil.copytree(_lab() / "records" / "target", target)
        path = target / "manifest.json"
        tree = json.loads(path.read_text())
        tree["cases"]["train"].append("one more")
        path.write_text(json.dumps(tree))
        case.change(name, str(_lab() / "records" / "target"), str(target))
        return
    path = case.folder / "runs" / name / "provenance.json"
    tree = json.loads(path.read_text())
    for made in tree["records"].values():
        made["manifest_sha256"] = "0" * 64
    path.write_text(json.dumps(tree))


def _weights(case: _Case) -> None:
    path = case.any_run() / "target" / "best.weights.h5"
    if case.rng.random() < 0.5:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"x")


def _unfinished(case: _Case) -> None:
    run = case.any_run()
    kind = case.rng.choice(("run", "config", "done", "report", "test", "validation"))
    if kind == "run":
        shutil.rmtree(run)
    else:
        places = {
            "config": "config.yaml",
            "done": "evaluate/done.json",
            "report": "evaluate/report.json",
        }
        place = places.get(kind, f"evaluate/predictions_{kind}.csv")
        (run / place).unlink()


def _not_trained(case: _Case) -> None:
    run = case.any_run()
    shutil.rmtree(run / "target")


def _nan(case: _Case) -> None:
    """Probabilities that are no numbers, under a seal that fits."""
    run, split = case.any_run(), case.rng.choice(("test", "validation"))
    path = run / "evaluate" / f"predictions_{split}.csv"
    head, *rows = path.read_text().splitlines()
    row = rows[0].split(",")
    rows[0] = ",".join([*row[:-2], "nan", "nan"])
    path.write_text("\n".join([head, *rows]) + "\n")
    _seal(run)


def _other_rows(case: _Case) -> None:
    """One split of a member has other patches, under a seal that fits."""
    run, split = case.any_run(), case.rng.choice(("test", "validation"))
    path = run / "evaluate" / f"predictions_{split}.csv"
    if case.is_of_folds:
        # The cases of another fold.
        other = case.folder / "runs" / next(n for n in case.runs if n != run.name)
        shutil.copy(other / "evaluate" / "predictions_test.csv", path.parent)
        split = "test"
    elif case.rng.random() < 0.5:
        path.write_text(path.read_text().replace("case0", "patient0"))
    else:
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *rows[3:]]) + "\n")
    _seal(run)


def _spoilt(case: _Case) -> None:
    names = ("report.json", "predictions_test.csv", "predictions_validation.csv")
    path = case.any_run() / "evaluate" / case.rng.choice(names)
    sound = path.read_bytes()
    path.write_bytes(spoil_bytes(case.rng, sound))
    case.must = "right" if path.read_bytes() == sound else "refused"


def _one_deal(case: _Case) -> None:
    """Folds of two deals, or more folds than there are."""
    case.runs = list(_FOLDS)
    run = case.folder / "runs" / case.rng.choice(_FOLDS)
    number, count, seed = case.rng.choice(((1, 3, 1), (2, 5, 0), (1, 1, 0), (9, 3, 0)))
    _be_fold(run, number, count, seed)
    _seal(run)


def _into_a_run(case: _Case) -> None:
    (case.folder / "out").mkdir()
    shutil.copy(case.any_run() / "config.yaml", case.folder / "out")


_FAULTS: dict[str, Callable[[_Case], None]] = {
    "none": _none,
    "one run or none": _too_few,
    "a run twice": _twice,
    "two equal networks": _equal,
    "a run of another set or class": _strangers,
    "several classes": _several_classes,
    "folds and whole sets": _mixed,
    "another setting": _setting,
    "another or newer set": _other_set,
    "weights gone or changed": _weights,
    "a file of a run gone": _unfinished,
    "scored, not trained": _not_trained,
    "probabilities that are no numbers": _nan,
    "other patches": _other_rows,
    "bytes of evaluate spoilt": _spoilt,
    "folds of two deals": _one_deal,
    "into the folder of a run": _into_a_run,
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into copies of the runs."""
    name = rng.choice(sorted(_FAULTS))
    case = _Case(rng, folder)
    _FAULTS[name](case)
    truth = {"must": case.must, "runs": case.runs, "folds": "fold1" in case.runs}
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """Average them; a refusal leaves what was there, an answer equals the sound one."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    out = folder / "out"
    if not out.exists() and truth["must"] == "refused":
        shutil.copytree(_sound(truth["folds"])[1], out)
    before = _contents(out)
    try:
        answer = _average(folder / "runs", truth["runs"], out)
    except InputError as error:
        assert truth["must"] == "refused", f"refused: {error}"
        assert _contents(out) == before, "a refusal changed the ensemble"
        raise
    assert truth["must"] == "right", "it was averaged"
    assert answer == _sound(truth["folds"])[0], "another answer"


@functools.cache
def _sound(is_of_folds: bool) -> tuple[Any, Path]:
    """What sound runs give, and the folder of that."""
    out = Path(tempfile.mkdtemp(prefix="faults-ensembles-")) / "out"
    runs = _FOLDS if is_of_folds else _RUNS
    return _average(_lab() / "runs", list(runs), out), out


def _average(runs: Path, names: list[str], out: Path) -> Any:
    """By the stage, but for the networks: the weights of these runs are but bytes."""
    from gastric_keras.ensemble import stage

    with (
        mock.patch.object(stage, "build_ensemble", lambda members: None),
        mock.patch.object(stage, "write_version", lambda *_, **__: out / "export"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        stage.run_ensemble([runs / name for name in names], out, force=True)
    tree = json.loads((out / "ensemble.json").read_text())
    scores = tree.get("scores") or tree["out_of_fold"]
    scores.pop("name")
    return tree


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "lock"
    }


KIND = Kind("ensembles", write, read, needs_tensorflow=True)
