"""How often do the intervals of a cross-validation cover the truth?

    python -m benchmarks.evidence.crossval_coverage [--trials 400] [--jobs 2]

Each trial draws cases of ten patches with ten features, deals them to five folds as
``data_prep folds`` does, fits a logistic regression on the training part of each, pools
the test probabilities and takes the 95 % interval that ``--stage crossval`` prints. Two
truths are asked for: the mean AUC of *these* five classifiers on new cases, which the
interval is about; and the mean over all trials, that is, of the procedure with any
cases, which a reader may take it for. "gap" is the pooled AUC less the first truth. A
share p of n trials is itself known to ``± 2·sqrt(p·(1 - p)/n)``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from data_prep.sets.splits import deal_folds
from gastric_keras.statistics.bootstrap import cluster_bootstrap
from gastric_keras.statistics.draws import Draws
from gastric_keras.support.files import write_json
from gastric_keras.support.text import text_table

OUT = Path("docs/results/crossval_coverage.json")
FOLDS, PATCHES, FEATURES, NEW_CASES = 5, 10, 10, 1000
DISTANCE, BETWEEN_CASES = 1.8, 0.7
SIZES = (20, 40, 80, 160)


@dataclass(frozen=True)
class Coverage:
    """One row of the table.

    Attributes:
        cases: of the cross-validation.
        auc: mean true AUC of the classifiers.
        gap: mean of pooled AUC less true AUC.
        of_these: share of intervals that cover the AUC of their own classifiers.
        of_any: share that cover the mean AUC over all trials.
        width: mean.
    """

    cases: int
    auc: float
    gap: float
    of_these: float
    of_any: float
    width: float


def draw(
    rng: np.random.Generator, cases: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, 10), label (n,) and case (n,) of new cases, half of each class."""
    case = np.repeat(np.arange(cases), PATCHES)
    label = case % 2
    features = rng.normal(0, 1, (case.size, FEATURES))
    features += rng.normal(0, BETWEEN_CASES, (cases, FEATURES))[case]
    features[:, 0] += DISTANCE * label
    return features, label, case


def try_once(cases: int, seed: int) -> tuple[float, float, float, float]:
    """Pooled AUC, both ends of its interval, and the true AUC of its classifiers."""
    rng = np.random.default_rng([seed, cases])
    features, label, case = draw(rng, cases)
    names = np.array([f"case{number:04d}" for number in case])
    counts = {f"case{i:04d}": Counter({i % 2: PATCHES}) for i in range(cases)}
    dealt = deal_folds(counts, folds=FOLDS, num_classes=2, seed=seed)
    fold = np.array([dealt[name] for name in names])
    new_features, new_label, _ = draw(rng, NEW_CASES)
    score, truths = np.zeros(label.size), []
    for number in range(FOLDS):
        held = np.isin(fold, (number, (number + 1) % FOLDS))
        model = LogisticRegression(C=1.0).fit(features[~held], label[~held])
        is_test = fold == number
        score[is_test] = model.predict_proba(features[is_test])[:, 1]
        truths.append(roc_auc_score(new_label, model.decision_function(new_features)))
    found = cluster_bootstrap(label, score, names, draws=Draws(500, 0.95, seed))["auc"]
    assert found.value is not None and found.low is not None and found.high is not None
    return found.value, found.low, found.high, float(np.mean(truths))


def measure(cases: int, *, trials: int, jobs: int) -> Coverage:
    """One row."""
    found = Parallel(jobs)(delayed(try_once)(cases, seed) for seed in range(trials))
    value, low, high, truth = np.array(found).T
    mean = truth.mean()
    return Coverage(
        cases=cases,
        auc=float(mean),
        gap=float((value - truth).mean()),
        of_these=float(((low <= truth) & (truth <= high)).mean()),
        of_any=float(((low <= mean) & (mean <= high)).mean()),
        width=float((high - low).mean()),
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows = [measure(cases, trials=options.trials, jobs=options.jobs) for cases in SIZES]
    write_json(OUT, {"trials": options.trials, "rows": [asdict(row) for row in rows]})
    header = ["cases", "true AUC", "gap", "covers these", "covers any", "width"]
    body = [
        [
            str(row.cases),
            f"{row.auc:.3f}",
            f"{row.gap:+.3f}",
            f"{row.of_these:.1%}",
            f"{row.of_any:.1%}",
            f"{row.width:.3f}",
        ]
        for row in rows
    ]
    print(text_table(header, body))


if __name__ == "__main__":
    main()
