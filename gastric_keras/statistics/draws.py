"""Settings of the case bootstrap."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.support.errors import check_ranges, require


@dataclass(frozen=True)
class Draws:
    """Settings of a bootstrap over whole cases.

    Attributes:
        draws: number of draws, 100 or more.
        confidence: of the intervals, in (0, 1).
        seed: of the draws; the order of the rows does not matter.

    Raises:
        InputError: fewer than 100 draws, or a confidence outside (0, 1).
    """

    draws: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        check_ranges(
            self,
            draws=("[100, inf)", "1000 is usual."),
            confidence=("(0, 1)", "0.95 is usual."),
        )


def check_confidence(confidence: float) -> None:
    """Validate a confidence.

    Raises:
        InputError: outside (0, 1).
    """
    require(
        0 < confidence < 1,
        "confidence must be in (0, 1)",
        "0.95 is usual.",
        confidence=confidence,
    )
