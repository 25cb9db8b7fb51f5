"""Do the intervals hold what they promise, and the tests too? By simulation.

    python -m benchmarks.evidence.coverage [--trials 600] [--draws 400] [--cases 20 54]

Patches lie in cases: the logit of a patch is its class's mean, plus what is common to
the patches of its case, plus its own part (half of the variance each); every case is of
one class, drawn with even odds, with 1 + Poisson(5) patches; probabilities are stated
1.8 times too surely. The truth of each score is that of 300,000 patches drawn alike.
Under the null two paths train to the same expected quality: what a path makes of a
case, what a single training makes of it, and how well that training went are random.
Aims: 95 % intervals hold the truth in 93 to 97 % of trials, tests at 5 % reject in 3.5
to 6.5 %. A share p of n trials is itself known to ``± 2·sqrt(p·(1 - p)/n)``.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from gastric_keras.statistics.bootstrap import auc_draws, cluster_bootstrap, rarer_cases
from gastric_keras.statistics.delong import auc_interval, pooled_auc_test
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.mcnemar import mcnemar_test
from gastric_keras.statistics.paired import pool_differences
from gastric_keras.statistics.scores import (
    calibration_scores,
    ranking_scores,
    threshold_scores,
)
from gastric_keras.support.text import text_table

SEED = 20260101
ALPHA = 0.05
#: Distance of the two classes -> AUC 0.80 and 0.96 of the patches.
DISTANCES = (1.2, 2.4)
#: Trainings, and standard deviation of how well one went (in the distance).
TRAININGS = ((1, 0.0), (3, 0.15), (5, 0.0), (5, 0.15))


@dataclass(frozen=True)
class Sample:
    """(n,) label, case and probability of simulated patches."""

    label: np.ndarray
    case: np.ndarray
    score: np.ndarray


def draw_cases(
    rng: np.random.Generator, cases: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class of each case, (n,) case of each patch, (n,) label; two of a class or more.

    Args:
        rng: of the trial.
        cases: how many.
    """
    kind = rng.integers(0, 2, cases)
    while min(kind.sum(), cases - kind.sum()) < 2:
        kind = rng.integers(0, 2, cases)
    case = np.repeat(np.arange(cases), 1 + rng.poisson(5, cases))
    return kind, case, kind[case]


def draw_sample(rng: np.random.Generator, cases: int, distance: float) -> Sample:
    """Patches of one trial.

    Args:
        rng: of the trial.
        cases: how many.
        distance: of the classes' means; case and patch have variance 0.5 each.
    """
    _, case, label = draw_cases(rng, cases)
    noise = rng.normal(0, 0.5**0.5, cases)[case] + rng.normal(0, 0.5**0.5, case.size)
    return Sample(
        label, case, expit(1.8 * distance * (distance * (label - 0.5) + noise))
    )


def true_scores(distance: float) -> dict[str, float]:
    """The scores that the intervals should hold."""
    sample = draw_sample(np.random.default_rng(SEED), 50_000, distance)
    every = np.ones((1, sample.label.size))
    found = {
        **ranking_scores(sample.label, sample.score, every),
        **calibration_scores(sample.label, sample.score, every),
        **threshold_scores(sample.label, sample.score, 0.5, every),
    }
    return {name: float(value[0]) for name, value in found.items()}


def coverage(
    cases: int, distance: float, *, trials: int, draws: int
) -> dict[str, float]:
    """Share of trials whose interval holds the truth, by score.

    Args:
        cases: of each trial.
        distance: of the classes.
        trials: how many.
        draws: of each bootstrap.

    Returns:
        name -> share of the trials that had an interval; "DeLong on patches" is of
        the AUC.
    """
    truth = true_scores(distance)
    hits: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for rng in _generators(trials, cases):
        s = draw_sample(rng, cases, distance)
        settings = Draws(draws, seed=int(rng.integers(1 << 30)))
        found = cluster_bootstrap(s.label, s.score, s.case, draws=settings)
        for name, score in found.items():
            if score.low is not None:
                known[name] += 1
                hits[name] += score.low <= truth[name] <= score.high
        _, low, high = auc_interval(s.label, s.score)
        known["DeLong on patches"] += 1
        hits["DeLong on patches"] += low <= truth["auc"] <= high
    return {name: hits[name] / known[name] for name in known}


@dataclass(frozen=True)
class NullRuns:
    """Runs of two paths that are equally good, on the same patches.

    Attributes:
        label: (n,) 0 or 1.
        case: (n,) index.
        score: (2, trainings, n) logit.
    """

    label: np.ndarray
    case: np.ndarray
    score: np.ndarray


