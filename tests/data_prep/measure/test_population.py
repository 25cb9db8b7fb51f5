"""Measures of a patch's nuclei, on nuclei drawn by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data_prep.measure.nuclei import NucleiMeasurement
from data_prep.measure.population import (
    LEAST_CYTOPLASM,
    MEASURES,
    SPECIFIC,
    measure_population,
    measure_specific,
)


def _measured(labels: np.ndarray) -> NucleiMeasurement:
    return NucleiMeasurement(
        count=int(labels.max()),
        total_area=float((labels > 0).sum()),
        total_area_um2=None,
        labels=labels,
        tissue_fraction=1.0,
        nuclear_hematoxylin=0.75,
        contrast=0.5,
        unevenness=0.1,
    )


def test_three_nuclei_by_hand() -> None:
    labels = np.zeros((60, 60), np.int32)
    labels[0:2, 0:2], labels[0:4, 20:22], labels[50:52, 50:52] = 1, 2, 3
    found = dict(zip(MEASURES, measure_population(_measured(labels), 0.5), strict=True))
    # 4, 8 and 4 px of 0.25 µm²; the first two are 10 µm apart, the third far away.
    assert found["count"] == 3 and found["total_area"] == 4
    assert found["mean_area"] == pytest.approx(4 / 3)
    assert found["area_spread"] == pytest.approx(np.std([1, 2, 1]))
    assert (found["hematoxylin"], found["contrast"]) == (0.75, 0.5)
    assert found["neighbors"] == pytest.approx(2 / 3)


def test_measures_in_um_do_not_hang_on_the_scale() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[4:8, 4:10], labels[20:30, 20:24] = 1, 2
    double = labels.repeat(2, axis=0).repeat(2, axis=1)
    one = measure_population(_measured(labels), 1.0)
    assert measure_population(_measured(double), 0.5) == pytest.approx(one)


def test_without_nuclei_all_is_0() -> None:
    nothing = _measured(np.zeros((8, 8), np.int32))
    assert measure_population(nothing, 0.5) == (0.0,) * len(MEASURES)


def test_area_count_and_ratio_by_hand() -> None:
    labels = np.zeros((10, 10), np.int32)
    labels[0:2, 0:2], labels[4:8, 4:8] = 1, 2
    half_glass = dataclasses.replace(_measured(labels), tissue_fraction=0.5)
    found = dict(zip(SPECIFIC, measure_specific(half_glass, 0.5), strict=True))
    # 20 of 100 px are nuclei, of 0.25 µm² each; 30 are other tissue.
    assert found["mean_area"] == pytest.approx(2.5) and found["count"] == 2
    assert found["nucleus_to_cytoplasm"] == pytest.approx(20 / 30)
    # No tissue beside them: the ratio stays a number.
    nothing_else = dataclasses.replace(half_glass, tissue_fraction=0.1)
    assert measure_specific(nothing_else, 1.0)[2] == pytest.approx(
        0.2 / LEAST_CYTOPLASM
    )
    assert measure_specific(_measured(0 * labels), 1.0) == (0.0, 0.0, 0.0)
