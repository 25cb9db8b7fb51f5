"""Sets, configs and finished runs of several classes, each spoilt in one place."""

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

from tests.faults.kinds import Kind
from tests.faults.mutations import spoil_tree

_CLASSES = ("normal", "low", "high", "cancer")
_SIDE = 16
_WAYS = ("evaluate", "evaluate", "report", "compare")


@functools.cache
def _lab() -> Path:
    """A set of four classes that is really there, and two runs scored on it."""
    import numpy as np

    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.evaluation.evaluate import run_evaluate
    from gastric_keras.records.schema import read_records
    from gastric_keras.runs.predictions import Predictions, write_predictions
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.support import config_io
    from gastric_keras.support.files import write_json
    from tests.helpers.small_sets import write_small_set

    lab = Path(tempfile.mkdtemp(prefix="faults-classes-"))
    records = lab / "target"
    splits = {"train": 4, "validation": 6, "test": 6}
    write_small_set(records, "target", _CLASSES, per_class=splits, size=_SIDE)
    for seed, name in enumerate(("one", "two")):
        tree = {
            "name": name,
            "seed": seed,
            "backbone": {"name": "alexnet"},
            "target": {
                "records": str(records),
                "classes": list(_CLASSES),
                "positive": None,
                "ordered": True,
            },
            "evaluate": {"bootstrap": 100},
            "runtime": {"output": str(lab / "runs")},
        }
        config: ExperimentConfig = config_io.build(ExperimentConfig, tree)
        run_dir = RunDir(lab / "runs" / name)
        config_io.save(config, run_dir.config)
        write_json(run_dir.done("target"), {})
        rng = np.random.default_rng(seed)
        for split in ("validation", "test"):
            rows = list(read_records(records, split))
            label = np.array([row.label for row in rows])
            logit = rng.normal(0, 1, (label.size, 4)) + 2 * np.eye(4)[label]
            p = np.exp(logit)
            found = Predictions(
                _CLASSES,
                np.array([row.case_id for row in rows]),
                np.array([row.image_id for row in rows]),
                *(np.array([getattr(row, key) for row in rows]) for key in "xy"),
                label=label,
                probability=(p / p.sum(axis=1, keepdims=True)).astype(np.float32),
            )
            write_predictions(run_dir.predictions(split), found)
        with contextlib.redirect_stdout(io.StringIO()):
            run_evaluate(config, run_dir)
    return lab


class _Case:
    """Copies of the set and the runs, and what is asked for."""

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self.rng, self.folder = rng, folder
        for part in ("runs", "target"):
            shutil.copytree(_lab() / part, folder / part)
        for run in ("one", "two"):
            self.config(run, str(_lab() / "target"), str(folder / "target"))
        self.way = rng.choice(_WAYS)
        self.must = "refused"

    def config(self, run: str, old: str, new: str) -> None:
        path = self.folder / "runs" / run / "config.yaml"
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new))

    def manifest(self, change: Callable[[dict[str, Any]], None]) -> None:
        path = self.folder / "target" / "manifest.json"
        tree = json.loads(path.read_text())
        change(tree)
        path.write_text(json.dumps(tree))

    def file(self, name: str) -> Path:
        return self.folder / "runs" / "one" / "evaluate" / name

    def score_again(self) -> None:
        """Take the scores away, so that the set is looked at."""
        self.way = "evaluate"
        self.file("done.json").unlink()


def _none(case: _Case) -> None:
    case.must = "right"


def _other_names(case: _Case) -> None:
    def rename(tree: dict[str, Any]) -> None:
        new = case.rng.choice(("ulcer", "Normal", "normal ", "low"))
        tree["classes"] = [new, *tree["classes"][1:]]
        for split, count in tree["counts"].items():
            tree["counts"][split] = dict(zip(tree["classes"], count.values()))

    case.manifest(rename)
    case.score_again()


def _other_number(case: _Case) -> None:
    """A class more or less than the config has."""

    def cut(tree: dict[str, Any]) -> None:
        if case.rng.random() < 0.5:
            tree["classes"].append("ulcer")
        else:
            dropped = tree["classes"].pop()
            for count in tree["counts"].values():
                del count[dropped]

    case.manifest(cut)
    case.score_again()


