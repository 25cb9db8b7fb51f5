"""How often do the intervals of several classes cover the truth? By simulation.

    python -m benchmarks.evidence.class_coverage [--trials 400] [--draws 300]

Four classes are steps of a ladder. The place of a patch on it is that of its class,
plus what is common to the patches of its case, plus its own part (half of the variance
each); every case is of one class, with 1 + Poisson(5) patches, and each class has two
cases or more. A class's probability falls with the squared distance to its step, and is
stated 1.8 times too surely. The truth of each score is that of 50,000 drawn alike.

Pooled folds: cases of ten patches with ten features, the ladder along the first; five
folds dealt as ``data_prep folds`` does, a logistic regression on the training part of
each. The truth is the mean score of *these* five classifiers on 1,000 new cases. Aim:
95 % intervals hold the truth in 93 to 97 % of trials. A share p of n trials is itself
known to ``± 2·sqrt(p·(1 - p)/n)``. Cost: minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from data_prep.sets.splits import deal_folds
from gastric_keras.statistics.bootstrap import Score
from gastric_keras.statistics.class_cases import class_means
from gastric_keras.statistics.class_report import KAPPA, whole_scores
from gastric_keras.statistics.class_scores import multiclass_scores
from gastric_keras.statistics.draws import Draws
from gastric_keras.support.files import write_json
from gastric_keras.support.text import text_table

OUT = Path("docs/results/class_coverage.json")
SEED, CLASSES, OVERSURE = 20260101, 4, 1.8
SCORES = ("auc", KAPPA, "accuracy")
#: Between two steps -> macro AUC of the patches, about.
DISTANCES = (1.0, 2.0)
SIZES = (24, 54, 120)
FOLDS, PATCHES, FEATURES, NEW_CASES, BETWEEN_CASES = 5, 10, 10, 1000, 0.7

#: name -> score, of patches ("patch") or cases ("case").
_Found = dict[tuple[str, str], Score]
_Truth = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Coverage:
    """One row of the table.

    Attributes:
        design: one network, or pooled folds.
        cases: of a trial.
        unit: patch or case.
        score: its name.
        truth: mean over the trials.
        gap: mean of the score less its truth.
        covered: share of the intervals that hold the truth.
        intervals: trials that had an interval.
        width: mean.
    """

    design: str
    cases: int
    unit: str
    score: str
    truth: float
    gap: float
    covered: float
    intervals: int
    width: float


@dataclass(frozen=True)
class Sample:
    """(n,) label and case, (n, classes) probability of simulated patches."""

    label: np.ndarray
    case: np.ndarray
    probability: np.ndarray


def draw_classes(rng: np.random.Generator, cases: int) -> np.ndarray:
    """(cases,) class of each, each class twice or more."""
    while True:
        kind = rng.integers(0, CLASSES, cases)
        if np.bincount(kind, minlength=CLASSES).min() >= 2:
            return kind


def draw_sample(rng: np.random.Generator, cases: int, distance: float) -> Sample:
    """Patches of one trial.

    Args:
        rng: of the trial.
        cases: how many.
        distance: between two steps; case and patch have variance 0.5 each.
    """
    kind = draw_classes(rng, cases)
    case = np.repeat(np.arange(cases), 1 + rng.poisson(5, cases))
    noise = rng.normal(0, 0.5**0.5, cases)[case] + rng.normal(0, 0.5**0.5, case.size)
    place = distance * kind[case] + noise
    logit = -OVERSURE * (place[:, None] - distance * np.arange(CLASSES)) ** 2 / 2
    return Sample(kind[case], case, _softmax(logit))


def _softmax(logit: np.ndarray) -> np.ndarray:
    power = np.exp(logit - logit.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def _of_cases(sample: Sample) -> Sample:
    """Mean probabilities of each case, which is of one class."""
    _, first = np.unique(sample.case, return_index=True)
    means = class_means(sample.probability, sample.case)
    return Sample(sample.label[first], sample.case[first], means)


def true_scores(sample: Sample) -> _Truth:
    """The scores of many cases."""
    found = {}
    for unit, part in (("patch", sample), ("case", _of_cases(sample))):
        every = np.ones((1, part.label.size))
        scores = multiclass_scores(part.label, part.probability, every)
        found |= {(unit, name): float(scores[name][0]) for name in SCORES}
    return found


def intervals(sample: Sample, draws: Draws) -> _Found:
    """The intervals that the report of a run prints."""
    found = {}
    for unit, part in (("patch", sample), ("case", _of_cases(sample))):
        names = np.array([f"case{number:05d}" for number in part.case])
        p = part.probability
        scores = whole_scores(part.label, p, p, names, draws=draws)
        found |= {(unit, name): scores[name] for name in SCORES}
    return found


def try_folds(rng: np.random.Generator, cases: int, draws: Draws) -> tuple:
    """Pooled intervals of one trial, and the mean truth of its classifiers."""
    features, label, case = _draw_features(rng, draw_classes(rng, cases))
    counts = {
        f"case{i:04d}": Counter({int(label[PATCHES * i]): PATCHES})
        for i in range(cases)
    }
    dealt = deal_folds(counts, folds=FOLDS, num_classes=CLASSES, seed=draws.seed)
    fold = np.array([dealt[f"case{number:04d}"] for number in case])
    new, new_label, new_case = _draw_features(rng, draw_classes(rng, NEW_CASES))
    probability, truths = np.zeros((label.size, CLASSES)), []
    for number in range(FOLDS):
        held = np.isin(fold, (number, (number + 1) % FOLDS))
        model = LogisticRegression(C=1.0).fit(features[~held], label[~held])
        is_test = fold == number
        # A class without a training case has no column: its probability is 0.
        columns = model.classes_
        probability[np.ix_(is_test, columns)] = model.predict_proba(features[is_test])
        on_new = np.zeros((new_label.size, CLASSES))
        on_new[:, columns] = model.predict_proba(new)
        truths.append(true_scores(Sample(new_label, new_case, on_new)))
    mean = {key: float(np.mean([each[key] for each in truths])) for key in truths[0]}
    return intervals(Sample(label, case, probability), draws), mean


def _draw_features(
    rng: np.random.Generator, kind: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 10), label (n,) and case (n,) of cases of these classes."""
    case = np.repeat(np.arange(kind.size), PATCHES)
    features = rng.normal(0, 1, (case.size, FEATURES))
    features += rng.normal(0, BETWEEN_CASES, (kind.size, FEATURES))[case]
    features[:, 0] += DISTANCES[1] * kind[case]
    return features, kind[case], case


