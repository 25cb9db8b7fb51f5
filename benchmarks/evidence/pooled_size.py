"""Does the pooled verdict keep its level where networks have unequal seeds?

    python -m benchmarks.evidence.pooled_size [--trials 1000] [--jobs 2]

Twelve settings as in the paper's tables: three networks, two subsets, two mid-level
sets, each against the one-stage run of its network, subset and seed. Under the null all
paths train to the same expected quality. Random are: what a network and what a path
makes of a case, what one training makes of it, how well one training went, and how well
a draw of the labels (one a seed and subset, common to all networks) suits each path.

Where a setting has several seeds the verdict holds for other trainings too: at 5 % it
must reject in 3.5 to 6.5 % of trials. With one seed everywhere the verdict is "in these
trainings" only; its share shows what it would be worth without those words. A share p
of n trials is itself known to ``± 2·sqrt(p·(1 - p)/n)``.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from benchmarks.evidence.coverage import ALPHA, SEED, draw_cases
from gastric_keras.statistics.bootstrap import rarer_cases
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import PooledDifference, pool_differences
from gastric_keras.support.files import write_json
from gastric_keras.support.text import text_table

SUBSETS, MIDS = 2, 2
AIM = (0.035, 0.065)
OUT = Path("docs/results/pooled_size.json")


@dataclass(frozen=True)
class Scene:
    """One column of the table.

    Attributes:
        seeds: of each network.
        spread: standard deviation between trainings, in the distance of the classes.
        cases: of the test split.
    """

    seeds: tuple[int, ...]
    spread: float
    cases: int = 54


SCENES = tuple(
    Scene(seeds, spread)
    for seeds in ((1, 1, 1), (5, 1, 1), (5, 5, 1), (5, 5, 5))
    for spread in (0.15, 0.3)
)


@dataclass(frozen=True)
class NullGrid:
    """Runs of every path of a grid, all equally good, on the same patches.

    Attributes:
        label: (n,) 0 or 1.
        case: (n,) index.
        scores: (runs, n) logit.
        pairs: run of one stage, run of two.
        settings: of each pair.
        seeds: of each pair.
    """

    label: np.ndarray
    case: np.ndarray
    scores: np.ndarray
    pairs: list[tuple[int, int]]
    settings: list[str]
    seeds: list[str]


def draw_grid(rng: np.random.Generator, scene: Scene) -> NullGrid:
    """Runs without a difference between their paths.

    Args:
        rng: of the trial.
        scene: networks with their seeds, spread and cases.
    """
    _, case, label = draw_cases(rng, scene.cases)
    common = rng.normal(0, 0.6, scene.cases)
    suits = rng.normal(0, scene.spread / 2, (max(scene.seeds), SUBSETS, 1 + MIDS))
    found = NullGrid(label, case, np.empty(0), [], [], [])
    scores = []
    for network, count in enumerate(scene.seeds):
        of_network = common + rng.normal(0, 0.3, scene.cases)
        for subset in range(SUBSETS):
            of_path = of_network + rng.normal(0, 0.3, (1 + MIDS, scene.cases))
            for seed, path in np.ndindex(count, 1 + MIDS):
                of_case = of_path[path] + rng.normal(0, 0.3, scene.cases)
                distance = 1.6 + suits[seed, subset, path]
                distance += rng.normal(0, scene.spread)
                own = rng.normal(0, 0.5, label.size)
                scores.append(distance * (label - 0.5) + of_case[case] + own)
                if path:
                    found.pairs.append((len(scores) - 1 - path, len(scores) - 1))
                    found.settings.append(f"{network}/{subset}/{path}")
                    found.seeds.append(f"{seed}")
    return NullGrid(
        label, case, np.stack(scores), found.pairs, found.settings, found.seeds
    )


def pooled(grid: NullGrid, draws: Draws) -> PooledDifference:
    """What ``compare`` would find for all networks.

    Args:
        grid: of one trial.
        draws: of the bootstrap.
    """
    one, two = (list(each) for each in zip(*grid.pairs, strict=True))
    drawn = case_auc_draws(grid, draws)
    return pool_differences(
        drawn[two, 0] - drawn[one, 0],
        drawn[two, 1:] - drawn[one, 1:],
        setting=grid.settings,
        replicate=grid.seeds,
        cases=rarer_cases(grid.label, grid.case),
        base=one,
        draws=draws,
    )


def case_auc_draws(grid: NullGrid, draws: Draws) -> np.ndarray:
    """AUC of each run, of all cases and then of draws of them.

    As ``auc_draws``, but a hundred times as fast where each case is of one class: the
    wins between any two cases are counted once for all draws.

    Args:
        grid: cases with one class each.
        draws: how many, and from which seed.

    Returns:
        (runs, 1 + draws) float64, NaN where a draw holds one class only.
    """
    order = np.lexsort((grid.case, -grid.label))
    case, is_positive = grid.case[order], grid.label[order] == 1
    starts = np.flatnonzero(np.diff(case, prepend=-1))
    patches = np.diff(np.append(starts, case.size))
    count = int(is_positive[starts].sum())
    rng = np.random.default_rng(draws.seed)
    even = np.full(starts.size, 1 / starts.size)
    times = rng.multinomial(starts.size, even, draws.draws)
    times = np.vstack([np.ones((1, starts.size)), times])
    positive, negative = times[:, :count], times[:, count:]
    pairs = (positive @ patches[:count]) * (negative @ patches[count:])
    found = np.empty((len(grid.scores), len(times)))
    for score, row in zip(grid.scores[:, order], found, strict=True):
        first, second = score[is_positive], score[~is_positive]
        wins = (first[:, None] > second) + 0.5 * (first[:, None] == second)
        wins = np.add.reduceat(wins, starts[:count], axis=0)
        wins = np.add.reduceat(wins, starts[count:] - starts[count], axis=1)
        with np.errstate(invalid="ignore"):
            row[:] = ((positive @ wins) * negative).sum(axis=1) / pairs
    return found


def rejects(scene: Scene, trial: int, *, draws: int) -> bool:
    """Whether the pooled test finds a difference that is not there.

    Args:
        scene: of the trial.
        trial: number, the seed of its own.
        draws: of the bootstrap.
    """
    stream = [SEED, *scene.seeds, round(100 * scene.spread), scene.cases, trial]
    rng = np.random.default_rng(stream)
    grid = draw_grid(rng, scene)
    found = pooled(grid, Draws(draws, seed=int(rng.integers(1 << 30))))
    return found.p_value is not None and found.p_value < ALPHA


def main() -> None:
    """Write the shares as JSON and print their table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    start = time.perf_counter()
    rejected: Counter[Scene] = Counter()
    with Parallel(args.jobs) as pool:
        for scene in SCENES:
            found = pool(
                delayed(rejects)(scene, trial, draws=args.draws)
                for trial in range(args.trials)
            )
            rejected[scene] = sum(found)
    rows, results = [], []
    for scene in SCENES:
        share = rejected[scene] / args.trials
        is_qualified = max(scene.seeds) == 1
        is_aimed = is_qualified or AIM[0] <= share <= AIM[1]
        seeds = ", ".join(map(str, scene.seeds))
        verdict = "in these trainings" if is_qualified else "unqualified"
        mark = "" if is_aimed else " *"
        rows.append([seeds, f"{scene.spread:g}", verdict, f"{100 * share:.1f}{mark}"])
        results.append(
            asdict(scene) | {"is_qualified": is_qualified, "rejected": share}
        )
    header = ["seeds of the networks", "spread", "verdict", "rejections, %"]
    print(text_table(header, rows))
    print(f"\n* outside the aim. {time.perf_counter() - start:.0f} s.")
    settings = {"trials": args.trials, "draws": args.draws, "seed": SEED}
    write_json(args.out, settings | {"aim": AIM, "scenes": results})


if __name__ == "__main__":
    main()
