"""Do the intervals of a referral curve hold the true accuracy? By simulation.

    python -m benchmarks.evidence.referral_coverage [--trials 300] [--draws 300] \\
        [--cases 20 54]

Patches as in ``benchmarks.evidence.coverage``, called at 0.5; the true curve is that of
fifty thousand cases. A 95 % interval should hold it in 93 to 97 % of trials, a share
that 300 trials tell to within 2.5 points.
"""

from __future__ import annotations

import numpy as np

from benchmarks.evidence.band_coverage import print_shares
from benchmarks.evidence.coverage import SEED, Sample, draw_sample
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.referral import (
    SHARES,
    ReferralCurve,
    binary_entropy,
    referral_curve,
)

#: Shares referred at which the interval is asked.
ASKED = (0.0, 0.1, 0.2, 0.5)
#: Cases that stand for the population.
POPULATION = 50_000


def curve_of(sample: Sample, draws: Draws) -> ReferralCurve:
    """Entropy refers; calls are made halfway between the classes."""
    return referral_curve(
        sample.label,
        sample.score,
        sample.case.astype(str),
        doubt=binary_entropy(sample.score),
        threshold=0.5,
        draws=draws,
    )


def coverage(cases: int, distance: float, *, trials: int, draws: int) -> list[float]:
    """Share of trials whose interval holds the true accuracy, at each of ASKED.

    Args:
        cases: of each trial.
        distance: of the classes' means, in units of the spread of a patch.
        trials: how many.
        draws: of each bootstrap.
    """
    places = [SHARES.index(share) for share in ASKED]
    rng = np.random.default_rng(SEED)
    many = curve_of(draw_sample(rng, POPULATION, distance), Draws(100))
    truth = np.array(many.accuracy)[places]
    inside = []
    for trial in range(trials):
        rng = np.random.default_rng([SEED, cases, trial])
        sample = draw_sample(rng, cases, distance)
        found = curve_of(sample, Draws(draws, seed=trial))
        low, high = np.array(found.low)[places], np.array(found.high)[places]
        inside.append((low <= truth) & (truth <= high))
    return [float(share) for share in np.mean(inside, axis=0)]


def main() -> None:
    """Print one table."""
    print_shares(
        "Coverage of 95 % intervals of referral curves",
        coverage,
        ASKED,
        description=__doc__,
    )


if __name__ == "__main__":
    main()
