"""Predictions that no score can be made of: a reason in words, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gastric_keras.comparison.compare import compare
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.scoring import score
from gastric_keras.runs.predictions import Predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_json
from tests.helpers.fake_runs import make_run, predictions


def with_value(value: float) -> Callable[[Predictions], Predictions]:
    def spoil(part: Predictions) -> Predictions:
        p = part.probability.copy()
        p[3] = value
        return replace(part, probability=p)

    return spoil


def with_label(rule: Callable[[Predictions], Any]) -> Callable:
    return lambda part: replace(part, label=np.asarray(rule(part)).astype(np.int64))


def saturated(part: Predictions) -> Predictions:
    called = (part.probability[:, 1] > 0.5).astype(int)
    return replace(part, probability=np.eye(2, dtype=np.float32)[called])


FAULTS: dict[str, Callable[[Predictions], Predictions]] = {
    "NaN": with_value(np.nan),
    "Inf": with_value(np.inf),
    "a class of one patch": with_label(lambda p: np.arange(p.label.size) == 0),
    "one case in a class": with_label(lambda p: p.case_id == p.case_id[0]),
    "all negative": with_label(lambda p: np.zeros(p.label.size)),
    "all positive": with_label(lambda p: np.ones(p.label.size)),
    "saturated": saturated,
    "saturated and right": lambda p: replace(
        p, probability=np.eye(2, dtype=np.float32)[p.label]
    ),
    "tied": lambda p: replace(p, probability=np.full_like(p.probability, 0.5)),
    "one case": lambda p: replace(p, case_id=np.full_like(p.case_id, "x")),
    "one patch": lambda p: replace(
        p,
        **{
            name: getattr(p, name)[:1]
            for name in ("case_id", "image_id", "x", "y", "label", "probability")
        },
    ),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    return make_run(tmp_path_factory.mktemp("numbers"), "base")


def every_score(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for split in ("validation", "test"):
        for unit in ("patch", "case"):
            found = report[split][unit]
            for part in (found, found["at_half"], found["at_threshold"]):
                for name, value in part["scores"].items():
                    yield f"{split} {unit} {name}", value


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("splits", [(False, True), (True, False), (True, True)])
def test_a_report_says_what_is_not_defined_and_why(
    config: ExperimentConfig, fault: str, splits: tuple[bool, bool]
) -> None:
    parts = [predictions(50, test_seed=7), predictions(0)]
    spoiled = [FAULTS[fault](p) if at else p for p, at in zip(parts, splits)]
    found = score(config, *spoiled)
    text = json.dumps(asdict(found), allow_nan=False)  # no NaN passes for a number
    for name, value in every_score(json.loads(text)):
        has_all = None not in (value["value"], value["low"], value["high"])
        assert has_all == (value["reason"] is None), name
        if has_all:
            assert value["low"] <= value["value"] <= value["high"], name
    assert 0 <= found.threshold <= 1 and found.temperature > 0


def test_one_nan_leaves_no_score_of_its_split(config: ExperimentConfig) -> None:
    good = predictions(50, test_seed=7)
    found = score(config, good, FAULTS["NaN"](predictions(0)))
    assert found.unfitted is None
    for name, value in every_score(asdict(found)):
        is_test = name.startswith("test")
        assert (value["value"] is None) == is_test, name
        if is_test:
            assert "1 of 144 probabilities are NaN or infinite" in value["reason"]
    unit = found.test.patch
    assert unit.n == 144 and unit.at_half.confusion == ((0, 0), (0, 0))
    assert "brier_calibrated" in unit.scores


@pytest.mark.parametrize(
    "fault, words",
    [
        ("NaN", "validation split: 2 of 288 probabilities are NaN or infinite"),
        ("all positive", "validation split: every patch is malignant"),
        ("all negative", "validation split: every patch is benign"),
    ],
)
def test_where_validation_chooses_nothing_the_test_split_is_still_scored(
    config: ExperimentConfig, fault: str, words: str
) -> None:
    found = score(config, FAULTS[fault](predictions(50, test_seed=7)), predictions(0))
    assert words in found.unfitted
    assert (found.threshold, found.temperature) == (0.5, 1.0)
    test = found.test.patch
    assert test.scores["auc"].low is not None
    assert test.at_threshold.scores == test.at_half.scores
    assert test.scores["brier_calibrated"].value == pytest.approx(
        test.scores["brier"].value
    )


def spoiled_run(folder: Path, name: str, fault: str, mid: str | None) -> Path:
    config = make_run(folder, name, mid=mid)
    run_dir = RunDir(folder / "runs" / name)
    test = FAULTS[fault](predictions(0))
    write_predictions(run_dir.predictions("test"), test)
    report = score(config, predictions(50, test_seed=7), test)
    write_json(run_dir.report_json, asdict(report))
    return folder / "runs" / name


@pytest.mark.parametrize("fault", ["one case in a class", "one case", "tied"])
def test_compare_says_that_nobody_can_tell(tmp_path: Path, fault: str) -> None:
    runs = [
        spoiled_run(tmp_path, "one", fault, None),
        spoiled_run(tmp_path, "two", fault, "tissue"),
    ]
    found = compare(runs, tmp_path / "out", bootstrap=200)
    words = {"tied": "nothing to tell apart"}.get(fault, "too few to tell")
    assert words in found.verdicts[0].sentence
    json.dumps(json.loads((tmp_path / "out" / "comparison.json").read_text()))


@pytest.mark.parametrize(
    "fault, words",
    [
        (
            "NaN",
            r"must be numbers in every run.*two \(1 of 144 .* leave them out and say",
        ),
        ("all negative", "must have two or more patches of each class, got"),
        ("a class of one patch", "with 1 positive of 144"),
    ],
)
def test_compare_refuses_and_names_the_run(
    tmp_path: Path, fault: str, words: str
) -> None:
    kind = "tied" if fault == "NaN" else fault
    runs = [
        spoiled_run(tmp_path, "one", kind, None),
        spoiled_run(tmp_path, "two", fault, "tissue"),
    ]
    with pytest.raises(InputError, match=words):
        compare(runs, tmp_path / "out", bootstrap=200)
