"""The gain of a second stage beside that of the paper, setting by setting."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from gastric_keras.comparison.cells import spell_interval, spell_names
from gastric_keras.comparison.published import (
    SOURCE,
    published_gain,
    published_scores,
)
from gastric_keras.comparison.results import (
    Comparison,
    ScoreCell,
    SettingDifference,
)
from gastric_keras.support.text import text_table

_HEADER = [
    "network",
    "subset",
    "mid-level set",
    "AUC here",
    "gain here",
    "AUC in the paper",
    "gain in the paper",
    "1 − AUC here",
    "1 − AUC in the paper",
]


def spell_published_gain(found: SettingDifference) -> str:
    """``+0.016``; "" where the paper has no such setting."""
    gain = published_gain(found.backbone, found.subset, found.path)
    return "" if gain is None else f"{gain:+.3f}"


def spell_gains(comparison: Comparison) -> list[str]:
    """A heading, a table and how many published gains are out of reach.

    Args:
        comparison: of finished runs.

    Returns:
        Nothing where no setting is one of the paper's.
    """
    rows = [
        row
        for found in comparison.differences
        if (row := _row(found, comparison.cells)) is not None
    ]
    if not rows:
        return []
    return [
        "## Gain against published gain",
        f"The paper's figures are of {SOURCE}, one training a cell. 1 − AUC: the share "
        "of the error of one stage that a second stage adds (+) or removes (-).",
        text_table(_HEADER, rows),
        *_beyond(comparison.differences),
    ]


def _row(found: SettingDifference, cells: Sequence[ScoreCell]) -> list[str] | None:
    backbone, subset, path = found.backbone, found.subset, found.path
    one = published_scores(backbone, subset, "one stage")
    two = published_scores(backbone, subset, path)
    auc = {
        cell.path: mean(values)
        for cell in cells
        if (cell.backbone, cell.subset) == (backbone, subset)
        and (values := [v for v in cell.scores["AUC"] if v is not None])
    }
    if one is None or two is None or not {path, found.base} <= set(auc):
        return None
    gain = found.clustered.difference
    return [
        *spell_names(backbone, subset, path),
        f"{auc[found.base]:.3f} → {auc[path]:.3f}",
        f"{gain:+.3f} ({spell_interval(found.clustered)})",
        f"{one.auc:.3f} → {two.auc:.3f}",
        spell_published_gain(found),
        _percent(-gain, 1 - auc[found.base]),
        _percent(one.auc - two.auc, 1 - one.auc),
    ]


def _percent(part: float, whole: float) -> str:
    if not whole:
        return "not defined"
    share = round(100 * part / whole)
    return f"{share:+d} %" if share else "0 %"


def _beyond(differences: Sequence[SettingDifference]) -> list[str]:
    pairs = [
        (gain, d.clustered.high)
        for d in differences
        if (gain := published_gain(d.backbone, d.subset, d.path)) is not None
        and d.clustered.high is not None
    ]
    above = sum(gain > high for gain, high in pairs)
    if not pairs:
        return []
    return [
        f"The published gain lies above the interval by case of the same setting in "
        f"{above} of {len(pairs)} settings."
    ]
