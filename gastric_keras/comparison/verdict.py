"""The answer in words: helped, made it worse, too few to tell."""

from __future__ import annotations

from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.words import spell_p

#: Level of a test that is called significant.
LEVEL = 0.05


def spell_verdict(
    about: str, pooled: PooledDifference, p_value: float | None, cases: int
) -> str:
    """The answer in one or two sentences, with difference, interval and p value.

    Args:
        about: a network, or ``all networks``.
        pooled: two stages minus one.
        p_value: adjusted where there are several tests; None: not defined.
        cases: of the test split.
    """
    begin = f"{about}: "
    change = f"AUC {pooled.difference:+.3f}"
    if pooled.low is None or pooled.high is None or p_value is None:
        return begin + (
            f"too few test cases to tell. {change}, no interval: {pooled.reason}."
        )
    if pooled.high - pooled.low < 1e-9:
        return begin + (
            f"nothing to tell apart. {change} in every draw: on these {cases} test "
            "cases both rank the patches equally well, which does not show that they "
            "always do."
        )
    figures = (
        f"{change} (95 % interval {pooled.low:+.3f} to {pooled.high:+.3f}, "
        f"p {spell_p(p_value)})"
    )
    if p_value < LEVEL:
        answer = "helped" if pooled.difference > 0 else "made it worse"
        if _is_of_these_trainings(pooled):
            trainings = (
                "this one training" if pooled.settings == 1 else "these trainings"
            )
            return (
                f"{begin}the second stage {answer} in {trainings}. {figures}. "
                "Interval and p value cover the choice of test cases only: another "
                "seed may turn out otherwise."
            )
        return f"{begin}the second stage {answer}. {figures}.{_borrowed(pooled)}"
    half = (pooled.high - pooled.low) / 2
    few = "test cases and trainings" if pooled.borrowed else "test cases"
    return (
        f"{begin}too few {few} to tell. {figures}: with {cases} test cases a "
        f"difference within about ±{half:.3f} cannot be told from none."
        f"{_borrowed(pooled)}"
    )


def _is_of_these_trainings(pooled: PooledDifference) -> bool:
    """Whether nothing is known of what another training would give."""
    return pooled.seeds == 1 and not pooled.borrowed


def _borrowed(pooled: PooledDifference) -> str:
    if not pooled.borrowed:
        return ""
    return (
        f" {pooled.borrowed} of {pooled.settings} settings have one seed: they are "
        "taken to vary from seed to seed as the others do."
    )
