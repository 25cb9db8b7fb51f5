"""Which scales a microscope or slide scanner can have."""

from __future__ import annotations

#: Beyond these µm/px no light microscope scans: far finer than light resolves, or a
#: figure of a screen (72 dpi is 353).
LEAST_MPP, MOST_MPP = 0.05, 10.0
#: µm/px of scans at ×2.5 to ×100; beyond, a factor of ten is the likeliest reason.
USUAL_MPP = (0.1, 4.0)


def is_possible(mpp: float) -> bool:
    """Whether a picture of tissue can have this scale; 0.0, not known, cannot."""
    return LEAST_MPP <= mpp <= MOST_MPP


def is_usual(mpp: float) -> bool:
    """Whether pathology scanners give it."""
    return USUAL_MPP[0] <= mpp <= USUAL_MPP[1]