def count(
    design: str, cases: int, trials: Iterable[tuple[_Found, _Truth]]
) -> list[Coverage]:
    """One row a unit and score, over the trials that had an interval."""
    held = list(trials)
    rows = []
    for unit, name in held[0][1]:
        ends = np.array(
            [
                (score.value, score.low, score.high, truth[unit, name])
                for found, truth in held
                if (score := found[unit, name]).low is not None
            ]
        )
        if not len(ends):
            continue
        value, low, high, true = ends.astype(float).T
        rows.append(
            Coverage(
                design,
                cases,
                unit,
                name,
                truth=float(true.mean()),
                gap=float((value - true).mean()),
                covered=float(((low <= true) & (true <= high)).mean()),
                intervals=len(ends),
                width=float((high - low).mean()),
            )
        )
    return rows


def measure(*, trials: int, draws: int) -> list[Coverage]:
    """Every row: one network at two distances, then pooled folds."""
    rows = []
    for distance in DISTANCES:
        many = draw_sample(np.random.default_rng(SEED), 50_000, distance)
        truth = true_scores(many)
        for cases in SIZES:
            found = []
            for trial in range(trials):
                rng = np.random.default_rng([SEED, cases, trial])
                sample = draw_sample(rng, cases, distance)
                found.append((intervals(sample, Draws(draws, seed=trial)), truth))
            rows += count(f"one network, {distance:g} apart", cases, found)
    for cases in SIZES:
        pooled = [
            try_folds(
                np.random.default_rng([SEED + 1, cases, trial]),
                cases,
                Draws(draws, seed=trial),
            )
            for trial in range(trials)
        ]
        rows += count("five folds, pooled", cases, pooled)
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = measure(trials=options.trials, draws=options.draws)
    settings = {"trials": options.trials, "draws": options.draws}
    write_json(options.out, settings | {"rows": [asdict(row) for row in rows]})
    header = ["design", "cases", "unit", "score", "truth", "gap", "covers", "width"]
    print(text_table(header, [_cells(row) for row in rows]))
    print("\n* outside 93 to 97 %.")


def _cells(row: Coverage) -> list[str]:
    mark = "" if 0.93 <= row.covered <= 0.97 else " *"
    return [
        row.design,
        str(row.cases),
        row.unit,
        row.score,
        f"{row.truth:.3f}",
        f"{row.gap:+.3f}",
        f"{row.covered:.1%}{mark}",
        f"{row.width:.3f}",
    ]


if __name__ == "__main__":
    main()