def draw_null(
    rng: np.random.Generator, cases: int, trainings: int, spread: float
) -> NullRuns:
    """Two paths without a difference.

    Args:
        rng: of the trial.
        cases: how many.
        trainings: of each path.
        spread: standard deviation of the distance between trainings.
    """
    _, case, label = draw_cases(rng, cases)
    common = rng.normal(0, 0.6, cases)
    score = np.empty((2, trainings, case.size))
    for path in score:
        of_path = common + rng.normal(0, 0.4, cases)
        for training in path:
            of_case = of_path + rng.normal(0, 0.3, cases)
            distance = 1.6 + rng.normal(0, spread)
            own = rng.normal(0, 0.5, case.size)
            training[:] = distance * (label - 0.5) + of_case[case] + own
    return NullRuns(label, case, score)


def size(
    cases: int, trainings: int, spread: float, *, trials: int, draws: int
) -> dict[str, float]:
    """Share of trials in which each test at 5 % finds a difference that is not there.

    Args:
        cases: of each trial.
        trainings: of each path.
        spread: of the trainings.
        trials: how many.
        draws: of each bootstrap.

    Returns:
        name of the test -> share.
    """
    rejected: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for rng in _generators(trials, cases + 1000 * trainings):
        runs = draw_null(rng, cases, trainings, spread)
        settings = Draws(draws, seed=int(rng.integers(1 << 30)))
        for name, p_value in p_values(runs, settings).items():
            if p_value is not None:
                known[name] += 1
                rejected[name] += p_value < ALPHA
    return {name: rejected[name] / known[name] for name in known}


def p_values(runs: NullRuns, draws: Draws) -> dict[str, float | None]:
    """Each test's p value.

    Args:
        runs: of one trial.
        draws: of the bootstrap.
    """
    one, two = runs.score
    flat = runs.score.reshape(-1, runs.label.size)
    drawn = auc_draws(runs.label, flat, runs.case, draws)
    every = np.ones((1, runs.label.size))
    auc = np.array([ranking_scores(runs.label, s, every)["auc"][0] for s in flat])
    count = len(one)
    pooled = pool_differences(
        auc[count:] - auc[:count],
        drawn[count:] - drawn[:count],
        setting=["a"] * count,
        replicate=[str(i) for i in range(count)],
        cases=rarer_cases(runs.label, runs.case),
        draws=draws,
    )
    is_right = (runs.score > 0) == (runs.label == 1)
    calls = mcnemar_test(is_right[0, 0], is_right[1, 0], runs.case)
    return {
        "AUC, cases and seeds drawn": pooled.p_value,
        "AUC, DeLong on patches": pooled_auc_test(runs.label, one, two).p_value,
        "ACC of the first, McNemar by case": calls.p_clustered,
        "ACC of the first, McNemar on patches": calls.p_value,
    }


def _generators(trials: int, stream: int) -> Iterator[np.random.Generator]:
    for trial in range(trials):
        yield np.random.default_rng([SEED, stream, trial])


def _percent(share: float, low: float, high: float) -> str:
    mark = "" if low <= share <= high else " *"
    return f"{100 * share:.1f}{mark}"


def print_coverage(cases: list[int], *, trials: int, draws: int) -> None:
    """The table of coverage."""
    columns, rows = [], {}
    for count in cases:
        for distance in DISTANCES:
            found = coverage(count, distance, trials=trials, draws=draws)
            columns.append(f"{count}, {norm.cdf(distance / 2**0.5):.2f}")
            for name, share in found.items():
                rows.setdefault(name, []).append(_percent(share, 0.93, 0.97))
    print(f"\nCoverage of 95 % intervals, %, by cases and AUC; {trials} trials each.")
    print(text_table(["score", *columns], [[n, *cells] for n, cells in rows.items()]))


def print_size(cases: list[int], *, trials: int, draws: int) -> None:
    """The table of sizes."""
    columns, rows = [], {}
    for count in cases:
        for trainings, spread in TRAININGS:
            found = size(count, trainings, spread, trials=trials, draws=draws)
            columns.append(f"{count}, {trainings}×{spread:g}")
            for name, share in found.items():
                rows.setdefault(name, []).append(_percent(share, 0.035, 0.065))
    print(
        "\nRejections of a true null at 5 %, %, by cases and trainings × spread; "
        f"{trials} trials each. DeLong and McNemar take the trainings for fixed."
    )
    print(text_table(["test", *columns], [[n, *cells] for n, cells in rows.items()]))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=600)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--cases", type=int, nargs="+", default=[20, 54])
    args = parser.parse_args()
    start = time.perf_counter()
    print_coverage(args.cases, trials=args.trials, draws=args.draws)
    print_size(args.cases, trials=args.trials, draws=args.draws)
    print(f"\n* outside the aim. Seed {SEED}; {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
