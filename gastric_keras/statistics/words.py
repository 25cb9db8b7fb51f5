"""Scores and p values as text."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.statistics.independent import Change
from gastric_keras.statistics.scores import Score


@dataclass(frozen=True)
class SpelledScore:
    """One score as text; each part is "" where there is none.

    Attributes:
        value: the figure; a dash where it is not defined.
        interval: both ends; "†" marks an exact bound.
        note: why figure or interval is missing.
    """

    value: str
    interval: str = ""
    note: str = ""

    @property
    def beside(self) -> str:
        """In brackets behind the value: the interval, or why there is none."""
        return self.interval or self.note


def spell_score(score: Score, digits: int = 3) -> SpelledScore:
    """One score as text.

    Args:
        score: of a report.
        digits: after the point.
    """
    if score.value is None:
        return SpelledScore("—", note=score.reason or "")
    value = f"{score.value:.{digits}f}"
    if score.low is None:
        return SpelledScore(value, note=score.reason or "")
    mark = "†" if score.method == "exact" else ""
    return SpelledScore(value, f"{score.low:.{digits}f}–{score.high:.{digits}f}{mark}")


def spell_change(change: Change, digits: int = 3) -> SpelledScore:
    """A difference as text, with its sign.

    Args:
        change: of a score.
        digits: after the point.
    """
    if change.value is None:
        return SpelledScore("—", note=change.reason or "")
    value = f"{change.value:+.{digits}f}"
    if change.low is None or change.high is None:
        return SpelledScore(value, note=change.reason or "")
    return SpelledScore(value, f"{change.low:+.{digits}f} to {change.high:+.{digits}f}")


def spell_auc(auc: Score) -> str:
    """An AUC with its interval, for a line on the terminal."""
    if auc.value is None:
        return f"AUC not defined ({auc.reason})"
    if auc.low is None:
        return f"AUC {auc.value:.3f} (no interval: {auc.reason})"
    return f"AUC {auc.value:.3f} ({auc.low:.3f}–{auc.high:.3f})"


def spell_p(value: float) -> str:
    """A p value with its sign of comparison: ``= 0.031`` or ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"= {value:.3g}"
