"""Target sets that cannot be dealt to folds, and runs of folds that do not belong
together."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip

_CLASSES = ("benign", "malignant")
_FOLDS, _SIDE = 3, 16
_TRUTH = "truth.json"


@functools.cache
def _lab() -> Path:
    """A target set, its folds, a run of each fold, and folds of more classes."""
    from data_prep.sets.folds import write_folds
    from tests.helpers.fake_classes import make_class_run
    from tests.helpers.fake_runs import make_run
    from tests.helpers.small_sets import write_small_set

    lab = Path(tempfile.mkdtemp(prefix="faults-folds-"))
    splits = {"train": 8, "validation": 4, "test": 4}
    write_small_set(lab / "set", "target", _CLASSES, per_class=splits, size=_SIDE)
    write_folds(lab / "set", lab / "folds", folds=_FOLDS)
    for number in range(1, _FOLDS + 1):
        name = f"fold{number}"
        make_run(lab, name, case=f"{name}-", cases=8, test_seed=number)
        _edit(lab / "runs" / name, fold=_fold(number))
        make_class_run(lab, f"class{number}", fold=(number, _FOLDS), cases=12)
    make_run(lab, "whole")
    return lab


def _fold(number: int, count: int = _FOLDS, seed: int = 0) -> dict[str, int]:
    return {"number": number, "count": count, "seed": seed}


def _edit(run: Path, **values: Any) -> None:
    """Keys of report.json, under a seal that fits."""
    path = run / "evaluate" / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    _seal(run)


def _seal(run: Path) -> None:
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.runs.scores import checksums
    from gastric_keras.support.files import read_object, write_json

    done = RunDir(run).done("evaluate")
    write_json(done, {**read_object(done), **checksums(RunDir(run))})


class _Case:
    """What one case deals or pools."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        self.folds: Any = rng.choice((3, 4))
        self.runs: list[str] = []
        self.must = "refused"

    def deal(self) -> Path:
        """A copy of the set, to be dealt."""
        shutil.copytree(_lab() / "set", self.folder / "set")
        return self.folder / "set"

    def pool(self) -> Path:
        """Copies of the runs, to be pooled."""
        shutil.copytree(_lab() / "runs", self.folder / "runs")
        kind = self.rng.choice(("fold", "class"))
        self.runs = [f"{kind}{number}" for number in range(1, _FOLDS + 1)]
        return self.folder / "runs"

    def manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.deal() / "manifest.json"
        tree = json.loads(path.read_text())
        change(tree)
        path.write_text(json.dumps(tree))


def _dealt(case: _Case) -> None:
    case.deal()
    case.must = "dealt"


def _too_many(case: _Case) -> None:
    """More folds than cases of a class; one, none, or fewer than train needs."""
    case.deal()
    case.folds = case.rng.choice((9, 17, 1000, 2, 1, 0, -3))


def _one_class(case: _Case) -> None:
    """A class with fewer cases than folds: its patches are all of one case."""
    case.deal()
    _relabel(case.folder / "set", case.rng.randint(0, 2))


def _relabel(folder: Path, left: int) -> None:
    """All records but so many cases' become benign; the manifest says so."""
    import tensorflow as tf

    from gastric_keras.records.schema import deserialize, serialize
    from gastric_keras.support.files import sha256_of

    path = folder / "manifest.json"
    tree = json.loads(path.read_text())
    kept: set[str] = set()
    counts = {split: dict.fromkeys(_CLASSES, 0) for split in tree["counts"]}
    for shard in tree["shards"]:
        file = folder / shard["name"]
        raw = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
        with tf.io.TFRecordWriter(str(file)) as writer:
            for each in raw:
                record = deserialize(each, where=file)
                if record.label and (record.case_id in kept or len(kept) < left):
                    kept.add(record.case_id)
                else:
                    record = dataclasses.replace(record, label=0)
                counts[shard["split"]][_CLASSES[record.label]] += 1
                writer.write(serialize(record))
        shard.update(size=file.stat().st_size, sha256=sha256_of(file))
    tree["counts"] = counts
    path.write_text(json.dumps(tree))


