"""Temperature scaling: the minimum itself, the degenerate cases, and the threshold."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from gastric_keras.statistics.calibration import (
    BOUNDS,
    apply_temperature,
    fit_temperature,
    scale_threshold,
)
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.scores import calibration_scores
from gastric_keras.statistics.split_report import report
from gastric_keras.support.errors import InputError


def drawn(classes: int, true_temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels that follow softmax(logit / T), and the network's softmax(logit)."""
    rng = np.random.default_rng(3)
    logit = rng.normal(0, 3, (4000, classes))
    truth = softmax(logit / true_temperature, axis=1).cumsum(axis=1)
    label = (rng.random((4000, 1)) > truth).sum(axis=1).clip(0, classes - 1)
    return label, softmax(logit, axis=1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_temperature_of_the_smallest_likelihood(
    classes: int, temperature: float
) -> None:
    label, probability = drawn(classes, temperature)
    found = fit_temperature(label, probability)
    assert found == pytest.approx(temperature, rel=0.08)
    best = log_loss(label, apply_temperature(probability, found))
    for other in (0.98 * found, 1.02 * found):
        assert best < log_loss(label, apply_temperature(probability, other))


def test_two_classes_equal_a_logistic_regression_without_intercept() -> None:
    label, probability = drawn(2, 2.0)
    gap = np.log(probability[:, 1:] / probability[:, :1])
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8).fit(gap, label)
    assert 1 / fit_temperature(label, probability) == pytest.approx(
        model.coef_[0, 0], rel=1e-4
    )


def test_scaling_by_hand() -> None:
    # Three of four right where 0.9 is claimed: log 9 / T = log 3.
    assert fit_temperature([0, 0, 0, 1], [[0.9, 0.1]] * 4) == pytest.approx(2)
    assert apply_temperature([[0.9, 0.1]], 2.0) == pytest.approx(
        np.array([[0.75, 0.25]])
    )
    assert apply_temperature([[0.2, 0.3, 0.5]], 1.0) == pytest.approx(
        np.array([[0.2, 0.3, 0.5]])
    )


@pytest.mark.parametrize(
    "label, probability, expected",
    [
        ([1, 1], [[0.4, 0.6], [0.7, 0.3]], 1.0),  # one class only
        ([0, 1], [[0.8, 0.2], [0.3, 0.7]], 1.0),  # all right: T would go to 0
        ([0, 1], [[1.0, 0.0], [0.0, 1.0]], 1.0),  # and saturated
        ([0, 1], [[0.5, 0.5], [0.5, 0.5]], 1.0),  # tied: every T is as good
        ([1, 0], [[0.8, 0.2], [0.3, 0.7]], BOUNDS[1]),  # worse than chance
        ([1, 0], [[1.0, 0.0], [0.0, 1.0]], BOUNDS[1]),
        ([0, 1] * 50 + [0], [[0.501, 0.499], [0.499, 0.501]] * 50 + [[0.499, 0.501]],
         BOUNDS[0]),  # fmt: skip
    ],
)
def test_degenerate_data_have_a_defined_answer(
    label: list, probability: list, expected: float
) -> None:
    found = fit_temperature(label, probability)
    assert found == expected
    assert np.isfinite(apply_temperature(probability, found)).all()


def test_one_wrong_and_certain_patch_does_not_break_it() -> None:
    probability = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    found = fit_temperature([0, 1, 1, 0, 1], probability)
    # Four in five right: 0.8 is all that may be claimed, as far as the bound goes.
    assert found == BOUNDS[1]
    assert apply_temperature(probability, 63.0)[0, 0] == pytest.approx(0.8, abs=1e-3)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_a_scaled_threshold_makes_the_same_calls(temperature: float) -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate([[0, 1e-30, 0.5, 1 - 1e-4, 1], rng.random(500)])
    scaled = apply_temperature(np.stack([1 - p, p], 1), temperature)[:, 1]
    assert (np.diff(scaled[np.argsort(p, kind="stable")]) >= 0).all()
    for threshold in (0.0, 0.1234, 0.5, 0.87, 1.0):
        moved = scale_threshold(threshold, temperature)
        assert ((p >= threshold) == (scaled >= moved)).all(), threshold
    assert scale_threshold(0.5, temperature) == pytest.approx(0.5)


def test_the_report_has_the_calibration_before_and_after() -> None:
    label, probability = drawn(2, 3.0)
    label, probability = label[:300], probability[:300]
    case = np.array([f"c{i // 5:02d}" for i in range(300)])
    scaled = apply_temperature(probability, fit_temperature(label, probability))[:, 1]
    settings = {"threshold": 0.5, "draws": Draws(200)}
    raw = report(label, probability[:, 1], case, **settings)
    both = report(label, probability[:, 1], case, calibrated=scaled, **settings)
    for name in ("brier", "ece"):
        before, after = (both.patch.scores[n] for n in (name, f"{name}_calibrated"))
        assert before == raw.patch.scores[name]
        assert after.value < before.value and after.low < after.value < after.high
        expected = calibration_scores(label, scaled, np.ones((1, 300)))[name][0]
        assert after.value == pytest.approx(expected)
    # A case claims the mean of what its patches claim after scaling.
    mean = scaled.reshape(60, 5).mean(axis=1)
    truth = label.reshape(60, 5).max(axis=1)
    assert both.case.scores["brier_calibrated"].value == pytest.approx(
        np.mean((mean - truth) ** 2)
    )
    assert set(asdict(both)["patch"]["scores"]) - set(raw.patch.scores) == {
        "brier_calibrated",
        "ece_calibrated",
    }


@pytest.mark.parametrize(
    "label, probability, words",
    [
        ([0, 1], [0.2, 0.8], r"shape=\(2,\), dtype='float64'. Pass the columns"),
        ([], np.zeros((0, 2)), r"shape=\(0, 2\)"),
        ([0, 1], [[0.2, 0.8], [np.nan, 0.5]], r"bad_rows=1, first=\[\[nan, 0.5\]\]"),
        ([0, 1], [[0.2, 0.8], [3.0, -2.0]], "bad_rows=1, .* Pass probabilities, not"),
        ([0, 1], [[0.2, 0.7], [0.5, 0.5]], "sum to 1 in each row"),
        (
            [0, 2],
            [[0.2, 0.8], [0.5, 0.5]],
            r"Labels must be from 0 to 1.*values=\[0, 2\]",
        ),
        ([0], [[0.2, 0.8], [0.5, 0.5]], r"shape \(2,\), got .*same patches"),
        ([0.0, 1.0], [[0.2, 0.8], [0.5, 0.5]], "Labels must be from 0 to 1"),
    ],
)
def test_bad_input(label: list, probability: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_temperature(label, probability)


@pytest.mark.parametrize("temperature", [0, -1.0, np.inf, np.nan])
def test_a_bad_temperature(temperature: float) -> None:
    with pytest.raises(
        InputError, match="temperature must be above 0, got .* report.json"
    ):
        apply_temperature([[0.2, 0.8]], temperature)
