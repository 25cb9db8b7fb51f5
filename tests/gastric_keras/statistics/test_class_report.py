"""Scores of more than two classes: scikit-learn's values, intervals, and no guesses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.class_cases import case_classes, class_means
from gastric_keras.statistics.class_report import ClassReport, class_report
from gastric_keras.statistics.draws import Draws
from gastric_keras.support.errors import InputError
from tests.helpers.fake_classes import LADDER, class_predictions

DRAWS = Draws(100)


def _report(ordered: bool = True, **changes: np.ndarray) -> ClassReport:
    found = class_predictions(1)
    parts = {
        "label": found.label,
        "probability": found.probability,
        "case_id": found.case_id,
    }
    parts |= changes
    probability = parts["probability"]
    return class_report(
        **parts,
        classes=LADDER,
        is_ordered=ordered,
        calibrated=np.full(probability.shape, 1 / 4),
        draws=DRAWS,
    )


def test_the_values_are_those_of_scikit_learn() -> None:
    found, report = class_predictions(1), _report()
    label, p = found.label, found.probability.astype(float)
    # In float64 the sums of float32 are not 1 to scikit-learn.
    p /= p.sum(axis=1, keepdims=True)
    called, unit = p.argmax(axis=1), report.patch
    wanted = {
        "auc": metrics.roc_auc_score(label, p, multi_class="ovr"),
        "pr_auc": metrics.average_precision_score(np.eye(4)[label], p),
        "accuracy": metrics.accuracy_score(label, called),
        "balanced_accuracy": metrics.balanced_accuracy_score(label, called),
        "f1_macro": metrics.f1_score(label, called, average="macro"),
        "kappa_quadratic": metrics.cohen_kappa_score(
            label, called, weights="quadratic"
        ),
        "brier": metrics.brier_score_loss(label, p, scale_by_half=True),
    }
    for name, value in wanted.items():
        score = unit.scores[name]
        assert score.value == pytest.approx(value, abs=1e-6), name
        assert score.low is not None and score.high is not None, name
        assert score.low < score.value < score.high, name
    confusion = metrics.confusion_matrix(label, called)
    assert unit.confusion == tuple(map(tuple, confusion.tolist()))
    recall = metrics.recall_score(label, called, average=None)
    precision = metrics.precision_score(label, called, average=None)
    for index, name in enumerate(LADDER):
        mine = unit.by_class[name]
        assert mine["sensitivity"].value == pytest.approx(recall[index])
        assert mine["precision"].value == pytest.approx(precision[index])
        auc = metrics.roc_auc_score(label == index, p[:, index])
        assert mine["auc"].value == pytest.approx(auc)


def test_the_calibration_error_is_that_of_the_call() -> None:
    label = np.array([0, 1, 2, 2])
    p = np.array([[0.75, 0.25, 0], [0.75, 0.25, 0], [0, 0.05, 0.95], [0, 0.05, 0.95]])
    report = class_report(
        label, p, list("abcd"), classes=LADDER[:3], is_ordered=False, calibrated=p
    )
    # Half the patches say 0.75 and half of them are right; the others say 0.95.
    assert report.patch.scores["ece"].value == pytest.approx(0.5 * 0.25 + 0.5 * 0.05)
    assert "kappa_quadratic" not in report.patch.scores


def test_the_class_of_a_case_is_the_highest_of_a_ladder_else_the_most_frequent() -> (
    None
):
    label = np.array([0, 0, 2, 1, 1, 0, 3, 0])
    case = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    assert case_classes(label, case, 4, is_ordered=True).tolist() == [2, 1, 3]
    assert case_classes(label, case, 4, is_ordered=False).tolist() == [0, 1, 3]
    p = np.eye(4)[label]
    assert class_means(p, case)[0] == pytest.approx([2 / 3, 0, 1 / 3, 0])
    assert _report().mixed_cases == len([i for i in range(24) if i % 5 == 4 and i % 4])


def test_a_class_that_no_row_shows_leaves_its_scores_undefined() -> None:
    found = class_predictions(1)
    label = np.where(found.label == 3, 0, found.label)
    unit = _report(label=label).patch
    for name in ("auc", "balanced_accuracy"):
        assert unit.scores[name].value is None
        assert unit.scores[name].reason == "needs every class; 1 without a row"
    assert unit.scores["accuracy"].value is not None
    assert unit.by_class["cancer"]["auc"].value is None


def test_probabilities_of_nan_have_no_scores() -> None:
    bad = class_predictions(1).probability.copy()
    bad[3] = np.nan
    report = _report(probability=bad)
    for unit in (report.patch, report.case):
        scores = [*unit.scores.values(), *unit.by_class["low"].values()]
        assert all(score.value is None for score in scores)
        assert "NaN or infinite" in (unit.scores["auc"].reason or "")
        assert not any(map(any, unit.confusion))


def test_one_class_against_the_rest_is_the_two_class_score() -> None:
    """The AUC interval of a class is that of the two-class report."""
    found = class_predictions(1)
    p = found.probability[:, 2].astype(float)
    two = cluster_bootstrap(found.label == 2, p, found.case_id, draws=DRAWS)
    assert _report().patch.by_class["high"]["auc"] == two["auc"]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"label": np.full(144, 4)}, "Labels must be from 0 to 3, got values=[4]"),
        ({"label": np.zeros(3, int)}, "Probabilities must have shape (n, classes)"),
        ({"probability": np.full((144, 4), 2.0)}, "must be finite and in [0, 1], got"),
    ],
)
def test_bad_rows_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        _report(**changes)
    assert message in str(error.value)
