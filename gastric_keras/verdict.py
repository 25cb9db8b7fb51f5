"""Did the second stage help? Tables and sentences from paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from gastric_keras.delong import PairedTest
from gastric_keras.finished_runs import PATHS
from gastric_keras.paired import PooledDifference
from gastric_keras.tables import NETWORKS, text_table

#: Gain in AUC of two stages over one in all 12 settings of Qu et al. 2018.
PUBLISHED_GAIN = (0.016, 0.053)
PUBLISHED = f"+{PUBLISHED_GAIN[0]} to +{PUBLISHED_GAIN[1]}"
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
        mid: kind of the mid-level set; None: one stage.
        runs: folders.
        scores: name in the table -> one value a run; None: not defined.
    """

    backbone: str
    subset: str
    mid: str | None
    runs: tuple[str, ...]
    scores: dict[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class SettingDifference:
    """Two stages against one, for one network, subset and mid-level set.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        subset: of the training patches.
        mid: kind of the mid-level set.
        seeds: name -> difference of AUC with that seed.
        clustered: over cases and seeds.
        p_holm: its p value, adjusted over all settings; None: not defined.
        delong: of the mean AUCs; takes patches for independent and seeds for fixed.
    """

    backbone: str
    subset: str
    mid: str
    seeds: dict[str, float]
    clustered: PooledDifference
    p_holm: float | None
    delong: PairedTest


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
class Comparison:
    """What finished runs say about the second stage.

    Attributes:
        patches: of the common test split.
        cases: of the common test split.
        bootstrap: number of draws.
        seed: of the draws.
        cells: the score table.
        differences: one a setting that has runs with one and with two stages.
        verdicts: one a network, then one over all; empty: nothing to compare.
        notes: what limits the answer.
    """

    patches: int
    cases: int
    bootstrap: int
    seed: int
    cells: tuple[Cell, ...]
    differences: tuple[SettingDifference, ...]
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
        f"p = {p_value:.3g})"
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


def spell_tables(comparison: Comparison) -> str:
    """Tables, differences, verdict and notes as Markdown that also reads as text."""
    parts = [
        "# Two stages against one",
        f"Test split: {comparison.patches} patches of {comparison.cases} cases, the "
        "same for every run.",
        "## Scores per patch",
        "Mean ± standard deviation over seeds, where there are several. AUC needs no "
        "threshold; the others are at each run's own validation threshold. Precision "
        "and recall are of the positive class unless they say otherwise.",
        _score_table(comparison.cells),
    ]
    if comparison.differences:
        parts += [
            "## Differences in AUC, two stages − one stage",
            f"By case: {comparison.bootstrap} paired bootstrap draws of cases, and of "
            "seeds where there are several; p (Holm) is its p value, adjusted over the "
            "settings. DeLong takes patches for independent and seeds for fixed: too "
            "bold where a case has many patches. Published: the range over the 12 "
            "settings of Qu et al. 2018 on their data, for orientation only.",
            _difference_table(comparison.differences),
        ]
    parts.append("## Verdict")
    parts += [f"- {verdict.sentence}" for verdict in comparison.verdicts] or [
        "- No run of two stages stands beside a run of one stage with the same "
        "network, subset and seed: there is nothing to compare."
    ]
    if comparison.notes:
        parts += ["## Notes", *(f"- {note}" for note in comparison.notes)]
    return _join(parts)


def _join(parts: Sequence[str]) -> str:
    text = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        is_list = part.startswith("- ") and following.startswith("- ")
        text += part + ("\n" if is_list or not following else "\n\n")
    return text


def _score_table(cells: Sequence[Cell]) -> str:
    by_key = {(cell.backbone, cell.subset, cell.mid): cell for cell in cells}
    paths = {**PATHS, **{cell.mid: cell.mid or PATHS[None] for cell in cells}}
    rows = []
    for backbone, subset in dict.fromkeys((c.backbone, c.subset) for c in cells):
        for score in TABLE_SCORES:
            found = [by_key.get((backbone, subset, mid)) for mid in paths]
            values = [_mean_sd(cell.scores[score]) if cell else "" for cell in found]
            rows.append([NETWORKS[backbone], subset, score, *values])
    return text_table(["network", "subset", "score", *paths.values()], rows)


def _mean_sd(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not defined"
    if len(known) == 1:
        return f"{known[0]:.3f}"
    return f"{mean(known):.3f} ± {stdev(known):.3f}"


def _difference_table(differences: Sequence[SettingDifference]) -> str:
    rows = [
        [
            NETWORKS[d.backbone],
            d.subset,
            d.mid,
            str(len(d.seeds)),
            f"{d.clustered.difference:+.3f}",
            _interval(d.clustered),
            _p(d.p_holm),
            _interval(d.delong),
            _p(d.delong.p_value),
            PUBLISHED,
        ]
        for d in differences
    ]
    header = ["network", "subset", "mid-level set", "seeds", "difference", "by case"]
    header += ["p (Holm)", "DeLong", "p", "published"]
    return text_table(header, rows)


def _interval(found: Any) -> str:
    if found.low is None:
        return "not defined"
    return f"{found.low:+.3f} to {found.high:+.3f}"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