def _other_order(case: _Case) -> None:
    """A ladder in another order than the set's."""
    steps = [f"  - {name}\n" for name in _CLASSES]
    other = list(steps)
    while other == steps:
        case.rng.shuffle(other)
    case.config("one", "".join(steps), "".join(other))
    if case.rng.random() < 0.5:
        case.score_again()


def _positive(case: _Case) -> None:
    """One class of several, or of none."""
    name = case.rng.choice(("cancer", "ulcer", "''", "3", "[high, cancer]", "true"))
    case.config("one", "positive: null", f"positive: {name}")


def _ordered(case: _Case) -> None:
    word = case.rng.choice(("maybe", "1", "null", "[low, high]", "'true'"))
    case.config("one", "ordered: true", f"ordered: {word}")


def _no_ladder(case: _Case) -> None:
    """The config says no ladder, the scores are of one; evaluate scores again."""
    case.config("one", "ordered: true", "ordered: false")
    case.must = "refused" if case.way != "evaluate" else "unordered"


def _class_list(case: _Case) -> None:
    steps = "".join(f"  - {name}\n" for name in _CLASSES)
    lists = ("  - normal\n  - low\n", "  - low\n", "  - low\n" * 4, steps + "  - low\n")
    case.config("one", steps, case.rng.choice(lists))


def _empty_class(case: _Case) -> None:
    """A class without a case in training or validation."""
    split = case.rng.choice(("train", "validation"))
    name, other = case.rng.sample(_CLASSES, 2)

    def move(tree: dict[str, Any]) -> None:
        count = tree["counts"][split]
        count.update({name: 0, other: count[other] + count[name]})

    case.manifest(move)
    case.score_again()


def _untested_class(case: _Case) -> None:
    """No test patch of a class: scored, and what needs every class is not defined."""
    path = case.file("predictions_test.csv")
    _without(path, case.rng.randrange(4))
    case.way, case.must = "score", "undefined"


def _without(path: Path, label: int) -> None:
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if row.split(",")[4] != str(label)]
    path.write_text("\n".join([head, *kept]) + "\n")


def _columns(case: _Case) -> None:
    """Probabilities under other names, or one of them missing."""
    split = case.rng.choice(("test", "validation")) if case.way != "compare" else "test"
    path = case.file(f"predictions_{split}.csv")
    head, *rows = path.read_text().splitlines()
    names = head.split(",")
    kind = case.rng.choice(("swapped", "renamed", "gone"))
    if kind == "swapped":
        names[5], names[6] = names[6], names[5]
    elif kind == "renamed":
        names[5] = "p_ulcer"
    else:
        names.pop()
        rows = [row.rsplit(",", 1)[0] for row in rows]
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    _seal(case)


def _label(case: _Case) -> None:
    """A class that is not there, under a seal that fits."""
    path = case.file("predictions_test.csv")
    head, *rows = path.read_text().splitlines()
    cells = rows[0].split(",")
    cells[4] = case.rng.choice(("4", "-1", "99", "low", ""))
    path.write_text("\n".join([head, ",".join(cells), *rows[1:]]) + "\n")
    _seal(case)


def _seal(case: _Case) -> None:
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.runs.scores import checksums
    from gastric_keras.support.files import write_json

    run_dir = RunDir(case.folder / "runs" / "one")
    done = json.loads(run_dir.done("evaluate").read_text())
    # Scores of an older version are made again, of the predictions that are there.
    version = {"report_version": 0} if case.way == "evaluate" else {}
    write_json(run_dir.done("evaluate"), {**done, **version, **checksums(run_dir)})


def _report(case: _Case) -> None:
    path = case.file("report.json")
    tree = json.loads(path.read_text())
    spoilt = spoil_tree(case.rng, tree)
    path.write_text(json.dumps(spoilt))
    case.must = "either"


