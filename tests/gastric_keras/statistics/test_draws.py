"""Settings of the bootstrap are checked where they are made, and nowhere else."""

from __future__ import annotations

import dataclasses

import pytest

from gastric_keras.statistics.draws import Draws
from gastric_keras.support.errors import InputError


@pytest.mark.parametrize("draws", [99, 9, 3, 0, -1])
def test_too_few_draws_are_refused(draws: int) -> None:
    with pytest.raises(InputError) as caught:
        Draws(draws)
    assert str(caught.value) == (
        f"draws must be at least 100, got {draws}. 1000 is usual."
    )


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, float("nan")])
def test_a_confidence_outside_0_and_1_is_refused(confidence: float) -> None:
    with pytest.raises(InputError) as caught:
        Draws(confidence=confidence)
    assert str(caught.value) == (
        f"confidence must be in (0, 1), got {confidence}. 0.95 is usual."
    )


def test_draws_cannot_change_after_the_check() -> None:
    assert Draws(100, 0.9, 7) == Draws(draws=100, confidence=0.9, seed=7)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Draws().draws = 9  # type: ignore[misc]
