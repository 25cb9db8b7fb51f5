"""Checks of runs of earlier versions, which have no checksums.

``--stage evaluate`` records the SHA-256 of its files in done.json, and a file with a
matching checksum is trusted. A file without one is checked here: its figures must be
consistent, and predictions must give the AUC of the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import CALL_NAMES, RANKING_NAMES
from gastric_keras.runs.score_shapes import Scores
from gastric_keras.statistics.scores import ranking_scores
from gastric_keras.statistics.split_report import Report, Score, UnitReport
from gastric_keras.support.errors import InputError, require

#: Upper limit of plausible bootstrap draws.
_MOST_DRAWS = 1_000_000
_WAY_OUT = "Score the run again."


def check_predictions(
    found: Predictions, scores: Scores, split: str, *, path: str, way_out: str
) -> None:
    """Check that the scores of a split were computed from these predictions.

    Args:
        found: of the split.
        scores: of the run.
        split: validation or test.
        path: of the predictions.
        way_out: what to do if they are not.

    Raises:
        InputError: other patches, or another AUC.
    """
    report = scores.of_split(split)
    label, score = found.positives(scores.positive)
    held = {
        "classes": found.classes,
        "patches": label.size,
        "positives": int(label.sum()),
        "cases": len(set(found.case_id.tolist())),
    }
    require(
        list(held.values())
        == [scores.classes, report.n, report.positives, report.cases],
        f"Predictions must be of {report.n} patches, {report.positives} of them "
        f"{scores.positive}, of {report.cases} cases and the classes "
        f"{', '.join(scores.classes)}, as report.json says",
        way_out,
        path=path,
        **held,
    )
    wanted, auc = report.patch.scores["auc"].value, None
    if np.isfinite(score).all() and label.any() and not label.all():
        weight = np.ones((1, label.size))
        auc = float(ranking_scores(label, score.clip(0, 1), weight)["auc"][0])
    require(
        (auc is None) == (wanted is None)
        and (auc is None or math.isclose(auc, wanted or 0, abs_tol=1e-9)),
        f"Predictions of {split} must have the AUC {wanted} that report.json states",
        way_out,
        path=path,
        auc=auc,
    )


def check_scores(found: Scores) -> None:
    """Check that the figures of a report.json are consistent.

    Raises:
        InputError: they do not.
    """
    require(
        len(set(found.classes)) == len(found.classes) == 2
        and found.positive in found.classes,
        "classes must be two, the positive one among them",
        _WAY_OUT,
        classes=found.classes,
        positive=found.positive,
    )
    calibrated = found.temperature is not None
    require(
        0 <= found.threshold <= 1
        and (found.temperature is None or 0 < found.temperature < math.inf),
        "threshold must be in [0, 1] and temperature above 0",
        _WAY_OUT,
        threshold=found.threshold,
        temperature=found.temperature,
    )
    require(
        found.labels_per_class is None or 0 < found.labels_per_class < math.inf,
        "labels_per_class must be above 0 and finite",
        _WAY_OUT,
        labels_per_class=found.labels_per_class,
    )
    require(
        found.train_cases is None or found.train_cases >= 1,
        "train_cases must be at least 1",
        _WAY_OUT,
        train_cases=found.train_cases,
    )
    reports = [found.validation, found.test]
    for group in found.subgroups.values():
        reports += [group.validation, group.test]
    for report in reports:
        _check_report(report, calibrated=calibrated)


def _check_report(report: Report, *, calibrated: bool) -> None:
    require(
        1 <= report.cases <= report.n
        and 0 <= report.positives <= report.n
        and 0 <= report.mixed_cases <= report.cases
        and 100 <= report.bootstrap <= _MOST_DRAWS
        and 0 < report.confidence < 1
        and report.seed >= 0
        and report.patch.n == report.n
        and report.case.n == report.cases
        and report.patch.positives == report.positives,
        "Numbers of patches, cases and draws must fit together",
        _WAY_OUT,
        n=report.n,
        cases=report.cases,
        positives=report.positives,
        bootstrap=report.bootstrap,
        confidence=report.confidence,
        seed=report.seed,
    )
    for unit in (report.patch, report.case):
        _check_unit(unit, calibrated=calibrated)


def _check_unit(unit: UnitReport, *, calibrated: bool) -> None:
    ranking = [k for k in RANKING_NAMES if calibrated or not k.endswith("_calibrated")]
    _check_figures(unit.scores, ranking)
    for point in (unit.at_half, unit.at_threshold):
        _check_figures(point.scores, list(CALL_NAMES))
        rows = point.confusion
        counts = [count for row in rows for count in row]
        if [len(row) for row in rows] != [2, 2] or min(counts) < 0:
            raise InputError(f"confusion must be 2×2 counts, got {rows}")
        # All 0 where the probabilities are NaN.
        if sum(counts) not in (0, unit.n):
            raise InputError(f"confusion must sum to {unit.n}, got {sum(counts)}")


def _check_figures(scores: dict[str, Score], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in scores]
    if missing:
        raise InputError(f"scores must have {', '.join(missing)}, got none")
    for name, score in scores.items():
        ends = (score.low, score.high)
        is_whole = (ends.count(None) in (0, 2)) and (
            (score.value is not None and ends.count(None) == 0)
            or score.reason is not None
        )
        given = [each for each in (score.value, *ends) if each is not None]
        if not is_whole or not all(0 <= each <= 1 for each in given):
            raise InputError(f"{name} must be in [0, 1] or give a reason, got {score}")