def _unsealed(case: _Case) -> None:
    """No version wrote scores of several classes without their checksums."""
    path = case.file("done.json")
    done = json.loads(path.read_text())
    del done["sha256"]
    path.write_text(json.dumps(done))
    # Evaluate has settings that fit and nothing to compare: it keeps what is there.
    case.must = "either"


_FAULTS: dict[str, Callable[[_Case], None]] = {
    "none": _none,
    "a set of other classes": _other_names,
    "a set of more or fewer classes": _other_number,
    "a ladder in another order": _other_order,
    "a positive class": _positive,
    "ordered of another form": _ordered,
    "ordered changed behind the scores": _no_ladder,
    "another list of classes": _class_list,
    "a class that nothing trains or validates": _empty_class,
    "a class that nothing tests": _untested_class,
    "other columns": _columns,
    "a label that is no class": _label,
    "nodes of report.json replaced": _report,
    "scores without checksums": _unsealed,
}


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into copies of the set and the runs."""
    name = rng.choice(sorted(_FAULTS))
    case = _Case(rng, folder)
    _FAULTS[name](case)
    (folder / "truth.json").write_text(json.dumps({"must": case.must, "way": case.way}))
    return name


def read(folder: Path) -> None:
    """Read them as one stage does, and compare with what it says of sound runs."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    must, way = truth["must"], truth["way"]
    kept = _predictions(folder)
    try:
        answer = _READERS[way](folder)
    except InputError as error:
        assert must in ("refused", "either"), f"refused: {error}"
        assert _predictions(folder) == kept, "a refusal changed predictions"
        raise
    assert must != "refused", f"{way} took it"
    if must == "undefined":
        score = answer["patch"]["scores"]["auc"]
        assert score["value"] is None and score["reason"], "an AUC without a class"
    elif must == "unordered":
        assert "kappa_quadratic" not in answer["test"]["patch"]["scores"]
    else:
        assert answer == _sound(way), f"another answer of {way}"


def _predictions(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.glob("runs/*/evaluate/*.csv")}


@functools.cache
def _sound(way: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        case = _Case(random.Random(0), Path(folder))
        return _READERS[way](case.folder)


def _config(folder: Path) -> Any:
    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.support import config_io

    return config_io.load(ExperimentConfig, folder / "runs" / "one" / "config.yaml")


def _evaluate(folder: Path) -> Any:
    from gastric_keras.evaluation.evaluate import run_evaluate
    from gastric_keras.runs.run_dir import RunDir

    run_dir = RunDir(folder / "runs" / "one")
    with contextlib.redirect_stdout(io.StringIO()):
        run_evaluate(_config(folder), run_dir)
    return json.loads(run_dir.report_json.read_text())


def _score(folder: Path) -> Any:
    """Scores of the predictions as they are: a set may lack a class in its test."""
    from dataclasses import asdict

    from gastric_keras.evaluation.class_scoring import score_classes
    from gastric_keras.runs.predictions import read_predictions
    from gastric_keras.runs.run_dir import RunDir

    run_dir = RunDir(folder / "runs" / "one")
    parts = [read_predictions(run_dir.predictions(s)) for s in ("validation", "test")]
    return asdict(score_classes(_config(folder), *parts).test)


def _report_page(folder: Path) -> Any:
    from gastric_keras.report.page import run_report
    from gastric_keras.runs.run_dir import RunDir
    from tests.faults.pages import read_page

    run_dir = RunDir(folder / "runs" / "one")
    with contextlib.redirect_stdout(io.StringIO()):
        run_report(_config(folder), run_dir)
    text = read_page(run_dir.report_html.read_text(encoding="utf-8"))
    return text.replace(str(folder), "")


def _compare(folder: Path) -> Any:
    from gastric_keras.comparison.compare import run_compare

    runs, out = sorted((folder / "runs").iterdir()), folder / "out"
    with contextlib.redirect_stdout(io.StringIO()):
        run_compare(runs, out)
    return (out / "comparison.json").read_text().replace(str(folder), "")


_READERS: dict[str, Callable[[Path], Any]] = {
    "evaluate": _evaluate,
    "score": _score,
    "report": _report_page,
    "compare": _compare,
}

KIND = Kind("classes", write, read, needs_tensorflow=True)
