"""Did the second stage help? Tables and sentences from paired differences."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.comparison.feature_gain import MidQuality
from gastric_keras.runs.rows import spell_p
from gastric_keras.statistics.delong import PairedTest
from gastric_keras.statistics.label_efficiency import CurvePoint, Saving
from gastric_keras.statistics.mcnemar import McNemar
from gastric_keras.statistics.paired import PooledDifference

#: Gain in AUC of two stages over one in all 12 settings of Qu et al. 2018.
PUBLISHED_GAIN = (0.016, 0.053)
#: Name in the table -> where in a unit of report.json.
TABLE_SCORES = {
    "AUC": ("scores", "auc"),
    "ACC": ("at_threshold", "accuracy"),
    "precision": ("at_threshold", "precision"),
    "recall": ("at_threshold", "sensitivity"),
    "precision, class average": ("at_threshold", "precision_class_average"),
    "recall, class average": ("at_threshold", "recall_class_average"),
}
LEVEL = 0.05


@dataclass(frozen=True)
class Cell:
    """Scores of one network, subset and path over its seeds.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        subset: of the training patches.
        path: one stage, a mid-level set, or a control.
        labels: per class.
        runs: folders.
        scores: name in the table -> one value a run; None: not defined.
    """

    backbone: str
    subset: str
    path: str
    labels: float
    runs: tuple[str, ...]
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
        verdicts: one a network, then one over all; empty: nothing to compare.
        notes: what limits the answer.
    """

    patches: int
    cases: int
    bootstrap: int
    seed: int
    cells: tuple[Cell, ...]
    differences: tuple[SettingDifference, ...]
    controls: tuple[SettingDifference, ...]
    efficiency: tuple[Efficiency, ...]
    quality: tuple[MidQuality, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]


def spell_verdict(
    about: str, pooled: PooledDifference, p_value: float | None, cases: int
) -> str:
    """The answer in one or two sentences, with difference, interval and p value.

    Args:
        about: a network, or ``all networks``.
        pooled: two stages minus one.
        p_value: adjusted where there are several tests; None: not defined.
        cases: of the test split.
    """
    begin = f"{about}: "
    change = f"AUC {pooled.difference:+.3f}"
    if pooled.low is None or pooled.high is None or p_value is None:
        return begin + (
            f"the data are too few to tell. {change}, no interval: {pooled.reason}."
        )
    if pooled.high - pooled.low < 1e-9:
        return begin + (
            f"nothing to tell apart. {change} in every draw: on these {cases} test "
            "cases both rank the patches equally well, which does not show that they "
            "always do."
        )
    figures = (
        f"{change} (95 % interval {pooled.low:+.3f} to {pooled.high:+.3f}, "
        f"p {spell_p(p_value)})"
    )
    if p_value < LEVEL:
        answer = "helped" if pooled.difference > 0 else "did harm"
        if pooled.seeds == 1:
            return (
                f"{begin}the second stage {answer} in this one training. {figures}. "
                "Interval and p value cover the choice of test cases only: another "
                "seed may turn out otherwise."
            )
        return f"{begin}the second stage {answer}. {figures}."
    half = (pooled.high - pooled.low) / 2
    return (
        f"{begin}the data are too few to tell. {figures}: with {cases} test cases a "
        f"difference within about ±{half:.3f} cannot be told from none."
    )
