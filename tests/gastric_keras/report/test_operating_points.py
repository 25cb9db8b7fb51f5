"""Thresholds that keep a promise, worked by hand."""

from __future__ import annotations

import numpy as np

from gastric_keras.report.operating_points import operating_points
from gastric_keras.runs.predictions import Predictions
from gastric_keras.statistics.draws import Draws
from tests.helpers.fake_runs import predictions


def test_promises_hold_on_validation_and_scores_are_of_test() -> None:
    validation, test = predictions(50, test_seed=7), predictions(0)
    for unit in ("patch", "case"):
        settings = {"unit": unit, "draws": Draws(100)}
        same = operating_points(validation, validation, "malignant", **settings)
        for row in same:
            kept, _, least = row.promise.split()
            cell = row.cells[("sensitivity", "specificity").index(kept)]
            assert float(cell.value) >= float(least) - 5e-4, row
        rows = operating_points(validation, test, "malignant", **settings)
        assert [r.threshold for r in rows] == [r.threshold for r in same]
        assert [r.cells for r in rows] != [r.cells for r in same]
    # Per patch, by hand, of the last: the test's own sensitivity at that threshold.
    row = operating_points(
        validation, test, "malignant", unit="patch", draws=Draws(100)
    )[0]
    called = test.probability[test.label == 1, 1] >= row.threshold
    assert row.cells[0].value == f"{called.mean():.3f}"
    assert "–" in row.cells[0].interval


def test_one_class_has_no_operating_point() -> None:
    whole = predictions(0)
    rows = np.flatnonzero(whole.label == 0)
    columns = ("case_id", "image_id", "x", "y", "label", "probability")
    part = Predictions(whole.classes, *(getattr(whole, name)[rows] for name in columns))
    found = operating_points(whole, part, "malignant", unit="patch", draws=Draws(100))
    assert found == []