def _another_set(case: _Case) -> None:
    kind = case.rng.choice(("tissue", "ungrouped", "fold", "nothing", "folds"))
    if kind == "tissue":
        case.manifest(lambda tree: tree.update(dataset="tissue"))
    elif kind == "ungrouped":
        case.manifest(lambda tree: tree.update(is_grouped=False))
    elif kind == "nothing":
        (case.folder / "set").mkdir()
    else:
        source = _lab() / "folds" / ("" if kind == "folds" else "fold-1")
        shutil.copytree(source, case.folder / "set")


def _damaged(case: _Case) -> None:
    """A record file gone, cut, flipped or of another split."""
    shards = sorted(case.deal().glob("*.tfrecord"))
    path, other = case.rng.sample(shards, 2)
    kind = case.rng.choice(("gone", "cut", "flipped", "other"))
    if kind == "gone":
        path.unlink()
    elif kind == "other":
        os.replace(other, path)
    else:
        spoil = cut if kind == "cut" else functools.partial(flip, most=1)
        path.write_bytes(spoil(case.rng, path.read_bytes()))


def _counts(case: _Case) -> None:
    """A manifest that counts what is not there."""
    split = case.rng.choice(("train", "validation", "test"))
    more = case.rng.choice((-1, 1, 100))

    def count(tree: dict[str, Any]) -> None:
        tree["counts"][split]["malignant"] += more

    case.manifest(count)


def _taken(case: _Case) -> None:
    case.deal()
    (case.folder / "out").mkdir()
    (case.folder / "out" / "mine.txt").write_text("mine")


def _pooled(case: _Case) -> None:
    case.pool()
    case.rng.shuffle(case.runs)
    case.must = case.runs[0][:-1]


def _missing(case: _Case) -> None:
    case.pool()
    case.runs.pop(case.rng.randrange(_FOLDS))
    if case.rng.random() < 0.5:
        case.runs.append(case.rng.choice(case.runs))


def _strangers(case: _Case) -> None:
    """A run of a whole set, of other classes, or of nothing."""
    case.pool()
    other = "class" if case.runs[0].startswith("fold") else "fold"
    place = case.rng.randrange(_FOLDS)
    case.runs[place] = case.rng.choice(("whole", f"{other}{place + 1}", "nothing"))


def _deals(case: _Case) -> None:
    """Folds of two data_prep runs."""
    runs, place = case.pool(), case.rng.randrange(_FOLDS)
    odd = (
        _fold(place + 1, seed=1),
        _fold(place + 1, count=5),
        _fold((place + 1) % _FOLDS + 1),
        None,
        _fold(0),
        _fold(-1),
        {"number": 1},
        "1 of 3",
    )
    _edit(runs / case.runs[place], fold=case.rng.choice(odd))


def _cases_twice(case: _Case) -> None:
    """Two folds test one case: the folds are of two sets that share it."""
    runs = case.pool()
    one, two = case.rng.sample(case.runs, 2)
    files = [runs / n / "evaluate" / "predictions_test.csv" for n in (one, two)]
    if case.rng.random() < 0.5:
        shutil.copy(files[0], files[1])
    else:
        text = files[1].read_text()
        files[1].write_text(text.replace(f"{two}00", f"{one}00").replace("-0", "0-"))
        first = files[0].read_text().splitlines()[1].split(",")[0]
        head, row, *rest = files[1].read_text().splitlines()
        cells = row.split(",")
        files[1].write_text("\n".join([head, ",".join([first, *cells[1:]]), *rest]))
    _seal(runs / two)


def _two_sets(case: _Case) -> None:
    """No case is tested twice, but one fold is of a set with other cases."""
    runs = case.pool()
    path = runs / case.rng.choice(case.runs) / "config.yaml"
    text = path.read_text()
    (line,) = (x for x in text.splitlines() if x.strip().startswith("records:"))
    old = line.split(": ", 1)[1]
    target = case.folder / "target"
    shutil.copytree(old, target)
    manifest = target / "manifest.json"
    tree = json.loads(manifest.read_text())
    tree["cases"]["train"].append("one more")
    manifest.write_text(json.dumps(tree))
    path.write_text(text.replace(old, str(target)))


def _setting(case: _Case) -> None:
    runs = case.pool()
    path = runs / case.rng.choice(case.runs) / "config.yaml"
    text = path.read_text()
    old, new = case.rng.choice(
        (
            ("subset_seed: 0", "subset_seed: 3"),
            ("precision: auto", "precision: mixed_bfloat16"),
            ("name: alexnet", "name: vgg16"),
            ("\nseed: 0", "\nseed: 4"),
        )
    )
    if old not in text:
        old, new = "name: alexnet", "name: vgg16"
    path.write_text(text.replace(old, new))


