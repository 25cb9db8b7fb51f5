"""Which rule calls a case, and its threshold: as the validation split fixed them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gastric_keras.config.predict import PredictConfig
from gastric_keras.records.cases import CaseRule
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.statistics.case_rules import CaseCalls, case_scores, rule_words
from gastric_keras.support.errors import require
from gastric_keras.support.streams import warn

#: As of an export that an earlier version wrote: evaluation calls cases by the mean.
_DEFAULT_TOP = 10


@dataclass(frozen=True)
class Calls:
    """How the patches of a picture, slide or case become its one call.

    Attributes:
        rule: what the score is.
        top: how many patches ``top_mean`` takes.
        threshold: a score at or above it is called positive.
        patch_threshold: the same of a patch.
        column: of the patches' scores, in the table of patches.
        source: who chose the threshold, for a reader.
    """

    rule: CaseRule
    top: int
    threshold: float
    patch_threshold: float
    column: str
    source: str

    @property
    def words(self) -> str:
        """What is called positive."""
        return f"{rule_words(self.rule, self.top)} at or above {self.threshold:.3f}"

    def scores(self, score: np.ndarray, unit: np.ndarray) -> np.ndarray:
        """(m,) float64, one score a unit, see ``case_scores``."""
        return case_scores(
            score,
            unit,
            rule=self.rule,
            top=self.top,
            threshold=self.patch_threshold,
        )


def choose_calls(config: PredictConfig, model: ExportedModel) -> Calls:
    """The rule that is asked for, with the threshold that the run's validation chose.

    Args:
        config: may ask for a rule, a threshold, a number of patches.
        model: carries those of the run.

    Raises:
        InputError: the model carries no threshold for the rule, and none is given.
    """
    if model.raw_point is not None:
        patch_threshold = model.raw_point.threshold
        column = f"raw_{model.positive}_probability"
    else:
        blank = np.zeros((1, model.size, model.size, 3), np.uint8)
        patch_threshold = model.predict(blank).threshold
        column = f"{model.positive}_probability"
        warn(
            "the model does not tell the network's own probabilities: cases are scored "
            "by the calibrated ones, which may call them otherwise than evaluation did."
        )
    told = model.case_calls or CaseCalls(
        "mean", _DEFAULT_TOP, {"mean": patch_threshold}, validation_cases=0
    )
    rule, top = config.rule or told.rule, config.top or told.top
    threshold, source = config.case_threshold, "given by case_threshold"
    if threshold is None:
        is_chosen = rule in told.thresholds and (rule != "top_mean" or top == told.top)
        require(
            is_chosen,
            "The export must carry a threshold for the rule",
            "Give one, --set case_threshold=0.5, take --set rule=mean, or export the "
            "run again with export.case_rule and export.case_top.",
            case_rule=rule,
            top=top,
            carried={name: told.top for name in told.thresholds},
        )
        threshold = told.thresholds[rule]
        source = "the threshold of the patches, as evaluation calls cases"
        if rule != "mean":
            source = f"chosen on {told.validation_cases} cases of validation"
    return Calls(rule, top, threshold, patch_threshold, column, source)
