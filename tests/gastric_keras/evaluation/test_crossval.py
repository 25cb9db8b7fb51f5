"""Folds pooled: each patch called by its own fold's network, every case once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.comparison.compare import compare
from gastric_keras.evaluation.crossval import run_crossval
from gastric_keras.run import main
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores, read_split
from gastric_keras.statistics.split_report import report
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json
from tests.helpers.fake_runs import make_run, write_report

FOLDS = 3


def _make_folds(folder: Path, *, mid: str | None = None, signal: float = 1.0) -> list:
    """Runs of three folds, each with cases of its own."""
    folders = []
    for number in range(1, FOLDS + 1):
        name = f"fold{number}-{mid or 'one-stage'}-s0"
        options = {"mid": mid, "signal": signal, "test_seed": number}
        make_run(folder, name, case=f"fold{number}-", cases=8 + number, **options)
        run_dir = RunDir(folder / "runs" / name)
        tree = read_json(run_dir.report_json)
        tree["fold"] = {"number": number, "count": FOLDS, "seed": 0}
        write_json(run_dir.report_json, tree)
        folders.append(run_dir.root)
    return folders


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pooled folds of one stage and of two."""
    folder = tmp_path_factory.mktemp("crossval")
    runs = _make_folds(folder) + _make_folds(folder, mid="tissue", signal=1.2)
    run_crossval(runs, folder / "pooled")
    return folder


def _of_fold(lab: Path, number: int) -> tuple[float, Predictions]:
    run_dir = RunDir(lab / "runs" / f"fold{number}-one-stage-s0")
    scores = read_scores(run_dir)
    return scores.threshold, read_split(run_dir, "test", scores)


def test_pooled_calls_are_those_of_each_fold(lab: Path) -> None:
    run_dir = RunDir(lab / "pooled" / "fold-one-stage-s0")
    scores = read_scores(run_dir)
    folds = [_of_fold(lab, number) for number in range(1, FOLDS + 1)]
    assert scores.test.cases == 9 + 10 + 11 and scores.fold is None
    pooled = read_split(run_dir, "test", scores)
    assert pooled.label.size == 6 * scores.test.cases
    right = called = 0
    for threshold, found in folds:
        label, score = found.positives("malignant")
        right += int(((score >= threshold) == label).sum())
        called += int((score >= threshold).sum())
    (tn, fp), (fn, tp) = scores.test.patch.at_threshold.confusion
    assert (tn + tp, fp + tp) == (right, called)
    made = scores.cross_validation
    assert made is not None
    assert made.thresholds == tuple(threshold for threshold, _ in folds)
    assert scores.threshold == pytest.approx(np.mean(made.thresholds))
    cases = ["fold3-00", "fold1-04"]
    assert scores.thresholds_of(cases) == [folds[2][0], folds[0][0]]


def test_the_table_says_what_the_interval_assumes(lab: Path) -> None:
    text = (lab / "pooled" / "crossval.md").read_text()
    assert "fold-tissue-s0" in text and "AUC within the folds" in text
    assert "holds the networks fixed" in text


def test_pooled_runs_are_compared_like_any_others(lab: Path) -> None:
    names = ("fold-one-stage-s0", "fold-tissue-s0")
    folders = [lab / "pooled" / name for name in names]
    found = compare(folders, lab / "compare", bootstrap=100)
    (difference,) = found.differences
    assert found.cases == 30 and difference.path == "tissue"
    (calls,) = difference.calls.values()
    assert calls.p_value is None or 0 <= calls.p_value <= 1


def test_a_fold_alone_is_not_compared(lab: Path) -> None:
    with pytest.raises(InputError, match="of fold 1 of 3. Pool .* --stage crossval"):
        compare([lab / "runs" / "fold1-one-stage-s0"], lab / "no")


def test_a_missing_fold_a_double_one_and_a_whole_run_are_refused(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = (
        str(lab / "runs" / f"fold{number}-one-stage-s0") for number in (1, 2, 3)
    )
    out = ["--out", str(tmp_path / "out")]
    for runs, words in (
        ([first, third], "without fold 2"),
        ([first, second, third, third], "with fold 3 twice"),
        ([str(tmp_path)], "must be finished"),
    ):
        assert main(["--stage", "crossval", "--runs", *runs, *out]) == 2
        assert words in capsys.readouterr().err
    make_run(tmp_path, "whole")
    with pytest.raises(InputError, match="whose target set is whole"):
        run_crossval([tmp_path / "runs" / "whole"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pooled_run_has_no_report_of_its_own(lab: Path) -> None:
    run_dir = RunDir(lab / "pooled" / "fold-one-stage-s0")
    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.support import config_io

    config = config_io.load(ExperimentConfig, run_dir.config)
    with pytest.raises(InputError, match="crossval.md"):
        write_report(config)


def test_a_case_that_two_folds_test_is_refused(lab: Path, tmp_path: Path) -> None:
    runs = _make_folds(tmp_path)
    for number, folder in enumerate(runs, start=1):
        path = RunDir(folder).predictions("test")
        path.write_text(path.read_text().replace(f"fold{number}-0", "same-0"))
    with pytest.raises(InputError, match="same-00 in the test splits of"):
        run_crossval(runs, tmp_path / "out")


def test_one_threshold_for_all_equals_an_array_of_it() -> None:
    rng = np.random.default_rng(0)
    label, score = np.arange(60) % 2, rng.random(60)
    cases = [f"c{i // 4}" for i in range(60)]
    one = report(label, score, cases, threshold=0.3)
    assert one == report(label, score, cases, threshold=np.full(60, 0.3))
    assert json.dumps(one.threshold) == "0.3"
