"""How a score changes from one sample of cases to another that shares none."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.statistics.class_report import ClassUnitReport
from gastric_keras.statistics.scores import Score
from gastric_keras.statistics.split_report import UnitReport


@dataclass(frozen=True)
class Change:
    """A difference of one score between two samples, with its interval.

    Attributes:
        value: after - before; None where one of them is not defined.
        low: lower end of the interval; None where one of them has none.
        high: upper end.
        reason: in words, why value or interval is missing; None if it is not.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


def change_of(before: Score, after: Score) -> Change:
    """Difference of a score between two samples that share no case.

    The interval joins those of both, however they were made and however skewed they
    are (MOVER: Zou & Donner 2008, doi 10.1002/sim.3095): with ``θ = after - before``,
    ``low = θ - sqrt((after - after.low)² + (before.high - before)²)`` and ``high`` the
    same the other way. With case-clustered intervals of both it is the difference of
    two independent cluster bootstraps. How often it holds the truth:
    benchmarks/evidence/change_coverage.py.

    Args:
        before: of one sample, such as the internal test split.
        after: of the other, such as an external cohort.
    """
    if before.value is None or after.value is None:
        lacking = before if before.value is None else after
        return Change(None, reason=lacking.reason)
    value = after.value - before.value
    if before.low is None or before.high is None:
        return Change(value, reason=before.reason)
    if after.low is None or after.high is None:
        return Change(value, reason=after.reason)
    down = (after.value - after.low) ** 2 + (before.high - before.value) ** 2
    up = (after.high - after.value) ** 2 + (before.value - before.low) ** 2
    return Change(value, value - down**0.5, value + up**0.5)


def changes_of(before: UnitReport, after: UnitReport) -> dict[str, Change]:
    """Every score of one unit, those of the calls at the validation threshold.

    Args:
        before: of one sample.
        after: of the other.

    Returns:
        name -> change. DeLong's AUC is left out: it takes patches for independent.
    """
    pairs = {
        name: (one[name], other[name])
        for one, other in (
            (before.scores, after.scores),
            (before.at_threshold.scores, after.at_threshold.scores),
        )
        for name in one
        if name in other and name != "auc_delong"
    }
    return {name: change_of(*pair) for name, pair in pairs.items()}


def class_changes_of(
    before: ClassUnitReport, after: ClassUnitReport
) -> dict[str, Change]:
    """Every score over all classes of one unit.

    Args:
        before: of one sample.
        after: of the other, with the same classes.
    """
    return {
        name: change_of(score, after.scores[name])
        for name, score in before.scores.items()
    }
