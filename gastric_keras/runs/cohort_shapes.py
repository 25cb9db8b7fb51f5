"""The shapes of what stage evaluate writes of an external cohort."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.records.treatment import Treatment
from gastric_keras.statistics.class_report import ClassReport
from gastric_keras.statistics.drift import ScoreDrift, Shift
from gastric_keras.statistics.independent import Change
from gastric_keras.statistics.split_report import Report


@dataclass(frozen=True)
class CaseAppearance:
    """Stain and scale of a case: means over its patches.

    Attributes:
        case: its name.
        patches: how many.
        measures: name of a measure -> its mean; without those that no patch has.
    """

    case: str
    patches: int
    measures: dict[str, float]


@dataclass(frozen=True)
class SetAppearance:
    """Stain and scale of the cases of a set.

    Attributes:
        manifest_sha256: of the set.
        cases: by name.
    """

    manifest_sha256: str
    cases: tuple[CaseAppearance, ...]

    @property
    def measures(self) -> list[str]:
        """Names of those that at least one case has."""
        return list(dict.fromkeys(name for c in self.cases for name in c.measures))


@dataclass(frozen=True)
class ClassCount:
    """How much of a class a cohort holds.

    Attributes:
        name: of the class.
        patches: of it.
        cases: that hold a patch of it.
    """

    name: str
    patches: int
    cases: int


@dataclass(frozen=True)
class SharedWithRun:
    """What a cohort shares with a split of a set of the run.

    Attributes:
        what: cases, images, equal pictures or pictures that look alike.
        where: the split and the set.
        count: how many of the cohort.
        example: one of them.
    """

    what: str
    where: str
    count: int
    example: str


@dataclass(frozen=True, kw_only=True)
class CohortFacts:
    """What is known of an external cohort before it is scored.

    Attributes:
        name: of the cohort.
        records: folder of the set.
        manifest_sha256: of that set.
        treatment: what was done to its pixels.
        target_treatment: what was done to those of the run's target set.
        splits: of the set that were put together.
        is_grouped: False where its patients are not known.
        counts: by class, in label order.
    """

    name: str
    records: str
    manifest_sha256: str
    treatment: Treatment
    target_treatment: Treatment
    splits: tuple[str, ...]
    is_grouped: bool
    counts: tuple[ClassCount, ...]


@dataclass(frozen=True, kw_only=True)
class CohortScores(CohortFacts):
    """Scores of a finished run on an external cohort: scores.json.

    Attributes:
        positive: the positive class.
        threshold: of the run, from its own validation split.
        temperature: of the run, from its own validation split.
        report: every score, at that threshold and temperature.
        changes: unit (patch, case) -> score -> external minus internal test.
        drift: of the scores per patch, one a class.
        shifts: of stain and scale by case.
        shared: what it shares with the sets of the run; none unless that was allowed.
        warnings: what is doubtful, in words.
    """

    positive: str
    threshold: float
    temperature: float
    report: Report
    changes: dict[str, dict[str, Change]]
    drift: tuple[ScoreDrift, ...]
    shifts: tuple[Shift, ...]
    shared: tuple[SharedWithRun, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ClassCohortScores(CohortFacts):
    """The same of a run of more than two classes.

    Attributes:
        temperature: of the run, from its own validation split.
        report: every score, at that temperature; the highest probability calls.
        changes: unit (patch, case) -> score over all classes -> external minus internal
            test.
        class_changes: unit -> class -> the same of its AUC against the rest.
        drift: of each patch's probability of its true class, one a class.
        shifts: of stain and scale by case.
        shared: what it shares with the sets of the run; none unless that was allowed.
        warnings: what is doubtful, in words.
    """

    temperature: float
    report: ClassReport
    changes: dict[str, dict[str, Change]]
    class_changes: dict[str, dict[str, Change]]
    drift: tuple[ScoreDrift, ...]
    shifts: tuple[Shift, ...]
    shared: tuple[SharedWithRun, ...]
    warnings: tuple[str, ...]
