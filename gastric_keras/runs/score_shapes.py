"""The shape of report.json, of a network and of a classical method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gastric_keras.config.experiment import BackboneName
from gastric_keras.records.manifest import Fold
from gastric_keras.records.subsets import CaseSubset
from gastric_keras.statistics.class_report import ClassReport
from gastric_keras.statistics.split_report import Report

#: Between the kinds of two mid-level sets that one t=1 learned.
BETWEEN_KINDS = " + "


@dataclass(frozen=True)
class SplitReports:
    """Every score of both splits, or of a group of their patches."""

    validation: Report
    test: Report


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Who was scored: what report.json begins with, however many classes there are.

    Of what an earlier version did not write the default says that it is not known.

    Attributes:
        name: of the run.
        backbone: network, or classical method.
        weights: that the backbone began with; None: a classical method.
        mid: kind of the mid-level set, or of both; None: one stage.
        subset: of the training patches; None: all.
        labels_per_class: expert labels that it was trained on.
        train_cases: that these are of; None: not counted by an earlier version.
        seed: of training and of the draws.
        classes: in label order.
    """

    name: str
    backbone: str
    weights: str | None = ""
    mid: str | None = None
    subset: str | int | CaseSubset | None = None
    labels_per_class: float | None = None
    train_cases: int | None = None
    seed: int
    classes: tuple[str, ...]

    def _labels(self, validation: Report | ClassReport) -> str:
        if self.labels_per_class is None:
            return ""
        train = round(self.labels_per_class * len(self.classes))
        cases = "" if self.train_cases is None else f" from {self.train_cases} cases"
        return (
            f"{train} for training{cases}, {validation.n} for validation from "
            f"{validation.cases} cases"
        )


@dataclass(frozen=True, kw_only=True)
class Scores(Trained):
    """What a scored classifier of two classes leaves in report.json, key by key.

    Attributes:
        positive: one of the classes.
        threshold: chosen on validation.
        temperature: fitted on validation.
        unfitted: why neither could be chosen; None where they were.
        validation: every score of that split.
        test: every score of that split.
        subgroups: name -> the same of a group of patches.
    """

    positive: str
    threshold: float
    temperature: float | None = None
    unfitted: str | None = None
    validation: Report
    test: Report
    subgroups: dict[str, SplitReports] = field(default_factory=dict)

    @property
    def labels(self) -> str:
        """Experts' labels that it took, those of validation too; "" if not known."""
        return self._labels(self.validation)

    def of_split(self, split: str) -> Report:
        """Every score of validation or test."""
        return self.test if split == "test" else self.validation


@dataclass(frozen=True)
class CrossValidation:
    """What the folds of a pooled run chose and reached, fold by fold.

    Attributes:
        folds: k.
        seed: of the deal.
        thresholds: each chosen on the fold's validation split; empty: more than two
            classes, called by their highest probability.
        temperatures: each fitted there.
        cases: that it tests.
        auc: test AUC per patch, of more than two classes the macro one; None: not
            defined.
    """

    folds: int
    seed: int
    thresholds: tuple[float, ...]
    temperatures: tuple[float, ...]
    cases: tuple[tuple[str, ...], ...]
    auc: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class RunScores(Scores):
    """Scores of a network: report.json of stage evaluate.

    Attributes:
        fold: that its target set is; None: a whole set, or all folds pooled.
        cross_validation: of a pooled run; threshold and temperature are then the means
            over its folds, and each patch was called by its own fold's.
    """

    backbone: BackboneName
    weights: str = ""
    fold: Fold | None = None
    cross_validation: CrossValidation | None = None

    def thresholds_of(self, cases: Sequence[str]) -> list[float]:
        """Of each case the threshold that its patches are called by."""
        made = self.cross_validation
        if made is None:
            return [self.threshold] * len(cases)
        found = {
            case: threshold
            for threshold, of_fold in zip(made.thresholds, made.cases, strict=True)
            for case in of_fold
        }
        return [found[case] for case in cases]


@dataclass(frozen=True)
class ClassSplitReports:
    """Every score of both splits, of more than two classes."""

    validation: ClassReport
    test: ClassReport


@dataclass(frozen=True, kw_only=True)
class ClassScores(Trained):
    """Scores of a network that tells more than two classes apart: its report.json.

    Attributes:
        ordered: the classes are a ladder.
        temperature: fitted on validation; of a pooled run the mean over its folds.
        unfitted: why it stayed at 1; None where it was fitted.
        validation: every score of that split.
        test: every score of that split.
        subgroups: name -> the same of a group of patches.
        fold: that its target set is; None: a whole set, or all folds pooled.
        cross_validation: of a pooled run.
    """

    backbone: BackboneName
    weights: str = ""
    ordered: bool
    temperature: float
    unfitted: str | None = None
    validation: ClassReport
    test: ClassReport
    subgroups: dict[str, ClassSplitReports] = field(default_factory=dict)
    fold: Fold | None = None
    cross_validation: CrossValidation | None = None

    @property
    def labels(self) -> str:
        """Experts' labels that it took, those of validation too."""
        return self._labels(self.validation)


@dataclass(frozen=True, kw_only=True)
class BaselineScores(Scores):
    """Scores of a baseline: report.json of stage baselines.

    Attributes:
        title: for a reader.
        parameters: the point of the grid that validation chose.
        subset_seed: of the draw of the subset.
        train: number of training patches by class, in label order.
        validation_auc: of the decision that was chosen.
        commit: of the checkout.
        source: of features made elsewhere: file and checksum, in words; "": measured
            here.
    """

    title: str
    parameters: dict[str, float]
    subset_seed: int
    train: tuple[int, ...]
    validation_auc: float
    commit: str | None = None
    source: str = ""
