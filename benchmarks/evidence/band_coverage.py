"""Do the bands of a ROC curve hold the true curve? By simulation.

    python -m benchmarks.evidence.band_coverage [--trials 300] [--draws 300] \\
        [--cases 20 54]

Patches as in ``benchmarks.evidence.coverage``; the true curve is binormal. Point by
point a 95 % band should hold it in 93 to 97 % of trials, a share that 300 trials tell
to within 2.5 points.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm

from benchmarks.evidence.coverage import DISTANCES, SEED, draw_sample
from gastric_keras.statistics.bands import PLACES, roc_band
from gastric_keras.statistics.draws import Draws
from gastric_keras.support.text import text_table

#: False-positive rates at which the band is asked.
RATES = (0.05, 0.1, 0.2, 0.5)


def coverage(cases: int, distance: float, *, trials: int, draws: int) -> list[float]:
    """Share of trials whose band holds the true sensitivity, at each of RATES.

    Args:
        cases: of each trial.
        distance: of the classes' means, in units of the spread of a patch.
        trials: how many.
        draws: of each bootstrap.
    """
    truth = norm.cdf(distance + norm.ppf(RATES))
    places = np.rint(np.multiply(RATES, PLACES - 1)).astype(int)
    inside = []
    for trial in range(trials):
        sample = draw_sample(
            np.random.default_rng([SEED, cases, trial]), cases, distance
        )
        band = roc_band(
            sample.label,
            sample.score,
            sample.case.astype(str),
            Draws(draws, seed=trial),
        )
        if band is not None:
            inside.append((band.low[places] <= truth) & (truth <= band.high[places]))
    return [float(share) for share in np.mean(inside, axis=0)]


def print_shares(
    title: str,
    coverage: Callable[..., list[float]],
    places: Sequence[float],
    *,
    description: str,
) -> None:
    """The command of a benchmark of one curve: a row for each number of cases and AUC.

    Args:
        title: what covers what, of the line above the table.
        coverage: (cases, distance, trials=, draws=) to the shares of trials at the
            places of the curve.
        places: the heads of their columns.
        description: for --help.
    """
    parser = argparse.ArgumentParser(description=description.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--cases", type=int, nargs="+", default=[20, 54])
    args = parser.parse_args()
    rows = []
    for cases in args.cases:
        for distance in DISTANCES:
            found = coverage(cases, distance, trials=args.trials, draws=args.draws)
            auc = norm.cdf(distance / 2**0.5)
            shares = [f"{100 * share:.1f}" for share in found]
            rows.append([str(cases), f"{auc:.2f}", *shares])
    print(f"{title}, %; {args.trials} trials, seed {SEED}.")
    print(text_table(["cases", "AUC", *(f"at {place:g}" for place in places)], rows))


def main() -> None:
    """Print one table."""
    print_shares(
        "Coverage of 95 % bands of ROC curves", coverage, RATES, description=__doc__
    )


if __name__ == "__main__":
    main()
