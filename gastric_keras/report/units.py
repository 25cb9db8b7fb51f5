"""Scores per patch, or per case, as the page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.report.operating_points import PromiseRow, operating_points
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import ScoreRow, calibration_rows, score_rows
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.statistics.words import SpelledScore, spell_score

UNITS = ("patch", "case")


@dataclass(frozen=True)
class Unit:
    """Scores of some patches, or of their cases.

    Attributes:
        name: patch or case.
        n: how many.
        positives: how many of them are positive.
        auc: in words.
        rows: of the table of scores.
        calibration: of the table of calibration.
        points: of the table of operating points.
    """

    name: str
    n: int
    positives: int
    auc: SpelledScore
    rows: list[ScoreRow]
    calibration: list[ScoreRow]
    points: list[PromiseRow]


def units_of(
    scores: RunScores, validation: Predictions, scored: Predictions
) -> list[Unit]:
    """Patches and cases.

    Args:
        scores: of the run; ``test`` is of the patches that are shown.
        validation: chooses the operating points.
        scored: predictions of the patches that are shown.
    """
    split = scores.test
    draws = split.draws
    units = []
    for name, found in zip(UNITS, (split.patch, split.case), strict=True):
        points = operating_points(
            validation, scored, scores.positive, unit=name, draws=draws
        )
        units.append(
            Unit(
                name=name,
                n=found.n,
                positives=found.positives,
                auc=spell_score(found.scores["auc"]),
                rows=score_rows(found),
                calibration=calibration_rows(found),
                points=points,
            )
        )
    return units
