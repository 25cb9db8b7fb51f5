"""Thresholds that keep a promise, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.statistics.thresholds import threshold_for

LABEL = [0, 0, 0, 0, 1, 1, 1, 1]
SCORE = [0.1, 0.2, 0.3, 0.7, 0.25, 0.6, 0.8, 0.9]


@pytest.mark.parametrize(
    "kept, least, threshold",
    [
        ("sensitivity", 1.0, 0.225),
        ("sensitivity", 0.75, 0.45),
        ("sensitivity", 0.5, 0.75),
        ("specificity", 1.0, 0.75),
        ("specificity", 0.75, 0.45),
        ("specificity", 0.5, 0.225),
    ],
)
def test_thresholds_by_hand(kept: str, least: float, threshold: float) -> None:
    found = threshold_for(LABEL, SCORE, kept=kept, least=least)
    assert found == pytest.approx(threshold)


def test_a_promise_that_costs_all_is_kept() -> None:
    """The negative has the highest score: nothing may be called, or everything."""
    assert threshold_for([0, 1], [0.9, 0.1], kept="specificity", least=1) > 0.9
    assert threshold_for([0, 1], [0.9, 0.1], kept="sensitivity", least=1) == 0
    # Also where scores are neighboring doubles.
    pair = [0.5, np.nextafter(0.5, 1)]
    found = threshold_for([0, 1], pair, kept="specificity", least=1)
    assert pair[0] < found <= pair[1]
