"""Bands around curves: by hand where every draw is known, by simulation where not."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from gastric_keras.statistics.bands import Band, precision_recall_band, roc_band
from gastric_keras.statistics.draws import Draws


def clustered(seed: int, cases: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four patches a case, which share label and a part of their score."""
    rng = np.random.default_rng(seed)
    case = np.repeat(np.arange(cases), 4)
    label = case % 2
    noise = rng.normal(size=cases)[case] + rng.normal(size=case.size)
    logit = 1.2 * (label - 0.5) + noise
    return label, 1 / (1 + np.exp(-logit)), case.astype(str)


def heights(label: np.ndarray, score: np.ndarray, x: np.ndarray) -> np.ndarray:
    fpr, tpr, _ = roc_curve(label, score, drop_intermediate=False)
    return np.interp(x, fpr, tpr)


def test_bands_hold_the_curves_they_are_of() -> None:
    label, score, case = clustered(0)
    roc = roc_band(label, score, case, Draws(300))
    recall = precision_recall_band(label, score, case, Draws(300))
    assert isinstance(roc, Band) and isinstance(recall, Band)
    curve = heights(label, score, roc.x)
    assert ((roc.low - 0.02 <= curve) & (curve <= roc.high + 0.02)).mean() > 0.97
    precision, place, _ = precision_recall_curve(label, score)
    own = precision[::-1][np.searchsorted(place[::-1], recall.x)]
    inside = (recall.low - 0.02 <= own) & (own <= recall.high + 0.02)
    assert inside[1:].mean() > 0.97
    # Sensitivity never falls, and reaches 1.
    for line in (roc.low, roc.high):
        assert (np.diff(line) >= 0).all() and line[-1] == 1


def test_nine_of_ten_bands_hold_the_truth() -> None:
    """At one place of the axis, against the curve of a hundred times as many cases."""
    truth = heights(*clustered(999, cases=6000)[:2], np.array([0.2]))[0]
    found = []
    for seed in range(60):
        band = roc_band(*clustered(seed), Draws(200, 0.9, seed))
        found.append(band.low[20] <= truth <= band.high[20])
    # 54 are expected; fewer than 47 or all of 60 in one of a hundred such tests.
    assert 47 <= sum(found) < 60


def test_whole_cases_are_drawn() -> None:
    """Copies of a patch in its case add nothing; as cases of their own they would."""
    label, score, case = clustered(3)
    once = roc_band(label, score, case, Draws(200))
    rows = np.tile(np.arange(label.size), 5)
    again = roc_band(label[rows], score[rows], case[rows], Draws(200))
    np.testing.assert_allclose(again.low, once.low)
    np.testing.assert_allclose(again.high, once.high)


def test_perfect_scores_have_no_width() -> None:
    case = np.array(list("abcdefghijklmnopqrst"))
    label = np.arange(20) % 2
    band = roc_band(label, label.astype(float), case, Draws(100))
    assert (band.low == 1).all() and (band.high == 1).all()
    recall = precision_recall_band(label, label.astype(float), case, Draws(100))
    assert (recall.low == 1).all()


def test_too_few_cases_have_no_band() -> None:
    assert roc_band([0, 1], [0.2, 0.7], ["a", "b"]) is None
    assert precision_recall_band([0, 1], [0.2, 0.7], ["a", "a"]) is None
