"""What a run's files say, as rows ready to print: scores, cases, warm starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.records import read_transfer
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.statistics.split_report import case_means

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


def spell_score(score: dict[str, Any], digits: int = 3) -> dict[str, str]:
    """One score of report.json in words.

    Args:
        score: value, low, high, method, reason.
        digits: after the point.

    Returns:
        value, interval and note, each "" where there is none; "†" marks an exact bound.
    """
    if score["value"] is None:
        return {"value": "—", "interval": "", "note": score["reason"]}
    value = f"{score['value']:.{digits}f}"
    if score["low"] is None:
        return {"value": value, "interval": "", "note": score["reason"]}
    mark = "†" if score["method"] == "exact" else ""
    interval = f"{score['low']:.{digits}f}–{score['high']:.{digits}f}{mark}"
    return {"value": value, "interval": interval, "note": ""}


def spell_p(value: float) -> str:
    """A p value with its sign of comparison: ``= 0.031`` or ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"= {value:.3g}"


def score_rows(unit: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table of one unit (patch or case) of report.json.

    Args:
        unit: ``report["test"]["patch"]`` or alike.

    Returns:
        name and cells: one cell for a score that needs no threshold, else two: at
        0.5 and at the validation threshold. A report made before a score was has no
        row of it.
    """
    rows = [
        {"name": name, "cells": [spell_score(unit["scores"][key])]}
        for key, name in RANKING_NAMES.items()
        if key in unit["scores"]
    ]
    points = (unit["at_half"]["scores"], unit["at_threshold"]["scores"])
    rows += [
        {"name": name, "cells": [spell_score(scores[key]) for scores in points]}
        for key, name in CALL_NAMES.items()
    ]
    return rows


def calibration_rows(unit: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the calibration table of one unit of report.json: name, and cells before
    and after temperature scaling."""
    return [
        {
            "name": name,
            "cells": [
                spell_score(unit["scores"][k]) for k in (key, f"{key}_calibrated")
            ],
        }
        for key, name in (("brier", "Brier score"), ("ece", "Calibration error"))
    ]


def subgroup_rows(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table of subgroups of the test split, per patch.

    Args:
        scores: content of report.json.

    Returns:
        name, n, positives, cases, and cells: AUC, and sensitivity and specificity at
        the validation threshold.
    """
    rows = []
    for name, splits in scores["subgroups"].items():
        patch = splits["test"]["patch"]
        calls = patch["at_threshold"]["scores"]
        cells = (patch["scores"]["auc"], calls["sensitivity"], calls["specificity"])
        rows.append(
            {
                "name": name,
                "n": patch["n"],
                "positives": patch["positives"],
                "cases": splits["test"]["cases"],
                "cells": [spell_score(cell) for cell in cells],
            }
        )
    return rows


def case_rows(
    predictions: Predictions, positive: str, threshold: float
) -> list[dict[str, Any]]:
    """One row a case: the wrong calls first, the farthest from the truth on top.

    Args:
        predictions: of one split.
        positive: name of the positive class.
        threshold: from the validation split.

    Returns:
        case, truth, call (names of classes), patches, score (mean of the positive
        class), is_right, is_mixed (patches of both classes: counts as positive).
    """
    index = predictions.classes.index(positive)
    negative = predictions.classes[1 - index]
    label = (predictions.label == index).astype(int)
    names, truth, mean = case_means(
        label, predictions.probability[:, index], predictions.case_id
    )
    rows = []
    for name, is_positive, score in zip(names, truth == 1, mean, strict=True):
        mine = label[predictions.case_id == name]
        is_called = score >= threshold
        rows.append(
            {
                "case": str(name),
                "truth": positive if is_positive else negative,
                "call": positive if is_called else negative,
                "patches": int(mine.size),
                "score": float(score),
                "is_right": bool(is_called == is_positive),
                "is_mixed": bool(mine.min() != mine.max()),
                "error": float(1 - score if is_positive else score),
            }
        )
    return sorted(rows, key=lambda row: (row["is_right"], -row["error"]))


def hardest_errors(
    predictions: Predictions, positive: str, threshold: float, *, most: int
) -> list[int]:
    """Rows of the wrong calls that lie farthest from the truth, one a case.

    Args:
        predictions: of one split.
        positive: name of the positive class.
        threshold: from the validation split.
        most: how many rows, at most.

    Returns:
        Row numbers, the farthest first; none where every call is right.
    """
    label, score = positives_of(predictions, positive)
    distance = np.abs(label - score)
    is_wrong = (score >= threshold) != (label == 1)
    rows: dict[str, int] = {}
    for row in np.argsort(-distance, kind="stable"):
        if is_wrong[row]:
            rows.setdefault(str(predictions.case_id[row]), int(row))
    return list(rows.values())[:most]


def warm_start_card(run_dir: RunDir, stage: FitStage) -> dict[str, Any] | None:
    """Names and numbers of the weights that a stage took over; None: not recorded."""
    path = run_dir.transfer_report(stage)
    if not path.is_file():
        return None
    found = read_transfer(path)
    groups = {
        "copied": "taken over",
        "initialised": "started anew",
        "unused": "left behind",
    }
    return {
        "source": found.source,
        "groups": [
            {"name": name, "weights": getattr(found, key)}
            for key, name in groups.items()
        ],
    }


def positives_of(
    predictions: Predictions, positive: str
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) 0 or 1, and (n,) probability of the positive class, float64."""
    index = predictions.classes.index(positive)
    label = (predictions.label == index).astype(np.int64)
    return label, predictions.probability[:, index].astype(np.float64)


def rows_by_key(
    predictions: Predictions, positive: str
) -> tuple[tuple[tuple, ...], np.ndarray, np.ndarray]:
    """Predictions in the order of their keys, so that those of two models line up.

    Args:
        predictions: of one split.
        positive: name of the positive class.

    Returns:
        (case_id, image_id, x, y, label) of each patch, label 1 for the positive class;
        (n,) label; (n,) probability of the positive class, float64.
    """
    label, score = positives_of(predictions, positive)
    found = predictions
    columns = (found.case_id, found.image_id, found.x, found.y, label)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return tuple(rows[i] for i in order), label[order], score[order]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as a Markdown table whose columns line up."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(header), rule, *map(line, rows)])
