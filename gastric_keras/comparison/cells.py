"""Cells that several tables of a comparison have."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from gastric_keras.comparison.results import SettingDifference
from gastric_keras.config.backbones import find_backbone
from gastric_keras.statistics.delong import PairedTest
from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.words import spell_p
from gastric_keras.support.text import markdown_name

#: Of a table of differences, behind what is compared.
COLUMNS = ["seeds", "difference", "by case", "p (Holm)", "DeLong", "p"]


def spell_names(backbone: str, *names: str) -> list[str]:
    """A network as the paper spells it, and names out of configs and sets."""
    return [find_backbone(backbone).title, *map(markdown_name, names)]


def difference_cells(found: SettingDifference) -> list[str]:
    """As of ``COLUMNS``."""
    return [
        str(len(found.seeds)),
        f"{found.clustered.difference:+.3f}",
        spell_interval(found.clustered),
        spell_p_value(found.p_holm),
        spell_interval(found.delong),
        spell_p_value(found.delong.p_value),
    ]


def spell_mean(values: Sequence[float | None]) -> str:
    """Mean over runs, and their standard deviation where there are several."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not defined"
    if len(known) == 1:
        return f"{known[0]:.3f}"
    return f"{mean(known):.3f} ± {stdev(known):.3f}"


def spell_interval(found: PooledDifference | PairedTest) -> str:
    """Both ends, or that there are none."""
    if found.low is None:
        return "not defined"
    return f"{found.low:+.3f} to {found.high:+.3f}"


def spell_p_value(value: float | None) -> str:
    """A p value without "="; "" where there is none."""
    return "" if value is None else spell_p(value).removeprefix("= ")
