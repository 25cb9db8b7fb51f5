"""Runs of more than two classes: scored, pooled, shown; what cannot do it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastric_keras.comparison.compare import compare
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.ensemble.stage import run_ensemble
from gastric_keras.evaluation.baselines.stage import run_baselines
from gastric_keras.evaluation.crossval import run_crossval
from gastric_keras.report.page import run_report
from gastric_keras.runs.class_rows import called_cases
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_class_scores, read_scores, read_split
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from tests.helpers.fake_classes import LADDER, make_class_run

FOLDS = 3


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds, and the run that they are pooled to."""
    folder = tmp_path_factory.mktemp("classes")
    for number in range(1, FOLDS + 1):
        name, cases = f"fold{number}-s0", 14 + number
        make_class_run(folder, name, fold=(number, FOLDS), cases=cases, seed=number)
    run_crossval([*(folder / "runs").iterdir()], folder / "pooled")
    return folder


def test_folds_are_pooled_and_each_case_tested_once(lab: Path) -> None:
    run_dir = RunDir(lab / "pooled" / "fold-s0")
    scores = read_class_scores(run_dir)
    assert scores.fold is None and scores.test.cases == 15 + 16 + 17
    made = scores.cross_validation
    assert made is not None and made.folds == FOLDS and made.thresholds == ()
    pooled = read_split(run_dir, "test", scores)
    is_right = pooled.probability.argmax(axis=1) == pooled.label
    assert scores.test.patch.scores["accuracy"].value == pytest.approx(is_right.mean())
    assert scores.test.patch.scores["kappa_quadratic"].low is not None
    text = (lab / "pooled" / "crossval.md").read_text()
    assert "AUC within the folds" in text and "fold-s0" in text


def test_the_page_shows_every_class(lab: Path) -> None:
    config = config_io.load(ExperimentConfig, lab / "runs" / "fold1-s0" / "config.yaml")
    run_dir = RunDir(lab / "runs" / "fold1-s0")
    run_report(config, run_dir)
    page = run_dir.report_html.read_text()
    assert "to tell 4 classes apart, a ladder in this order" in page
    for words in (
        "Kappa, quadratic weights",
        "Confusion per case",
        "Macro AUC",
        *LADDER,
    ):
        assert words in page
    assert "Operating points" not in page and "at 0.5" not in page
    test = read_split(run_dir, "test", read_class_scores(run_dir))
    rows = called_cases(test, is_ordered=True)
    assert [row.is_right for row in rows] == sorted(row.is_right for row in rows)
    assert (
        f"{len(rows)} cases, {sum(not r.is_right for r in rows)} called wrong" in page
    )


def test_what_knows_two_classes_only_says_so(lab: Path, tmp_path: Path) -> None:
    folder = lab / "runs" / "fold1-s0"
    config = config_io.load(ExperimentConfig, folder / "config.yaml")
    rule = "This command must get runs of two classes, got run="
    with pytest.raises(InputError, match=rule):
        read_scores(RunDir(folder))
    with pytest.raises(InputError, match=rule):
        compare([folder], tmp_path)
    with pytest.raises(InputError, match=rule):
        run_ensemble([folder, lab / "runs" / "fold2-s0"], tmp_path / "mean")
    with pytest.raises(
        InputError, match="Stage baselines must get a target set of two"
    ):
        run_baselines(config, RunDir(folder))


def test_a_report_without_its_checksum_is_refused(tmp_path: Path) -> None:
    make_class_run(tmp_path, "run")
    run_dir = RunDir(tmp_path / "runs" / "run")
    run_dir.done("evaluate").write_text("{}")
    with pytest.raises(InputError, match="must hold the checksum of report.json, got"):
        read_class_scores(run_dir)
