"""Does the drop against an external cohort lie in its interval? By simulation.

    python -m benchmarks.evidence.change_coverage [--trials 600] [--draws 400]

Patches as of ``coverage``: an internal test of AUC 0.96, a cohort of AUC 0.80 or 0.96,
of few or of more cases; the intervals of both are joined (``independent.change_of``).
The second table asks how often two samples of one hospital lie farther apart than
their distance should by chance (``drift.score_drift``). Aims: 93 to 97 %, and 3.5 to
6.5 %.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from benchmarks.evidence.coverage import SEED, Sample, draw_sample, true_scores
from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.drift import score_drift
from gastric_keras.statistics.independent import change_of
from gastric_keras.support.text import text_table

#: Distance of the classes of the internal test: AUC 0.96.
INTERNAL = 2.4
#: Cases of the internal test, of the cohort, and distance of its classes.
SETTINGS = ((54, 20, 1.2), (54, 54, 1.2), (20, 20, 1.2), (54, 20, 2.4), (20, 54, 2.4))


def change_coverage(
    cases: tuple[int, int], distance: float, *, trials: int, draws: int
) -> dict[str, float]:
    """Share of trials whose interval holds the true change, by score.

    Args:
        cases: of the internal test and of the cohort.
        distance: of the cohort's classes.
        trials: how many.
        draws: of each bootstrap.
    """
    before, after = true_scores(INTERNAL), true_scores(distance)
    hits: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for trial in range(trials):
        rng = np.random.default_rng([SEED, *cases, trial])
        samples = (
            draw_sample(rng, cases[0], INTERNAL),
            draw_sample(rng, cases[1], distance),
        )
        settings = Draws(draws, seed=trial)
        one, other = (
            cluster_bootstrap(s.label, s.score, s.case, draws=settings) for s in samples
        )
        for name in one:
            change = change_of(one[name], other[name])
            if change.low is not None and change.high is not None:
                known[name] += 1
                truth = after[name] - before[name]
                hits[name] += change.low <= truth <= change.high
    return {name: hits[name] / known[name] for name in known}


def false_alarms(
    cases: tuple[int, int], *, trials: int, draws: int
) -> dict[str, float]:
    """Share of trials in which two samples of one hospital lie too far apart.

    Args:
        cases: of the internal test and of the cohort.
        trials: how many.
        draws: deals of the cases.
    """
    beyond: Counter[str] = Counter()
    for trial in range(trials):
        rng = np.random.default_rng([SEED, 7, *cases, trial])
        sides = [_positives(draw_sample(rng, count, INTERNAL)) for count in cases]
        found = score_drift("malignant", *sides, Draws(draws, seed=trial))
        for name in ("ks", "wasserstein"):
            distance = getattr(found, name)
            limit = distance.by_chance
            beyond[name] += limit is not None and distance.value > limit
    return {name: count / trials for name, count in beyond.items()}


def _positives(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    mine = sample.label == 1
    return sample.score[mine], sample.case[mine]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--draws", type=int, default=400)
    args = parser.parse_args()
    start = time.perf_counter()
    rows: dict[str, list[str]] = {}
    for *cases, distance in SETTINGS:
        pair = int(cases[0]), int(cases[1])
        found = change_coverage(pair, distance, trials=args.trials, draws=args.draws)
        for name, share in found.items():
            rows.setdefault(name, []).append(f"{100 * share:.1f}")
    auc = {1.2: "0.80", 2.4: "0.96"}
    columns = [f"{one} → {other}, {auc[d]}" for one, other, d in SETTINGS]
    print(f"Coverage of 95 % intervals of the change, %; {args.trials} trials each.")
    print(text_table(["score", *columns], [[n, *cells] for n, cells in rows.items()]))
    print("\nFarther apart than by chance, %, of one hospital:")
    for pair in ((54, 20), (54, 54)):
        found = false_alarms(pair, trials=args.trials, draws=args.draws)
        print(pair, {name: f"{100 * share:.1f}" for name, share in found.items()})
    print(f"\nSeed {SEED}; {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
