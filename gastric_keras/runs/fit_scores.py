"""By which score of validation the kept epoch of a fit is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FitScore:
    """A score of the validation split.

    Attributes:
        column: of history.csv.
        name: for a reader.
        sign: 1: the higher the better; -1: the lower.
        loss: name of the loss of its task.
    """

    column: str
    name: str
    sign: int = 1
    loss: str = "cross-entropy"


#: Of classes, t=1 and t=2.
AUC = FitScore("val_auc", "validation AUC")
#: Of shares of classes.
MAE = FitScore("val_mae", "validation mean absolute error", sign=-1)
#: Of measures of nuclei.
R2 = FitScore("val_r2", "validation R²", loss="Huber")
#: Of views of patches: no label.
CONTRAST = FitScore(
    "val_contrast", "contrastive accuracy of validation", loss="NT-Xent"
)
#: Of two heads: the mean of what chooses each, as :func:`goodness` counts it.
BOTH = FitScore(
    "val_mean",
    "mean of the validation scores of both heads",
    loss="weighted mean of both heads",
)
SCORES = (AUC, MAE, R2, CONTRAST, BOTH)
#: Names of two heads, as their columns begin.
HEADS = ("first", "second")


def score_of(columns: Iterable[str]) -> FitScore:
    """The score among some columns, AUC where there is none."""
    held = set(columns)
    return next((score for score in SCORES if score.column in held), AUC)


def goodness(score: FitScore, value: float) -> float:
    """A score as the higher the better, at most 1: AUC, R², or 1 less an error."""
    return value if score.sign > 0 else 1 - value


def head_column(head: str, column: str) -> str:
    """Column of a head beside another's: ``val_auc`` of the first is
    ``val_first_auc``."""
    return f"val_{head}_{column.removeprefix('val_')}"


def head_scores(scores: Mapping[str, float]) -> dict[str, tuple[FitScore, float]]:
    """Head -> the score that it is judged by, and its value; empty of one head.

    Args:
        scores: column -> value, such as of done.json.
    """
    return {
        head: (score, scores[head_column(head, score.column)])
        for head in HEADS
        for score in SCORES
        if head_column(head, score.column) in scores
    }
