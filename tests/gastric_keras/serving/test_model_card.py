"""The model card says where a model was validated, and where it was not."""

from __future__ import annotations

import re
from pathlib import Path

from gastric_keras.runs.cohort_shapes import SharedWithRun
from gastric_keras.runs.cohorts import read_cohort_scores
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores
from gastric_keras.serving.metadata import ExportMetadata
from gastric_keras.serving.model_card import render_model_card
from gastric_keras.statistics.case_rules import CaseCalls
from tests.helpers.fake_cohorts import add_cohort
from tests.helpers.fake_runs import make_run


def test_external_validation_stands_in_the_card_or_is_open(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    run_dir = RunDir(tmp_path / "runs" / "one")
    scores = read_scores(run_dir)
    metadata = ExportMetadata(
        name="one",
        version=1,
        classes=scores.classes,
        positive=scores.positive,
        threshold=0.5,
        raw_threshold=0.5,
        temperature=1.0,
        mpp=0.5,
        normalization=None,
        patch_size=256,
        image_size=224,
        backbone="alexnet",
        weights="imagenet",
        precision="float32",
        seed=0,
        commit=None,
        weights_sha256="0" * 64,
        records={},
        case_calls=CaseCalls("mean", 10, {"mean": 0.5}, 12),
    )
    card = render_model_card(metadata, scores)
    assert "scored on no set of another laboratory" in card
    assert "They are open here" in card and "item 32 of CLAIM" in card
    shared = (SharedWithRun("cases", "train of the target set", 2, "x"),)
    found = add_cohort(config, "north", shared=shared)
    card = render_model_card(metadata, scores, read_cohort_scores(run_dir))
    change = found.changes["patch"]["auc"]
    row = next(line for line in card.splitlines() if line.startswith("| north | patch"))
    assert row.count("|") == 7
    assert f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})" in row
    assert "48 benign from 8 cases" in card and "Leak, allowed in the config" in card
    assert "open here" not in card and not re.search(r"\{\{|\{%|\bNone\b", card)
