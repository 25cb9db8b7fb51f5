"""How cases are called: by the rule and threshold of validation, or the highest mean.

A call is a name: of two classes by a threshold, of more the class of the highest mean
probability, as evaluation calls cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gastric_keras.config.predict import PredictConfig
from gastric_keras.heatmap.inference import raw_columns
from gastric_keras.records.cases import CaseRule
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.statistics.case_rules import CaseCalls, case_scores, rule_words
from gastric_keras.statistics.class_cases import class_means
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
    def columns(self) -> tuple[str, ...]:
        """Of the table of patches, those that a call is made of."""
        return (self.column,)

    @property
    def words(self) -> str:
        """What is called positive, and who says so."""
        rule = rule_words(self.rule, self.top)
        return f"{rule} at or above {self.threshold:.3f} ({self.source})"

    def of_patches(self, scores: np.ndarray) -> np.ndarray:
        """(n,) int of (n, 1) scores: 0 of patches called positive, 1 of the others."""
        return (scores[:, 0].astype(np.float64) < self.patch_threshold).astype(np.int64)

    def of_units(
        self, scores: np.ndarray, unit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score and call each picture or case.

        Args:
            scores: (n, 1) float of the patches.
            unit: (n,) int, the picture or case of each, from 0, all there.

        Returns:
            (m, 1) float64 scores, see ``case_scores``, and (m,) int calls.
        """
        score = case_scores(
            scores[:, 0],
            unit,
            rule=self.rule,
            top=self.top,
            threshold=self.patch_threshold,
        )
        return score[:, None], (score < self.threshold).astype(np.int64)


@dataclass(frozen=True)
class ClassCalls:
    """How the patches of a picture, slide or case become one of several classes.

    Attributes:
        rule: what its probabilities are.
        columns: of the patches' raw probabilities, in label order.
    """

    rule: CaseRule
    columns: tuple[str, ...]

    @property
    def words(self) -> str:
        """What is called, and who says so."""
        return "the highest mean of its patches, as evaluation calls cases"

    def of_patches(self, scores: np.ndarray) -> np.ndarray:
        """(n,) int of (n, classes) scores: the highest, the first of equals."""
        return np.asarray(scores.argmax(axis=1))

    def of_units(
        self, scores: np.ndarray, unit: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Score and call each picture or case.

        Args:
            scores: (n, classes) float of the patches.
            unit: (n,) int, the picture or case of each, from 0, all there.

        Returns:
            (m, classes) float64 scores and (m,) int calls.
        """
        means = class_means(scores, unit)
        return means, means.argmax(axis=1)


def choose_calls(config: PredictConfig, model: ExportedModel) -> Calls | ClassCalls:
    """The rule that is asked for, with the threshold that the run's validation chose.

    More than two classes have no threshold, and one rule.

    Args:
        config: may ask for a rule, a threshold, a number of patches.
        model: carries those of the run.

    Raises:
        InputError: the model carries no threshold for the rule, and none is given; or
            a rule or threshold is asked for that more than two classes have not.
    """
    if model.positive is None:
        return _class_calls(config, model)
    if model.raw_point is not None:
        patch_threshold = model.raw_point.threshold
        (column,) = raw_columns(model)
    else:
        blank = np.zeros((1, model.size, model.size, 3), np.uint8)
        told_by_model = model.predict(blank).threshold
        assert told_by_model is not None, "a model of two classes has one"
        patch_threshold = told_by_model
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


def _class_calls(config: PredictConfig, model: ExportedModel) -> ClassCalls:
    of_classes = f"with a model of {len(model.scored_classes)} classes"
    way_out = (
        "A case is of the class with the highest mean probability. For another call, "
        "merge the classes to two with labels of data_prep target, and train on them."
    )
    require(
        config.rule in (None, "mean"),
        f"rule must be mean {of_classes}",
        way_out,
        case_rule=config.rule,
    )
    require(
        config.case_threshold is None,
        f"case_threshold must be null {of_classes}",
        way_out,
        case_threshold=config.case_threshold,
    )
    return ClassCalls("mean", tuple(raw_columns(model)))
