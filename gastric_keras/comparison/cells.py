"""Cells of the tables of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from gastric_keras.statistics.delong import PairedTest
from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.words import spell_p


def spell_mean(values: Sequence[float | None]) -> str:
    """Mean ± standard deviation over seeds or draws; one value as it is."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not defined"
    if len(known) == 1:
        return f"{known[0]:.3f}"
    return f"{mean(known):.3f} ± {stdev(known):.3f}"


def spell_interval(found: PooledDifference | PairedTest) -> str:
    """Both ends of the interval of a difference, with their signs."""
    if found.low is None:
        return "not defined"
    return f"{found.low:+.3f} to {found.high:+.3f}"


def spell_p_cell(value: float | None) -> str:
    """A p value for a table; "" where there is none."""
    return "" if value is None else spell_p(value).removeprefix("= ")
