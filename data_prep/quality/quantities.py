"""The figures of the numbers that records hold beside their labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class QuantityFigures:
    """One quantity over the sample.

    Attributes:
        mean: of the patches.
        deviation: between patches.
        stain_correlation: absolute rank correlation with the mean amount of
            hematoxylin, in [0, 1]; None where either never changes.
    """

    mean: float
    deviation: float
    stain_correlation: float | None


def measure_quantities(
    names: Sequence[str],
    quantities: npt.NDArray[np.float64],
    amounts: npt.NDArray[np.float64],
) -> dict[str, QuantityFigures]:
    """Figures of each quantity, by name.

    Args:
        names: of the k quantities.
        quantities: (N, k) of the sample.
        amounts: (N,) mean amount of hematoxylin of each patch.
    """
    from scipy.stats import spearmanr

    figures = {}
    for name, values in zip(names, quantities.T, strict=True):
        correlation = None
        if np.ptp(values) > 0 and np.ptp(amounts) > 0:
            correlation = abs(float(spearmanr(values, amounts).statistic))
        figures[name] = QuantityFigures(
            float(values.mean()), float(values.std()), correlation
        )
    return figures
