"""By which score of validation the kept epoch of a fit is chosen."""

from __future__ import annotations

from collections.abc import Iterable
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
SCORES = (AUC, MAE, R2, CONTRAST)


def score_of(columns: Iterable[str]) -> FitScore:
    """The score among some columns, AUC where there is none."""
    held = set(columns)
    return next((score for score in SCORES if score.column in held), AUC)
