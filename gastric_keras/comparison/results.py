"""What a comparison of finished runs found; ``comparison.json`` key by key."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.comparison.feature_gain import MidQuality
from gastric_keras.statistics.delong import PairedTest
from gastric_keras.statistics.independent import Change
from gastric_keras.statistics.label_efficiency import CurvePoint, Saving
from gastric_keras.statistics.mcnemar import McNemar
from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.split_report import UnitReport


@dataclass(frozen=True)
class LabelCost:
    """Experts' labels that a run took.

    Attributes:
        train: patches that it was trained on.
        train_cases: that they are of; None: not counted by an earlier version.
        validation: patches that chose its epoch, threshold and temperature.
        validation_cases: that they are of.
    """

    train: int
    train_cases: int | None
    validation: int
    validation_cases: int


@dataclass(frozen=True)
class ScoreCell:
    """Scores of one network, subset and path over its seeds.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        subset: of the training patches.
        path: one stage, a mid-level set, or a control.
        labels: per class, mean over runs.
        runs: folders.
        costs: one a run.
        scores: name in the table -> one value a run; None: not defined.
    """

    backbone: str
    subset: str
    path: str
    labels: float
    runs: tuple[str, ...]
    costs: tuple[LabelCost, ...]
    scores: dict[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class SettingDifference:
    """One path against another, for one network and subset.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        subset: of the training patches.
        path: such as a mid-level set.
        base: what it is held against, such as one stage.
        seeds: name -> difference of AUC with that seed.
        clustered: over cases and seeds.
        p_holm: its p value, adjusted over all differences of its table; None: not
            defined.
        delong: of the mean AUCs; takes patches for independent and seeds for fixed.
        calls: seed -> McNemar's tests of the calls at each run's own threshold.
    """

    backbone: str
    subset: str
    path: str
    base: str
    seeds: dict[str, float]
    clustered: PooledDifference
    p_holm: float | None
    delong: PairedTest
    calls: dict[str, McNemar]


@dataclass(frozen=True)
class BaselineCell:
    """Scores of one baseline on one subset over its draws of the labels.

    Attributes:
        name: of its folder.
        title: for a reader.
        subset: of the training patches.
        draws: seeds of the draws of the subset.
        runs: folders.
        source: of features made elsewhere, in words; "": measured here.
        validation_auc: one a draw.
        scores: name in the table -> one value a draw; None: not defined.
    """

    name: str
    title: str
    subset: str
    draws: tuple[int, ...]
    runs: tuple[str, ...]
    source: str
    validation_auc: tuple[float, ...]
    scores: dict[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class BaselineDifference:
    """AUC of a network less that of a baseline with the same labels.

    Attributes:
        backbone: of the network.
        subset: of the training patches.
        path: of the network, such as one stage.
        baseline: title of the other.
        seeds: name -> difference with that seed of the network.
        clustered: over cases and seeds.
        p_holm: its p value, adjusted over all differences of its table; None: not
            defined.
    """

    backbone: str
    subset: str
    path: str
    baseline: str
    seeds: dict[str, float]
    clustered: PooledDifference
    p_holm: float | None


@dataclass(frozen=True)
class Verdict:
    """The answer for one network, or over all.

    Attributes:
        about: a network, or ``all networks``.
        clustered: pooled over its settings.
        p_holm: p value, adjusted over the networks; of the whole: not adjusted.
        sentence: in plain words.
    """

    about: str
    clustered: PooledDifference
    p_holm: float | None
    sentence: str


@dataclass(frozen=True)
class Efficiency:
    """AUC against labels, and what a second stage saves of them.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        path: one stage, or a mid-level set.
        points: of its curve.
        savings: against one stage; empty for one stage itself.
    """

    backbone: str
    path: str
    points: tuple[CurvePoint, ...]
    savings: tuple[Saving, ...]


@dataclass(frozen=True)
class CohortCell:
    """Scores of one network, subset and path on an external cohort, over its seeds.

    Attributes:
        backbone: network.
        subset: of the training patches.
        path: one stage, a mid-level set, or a control.
        runs: folders.
        scores: name in the table -> one value a run; None: not defined.
        change: of the AUC against the internal test, where there is one run.
    """

    backbone: str
    subset: str
    path: str
    runs: tuple[str, ...]
    scores: dict[str, tuple[float | None, ...]]
    change: Change | None


@dataclass(frozen=True)
class CohortResult:
    """What the runs make of an external cohort.

    Attributes:
        name: of the cohort.
        manifest_sha256: of its set.
        patches: of the cohort.
        cases: of the cohort.
        leaks: cases or pictures that it shares with sets of the runs, as allowed.
        cells: its score table; runs that were not scored on it are not in it.
        differences: one a setting that has runs with one and with two stages.
    """

    name: str
    manifest_sha256: str
    patches: int
    cases: int
    leaks: int
    cells: tuple[CohortCell, ...]
    differences: tuple[SettingDifference, ...]


@dataclass(frozen=True)
class Comparison:
    """What finished runs say about the second stage.

    Attributes:
        patches: of the common test split.
        cases: of the common test split.
        bootstrap: number of draws.
        seed: of the draws.
        cells: the score table.
        differences: one a setting that has runs with one and with two stages.
        controls: differences between paths that say where a gain comes from.
        efficiency: curves with two numbers of labels or more.
        quality: what t=1 did to the features, for runs that were probed.
        cohorts: external cohorts that runs were scored on.
        verdicts: one a network, then one over all; empty: nothing to compare.
        notes: what limits the answer.
        baselines: their score table; empty: no folder has finished ones.
        against: networks against them.
    """

    patches: int
    cases: int
    bootstrap: int
    seed: int
    cells: tuple[ScoreCell, ...]
    differences: tuple[SettingDifference, ...]
    controls: tuple[SettingDifference, ...]
    efficiency: tuple[Efficiency, ...]
    quality: tuple[MidQuality, ...]
    cohorts: tuple[CohortResult, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    baselines: tuple[BaselineCell, ...] = ()
    against: tuple[BaselineDifference, ...] = ()


def table_scores(unit: UnitReport) -> dict[str, float | None]:
    """Name in the score table -> value; the calls at the validation threshold.

    Args:
        unit: of a run's test split.
    """
    calls = unit.at_threshold.scores
    found = {
        "AUC": unit.scores["auc"],
        "ACC": calls["accuracy"],
        "precision": calls["precision"],
        "recall": calls["sensitivity"],
        "precision, class average": calls["precision_class_average"],
        "recall, class average": calls["recall_class_average"],
    }
    return {name: score.value for name, score in found.items()}
