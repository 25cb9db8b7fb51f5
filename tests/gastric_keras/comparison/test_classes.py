"""Runs of more than two classes: one stage and two, side by side."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gastric_keras.comparison.class_runs import macro_draws, read_class_runs
from gastric_keras.comparison.compare import run_compare
from gastric_keras.config.mid import MidConfig
from gastric_keras.evaluation.class_scoring import score_classes
from gastric_keras.evaluation.evaluate import score_settings
from gastric_keras.runs.predictions import Predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import write_scores
from gastric_keras.statistics.bootstrap import auc_draws
from gastric_keras.statistics.draws import Draws
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.helpers.fake_classes import LADDER, class_predictions, make_class_run
from tests.helpers.fake_runs import MID_CLASSES, make_run, write_set


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run of one stage, and one of two that is nearer to the truth in each patch."""
    folder = tmp_path_factory.mktemp("classes")
    config = make_class_run(folder, "one")
    tissue = MID_CLASSES["tissue"]
    records = write_set(folder / "records" / "tissue", "tissue", tissue)
    two = dataclasses.replace(config, name="two", mid=MidConfig(str(records), tissue))
    run_dir = RunDir(folder / "runs" / "two")
    config_io.save(two, run_dir.config)
    parts = [_nearer(class_predictions(seed, case="one")) for seed in (50, 0)]
    for split, part in zip(("validation", "test"), parts, strict=True):
        write_predictions(run_dir.predictions(split), part)
    write_scores(run_dir, score_classes(two, *parts), score_settings(two))
    return [run_dir.root, folder / "runs" / "one"]


def _nearer(part: Predictions) -> Predictions:
    truth = np.eye(len(part.classes))[part.label]
    nearer = (0.85 * part.probability + 0.15 * truth).astype(np.float32)
    return dataclasses.replace(part, probability=nearer)


def test_scores_and_the_paired_difference(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_compare(pair, tmp_path)
    said = capsys.readouterr().out
    assert (tmp_path / "tables.md").read_text() in said
    assert "normal, low, high, cancer, a ladder in this order" in said
    found = read_json(tmp_path / "comparison.json")
    assert [run["path"] for run in found["runs"]] == ["one stage", "tissue"]
    keys = ["auc", "balanced_accuracy", "kappa_quadratic"]
    for run in found["runs"]:
        assert list(run["patch"]) == list(run["case"]) == keys
        assert run["patch"]["auc"]["low"] < run["patch"]["auc"]["value"]
    (each,) = found["differences"]
    one, two = read_class_runs(pair)
    areas = [
        roc_auc_score(run.label, run.probability, multi_class="ovr")
        for run in (one, two)
    ]
    assert each["found"]["difference"] == pytest.approx(areas[1] - areas[0])
    assert 0 < each["found"]["low"] < each["found"]["difference"]
    assert each["path"] == "tissue" and each["p_holm"] < 0.05


def test_cohorts_are_left_out_in_words(pair: list[Path], tmp_path: Path) -> None:
    place = RunDir(pair[0]).external
    place.mkdir()
    try:
        run_compare(pair, tmp_path)
    finally:
        place.rmdir()
    tables = (tmp_path / "tables.md").read_text()
    assert "External cohorts of 1 of the runs are left out: of more than two" in tables


def test_a_draw_holds_the_same_cases_for_every_class(pair: list[Path]) -> None:
    runs = read_class_runs(pair)
    run, draws = runs[0], Draws(100)
    drawn = macro_draws(runs, draws)
    one = [
        auc_draws(run.label == c, run.probability[None, :, c], run.case_id, draws)[0]
        for c in range(len(LADDER))
    ]
    np.testing.assert_allclose(drawn[0], np.mean(one, axis=0))


def test_unlike_runs_are_refused(pair: list[Path], tmp_path: Path) -> None:
    make_class_run(tmp_path, "other", classes=("normal", "low", "cancer"))
    make_class_run(tmp_path / "plain", "plain", ordered=False)
    make_run(tmp_path, "binary")
    other, plain = tmp_path / "runs" / "other", tmp_path / "plain" / "runs" / "plain"
    for unlike in (other, plain):
        with pytest.raises(InputError, match="Runs must be of equal classes in one"):
            run_compare([pair[0], unlike], tmp_path)
    with pytest.raises(InputError, match="Runs must all be of two classes, or all of"):
        run_compare([pair[0], tmp_path / "runs" / "binary"], tmp_path)
    with pytest.raises(InputError, match="Each network, subset, path and seed must"):
        run_compare([pair[0], pair[0]], tmp_path)


def test_runs_without_a_partner_stand_in_the_table(
    pair: list[Path], tmp_path: Path
) -> None:
    run_compare(pair[:1], tmp_path)
    text = (tmp_path / "tables.md").read_text()
    assert "there is nothing to compare" in text
    assert "In the table only, without a partner: two." in text