def _no_numbers(case: _Case) -> None:
    """A fold whose probabilities are no numbers: no score of the pool is defined."""
    runs = case.pool()
    run = runs / case.rng.choice(case.runs)
    path = run / "evaluate" / "predictions_test.csv"
    head, row, *rest = path.read_text().splitlines()
    cells = row.split(",")
    cells[5:] = ["nan"] * len(cells[5:])
    path.write_text("\n".join([head, ",".join(cells), *rest]) + "\n")
    _seal(run)
    case.must = "undefined"


def _unfinished(case: _Case) -> None:
    runs = case.pool()
    names = ("config.yaml", "evaluate/done.json", "evaluate/predictions_test.csv")
    (runs / case.rng.choice(case.runs) / case.rng.choice(names)).unlink()


_FAULTS: dict[str, Callable[[_Case], None]] = {
    "none: a set": _dealt,
    "more folds than cases, or too few": _too_many,
    "a class of few cases": _one_class,
    "no whole target set of known cases": _another_set,
    "record files gone or damaged": _damaged,
    "counts that are not so": _counts,
    "an --out that is taken": _taken,
    "none: runs of all folds": _pooled,
    "a fold missing or twice": _missing,
    "a run of something else": _strangers,
    "folds of two deals": _deals,
    "a case that two folds test": _cases_twice,
    "folds of two sets": _two_sets,
    "folds of two settings": _setting,
    "probabilities that are no numbers": _no_numbers,
    "a file of a fold gone": _unfinished,
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into a copy of the set or of the runs."""
    name = rng.choice(sorted(_FAULTS))
    case = _Case(rng, folder)
    _FAULTS[name](case)
    truth = {"must": case.must, "folds": case.folds, "runs": case.runs}
    (folder / _TRUTH).write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """Deal or pool; a refusal leaves no half, and takes nothing that was there."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / _TRUTH).read_text())
    before = _contents(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            with contextlib.redirect_stderr(io.StringIO()):
                answer = _pool(folder, truth) if truth["runs"] else _deal(folder, truth)
    except InputError as error:
        assert truth["must"] == "refused", f"refused: {error}"
        assert _contents(folder) == before, "a refusal left or took something"
        raise
    assert truth["must"] != "refused", f"it was taken: {str(answer)[:300]}"
    if truth["must"] == "undefined":
        found = answer["test"]["patch"]["scores"]["auc"]
        assert found["value"] is None and found["reason"], "an AUC of NaN"
    elif truth["runs"]:
        assert answer == _sound(truth["must"]), "another answer"


def _deal(folder: Path, truth: dict[str, Any]) -> list[str]:
    from data_prep.sets.folds import write_folds
    from gastric_keras.records.integrity import verify_set
    from gastric_keras.records.manifest import read_manifest

    made = write_folds(folder / "set", folder / "out", folds=truth["folds"])
    tested: list[str] = []
    for each in made:
        manifest = read_manifest(each)
        verify_set(each, manifest)
        assert all(manifest.counts["test"].values()), "a fold without a class"
        tested += manifest.cases["test"]
    whole = read_manifest(folder / "set").cases.values()
    assert sorted(tested) == sorted(case for part in whole for case in part)
    return tested


def _pool(folder: Path, truth: dict[str, Any]) -> Any:
    from gastric_keras.evaluation.crossval import run_crossval

    out = folder / "out"
    run_crossval([folder / "runs" / name for name in truth["runs"]], out)
    (path,) = out.glob("*/evaluate/report.json")
    tree = json.loads(path.read_text())
    return {key: tree[key] for key in ("test", "validation", "cross_validation")}


@functools.cache
def _sound(kind: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(_lab() / "runs", Path(folder) / "runs")
        runs = [f"{kind}{number}" for number in range(1, _FOLDS + 1)]
        with contextlib.redirect_stdout(io.StringIO()):
            return _pool(Path(folder), {"runs": runs})


def _contents(root: Path) -> dict[str, bytes]:
    """What lies in a folder, but for the locks of what is in the making."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != "lock"
    }


KIND = Kind("folds", write, read, needs_tensorflow=True)
