"""Scores, cases and warm starts of a run as rows for printing."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.runs.shapes import read_transfer
from gastric_keras.statistics.split_report import UnitReport
from gastric_keras.statistics.words import SpelledScore, spell_score

#: Key in report.json -> name for a reader; the order of the tables.
RANKING_NAMES = {
    "auc": "AUC",
    "auc_delong": "AUC, DeLong interval (takes rows for independent)",
    "pr_auc": "PR-AUC (average precision)",
    "brier": "Brier score (0 is best)",
    "ece": "Calibration error, ECE (0 is best)",
    "brier_calibrated": "Brier score after temperature scaling",
    "ece_calibrated": "Calibration error, ECE, after temperature scaling",
}
CALL_NAMES = {
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity = recall of the positive class",
    "specificity": "Specificity",
    "precision": "Precision of the positive class",
    "f1": "F1 of the positive class",
    "precision_class_average": "Precision, average of both classes",
    "recall_class_average": "Recall, average of both classes",
}


@dataclass(frozen=True)
class ScoreRow:
    """A line of a table of scores.

    Attributes:
        name: for a reader.
        cells: one column or more.
    """

    name: str
    cells: tuple[SpelledScore, ...]


def score_rows(unit: UnitReport) -> list[ScoreRow]:
    """Rows of the table of one unit.

    Returns:
        One cell for a score that needs no threshold, else two: at 0.5 and at the
        validation threshold. A report made before a score was has no row of it.
    """
    free, points = unit.scores, (unit.at_half.scores, unit.at_threshold.scores)
    return [
        ScoreRow(name, (spell_score(free[key]),))
        for key, name in RANKING_NAMES.items()
        if key in free
    ] + [
        ScoreRow(name, tuple(spell_score(scores[key]) for scores in points))
        for key, name in CALL_NAMES.items()
    ]


def calibration_rows(unit: UnitReport) -> list[ScoreRow]:
    """Rows of the calibration table of one unit: cells before and after temperature
    scaling."""
    return [
        ScoreRow(
            name,
            tuple(spell_score(unit.scores[k]) for k in (key, f"{key}_calibrated")),
        )
        for key, name in (("brier", "Brier score"), ("ece", "Calibration error"))
    ]


@dataclass(frozen=True)
class SubgroupRow:
    """A group of patches of the test split.

    Attributes:
        name: of the group.
        n: its patches.
        positives: how many of them are positive.
        cases: that they are of.
        cells: AUC, and sensitivity and specificity at the validation threshold.
    """

    name: str
    n: int
    positives: int
    cases: int
    cells: tuple[SpelledScore, ...]


def subgroup_rows(scores: RunScores) -> list[SubgroupRow]:
    """Rows of the table of subgroups of the test split, per patch."""
    rows = []
    for name, splits in scores.subgroups.items():
        patch, calls = splits.test.patch, splits.test.patch.at_threshold.scores
        found = (patch.scores["auc"], calls["sensitivity"], calls["specificity"])
        cells = tuple(map(spell_score, found))
        rows.append(
            SubgroupRow(name, patch.n, patch.positives, splits.test.cases, cells)
        )
    return rows


@dataclass(frozen=True)
class CaseRow:
    """A case and its prediction.

    Attributes:
        case: its name.
        truth: name of its class.
        call: name of the predicted class.
        patches: how many.
        score: mean probability of the positive class.
        is_right: the call is the truth.
        is_mixed: patches of both classes: counts as positive.
    """

    case: str
    truth: str
    call: str
    patches: int
    score: float
    is_right: bool
    is_mixed: bool


def case_rows(
    predictions: Predictions, positive: str, threshold: float
) -> list[CaseRow]:
    """One row a case: the wrong calls first, the farthest from the truth on top.

    Args:
        predictions: of one split.
        positive: name of the positive class.
        threshold: from the validation split.
    """
    classes = predictions.classes
    negative = classes[1 - classes.index(positive)]
    label, _ = predictions.positives(positive)
    rows = []
    for is_positive, score, name in zip(*predictions.units(positive, "case")):
        mine = label[predictions.case_id == name]
        is_called = score >= threshold
        row = CaseRow(
            case=str(name),
            truth=positive if is_positive else negative,
            call=positive if is_called else negative,
            patches=int(mine.size),
            score=float(score),
            is_right=bool(is_called == is_positive),
            is_mixed=bool(mine.min() != mine.max()),
        )
        rows.append((row, float(1 - score if is_positive else score)))
    rows.sort(key=lambda pair: (pair[0].is_right, -pair[1]))
    return [row for row, _ in rows]


@dataclass(frozen=True)
class WarmStart:
    """What a stage took over.

    Attributes:
        title: of the stage.
        source: what the weights came from, in words.
        groups: what became of weights -> their names.
    """

    title: str
    source: str
    groups: dict[str, tuple[str, ...]]


def warm_start_of(run_dir: RunDir, stage: FitStage, title: str) -> WarmStart | None:
    """Names and numbers of the weights that a stage took over; None: not recorded."""
    path = run_dir.transfer_report(stage)
    if not path.is_file():
        return None
    found = read_transfer(path)
    groups = {
        "taken over": found.copied,
        "initialized": found.initialised,
        "left behind": found.unused,
    }
    return WarmStart(title, found.source, groups)
