"""A comparison in words and tables: Markdown that also reads as text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev

from gastric_keras.comparison.feature_gain import MidQuality, rank_correlation
from gastric_keras.comparison.results import (
    PUBLISHED_GAIN,
    Comparison,
    Efficiency,
    ScoreCell,
    SettingDifference,
)
from gastric_keras.config.backbones import BACKBONES
from gastric_keras.statistics.delong import PairedTest
from gastric_keras.statistics.label_efficiency import spell_saving
from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.words import spell_p
from gastric_keras.support.text import markdown_name, text_table

#: Level of a test that is called significant.
LEVEL = 0.05
PUBLISHED = f"+{PUBLISHED_GAIN[0]} to +{PUBLISHED_GAIN[1]}"


def spell_tables(comparison: Comparison) -> str:
    """Tables, differences, controls, label efficiency, verdict and notes.

    Args:
        comparison: of finished runs.
    """
    parts = [
        "# Two stages against one",
        f"Test split: {comparison.patches} patches of {comparison.cases} cases, the "
        "same for every run.",
        *_scores(comparison.cells),
        *_differences(comparison),
        *_controls(comparison.controls),
        *_efficiency(comparison.efficiency),
        *_quality(comparison.quality),
        "## Verdict",
    ]
    parts += [f"- {verdict.sentence}" for verdict in comparison.verdicts] or [
        "- No run of two stages stands beside a run of one stage with the same "
        "network, subset and seed: there is nothing to compare."
    ]
    if comparison.notes:
        parts += ["## Notes", *(f"- {markdown_name(n)}" for n in comparison.notes)]
    return _join(parts)


def _join(parts: Sequence[str]) -> str:
    text = ""
    for part, following in zip(parts, [*parts[1:], ""], strict=True):
        is_list = part.startswith("- ") and following.startswith("- ")
        text += part + ("\n" if is_list or not following else "\n\n")
    return text


def _scores(cells: Sequence[ScoreCell]) -> list[str]:
    parts = [
        "## Scores per patch",
        "Mean ± standard deviation over seeds, where there are several. AUC needs no "
        "threshold; the others are at each run's own validation threshold. Precision "
        "and recall are of the positive class unless they say otherwise.",
    ]
    scores = list(cells[0].scores)
    for subset in dict.fromkeys(cell.subset for cell in cells):
        mine = [cell for cell in cells if cell.subset == subset]
        rows = [
            [
                BACKBONES[cell.backbone].title,
                markdown_name(cell.path),
                str(len(cell.runs)),
                *(_mean_sd(cell.scores[score]) for score in scores),
            ]
            for cell in mine
        ]
        parts += [
            f"*{markdown_name(subset)}*: {mine[0].labels:g} labels a class",
            text_table(["network", "path", "seeds", *scores], rows),
        ]
    return parts


def _differences(comparison: Comparison) -> list[str]:
    if not comparison.differences:
        return []
    return [
        "## Differences in AUC, two stages − one stage",
        f"By case: {comparison.bootstrap} paired bootstrap draws of cases, and of "
        "seeds where there are several; p (Holm) is its p value, adjusted over the "
        "settings. With one seed, interval and p value are of these trainings only: "
        "another seed may turn out otherwise. DeLong takes patches for independent "
        "and seeds for fixed: too bold where a case has many patches. Published: the range over the 12 "
        "settings of Qu et al. 2018 on their data, for orientation only.",
        text_table(
            ["network", "subset", "mid-level set", *_COLUMNS, "published"],
            [
                [*_names(d.backbone, d.subset, d.path), *_cells_of(d), PUBLISHED]
                for d in comparison.differences
            ],
        ),
        *_calls(comparison.differences),
    ]


def _calls(differences: Sequence[SettingDifference]) -> list[str]:
    rows = [
        [
            *_names(d.backbone, d.subset, d.path),
            f"{mean(test.difference for test in d.calls.values()):+.3f}",
            ", ".join(_p(test.p_clustered) or "not defined" for test in tests),
            ", ".join(_p(test.p_value) for test in tests),
        ]
        for d in differences
        for tests in [list(d.calls.values())]
    ]
    header = ["network", "subset", "mid-level set", "difference"]
    header += ["p by case, each seed", "p on patches, each seed"]
    return [
        "## Differences in accuracy at each run's threshold",
        "McNemar's test of the calls, seed by seed and not adjusted: by case after "
        "Obuchowski 1998, the one to believe; and the exact test on patches, which "
        "takes them for independent.",
        text_table(header, rows),
    ]


def _controls(controls: Sequence[SettingDifference]) -> list[str]:
    if not controls:
        return []
    return [
        "## Controls: where does a difference come from?",
        "Shuffled labels: t=1 on the same patches with randomly permuted labels. "
        "Updates: one stage given those of t=1 too. Both at once: one backbone, two "
        "heads, a batch of each set in every update, as many updates as both stages. "
        "Linear probe: logistic regression on the backbone as it came. Intervals and p "
        "values as above; p is adjusted over this table.",
        text_table(
            ["network", "subset", "path", "less", *_COLUMNS],
            [
                [*_names(d.backbone, d.subset, d.path, d.base), *_cells_of(d)]
                for d in controls
            ],
        ),
    ]


def _efficiency(curves: Sequence[Efficiency]) -> list[str]:
    if not curves:
        return []
    rows = [
        [
            *_names(curve.backbone, curve.path),
            f"{point.labels:g}",
            str(point.seeds),
            f"{point.auc:.3f}",
            "" if point.low is None else f"{point.low:.3f}–{point.high:.3f}",
        ]
        for curve in curves
        for point in curve.points
    ]
    sentences = [
        "- " + spell_saving(", ".join(_names(curve.backbone, curve.path)), saving)
        for curve in curves
        for saving in curve.savings
    ]
    header = ["network", "path", "labels a class", "seeds", "AUC", "95 % interval"]
    return [
        "## Labels",
        "Intervals over cases and seeds. One stage's curve is made monotone and read "
        "backwards, straight between two numbers of labels on a log scale.",
        text_table(header, rows),
        *sentences,
    ]


def _quality(quality: Sequence[MidQuality]) -> list[str]:
    if not quality:
        return []
    groups: dict[tuple[str, str, str], list[MidQuality]] = {}
    for each in quality:
        groups.setdefault((each.backbone, each.subset, each.mid), []).append(each)
    rows = []
    for (backbone, subset, mid), found in groups.items():
        gain = f"{mean(each.gain for each in found):+.3f}"
        for i, layer in enumerate(found[0].layers):
            before = mean(each.before[i] for each in found)
            after = mean(each.after[i] for each in found)
            scores = [f"{before:.3f}", f"{after:.3f}", f"{after - before:+.3f}", gain]
            rows.append([*_names(backbone, subset, mid, layer), *scores])
    header = ["network", "subset", "mid-level set", "layer", "t=0", "t=1", "change"]
    parts = [
        "## What t=1 does to the features",
        "Linear probe of each layer on the target's training patches, AUC on its "
        "validation patches, mean over seeds; beside it the gain of two stages in test "
        "AUC.",
        text_table([*header, "gain at t=2"], rows),
    ]
    found_rank = rank_correlation(quality)
    if found_rank is not None:
        rho, p_value = found_rank
        parts.append(
            f"Over the {len(quality)} probed runs, the change at the last layer and "
            f"the gain go together with Spearman's rho {rho:+.2f} (p = {p_value:.3g} "
            "if the runs were independent, which those of one t=1 are not)."
        )
    return parts


_COLUMNS = ["seeds", "difference", "by case", "p (Holm)", "DeLong", "p"]


def _names(backbone: str, *names: str) -> list[str]:
    """A network as the paper spells it, and names out of configs and sets."""
    return [BACKBONES[backbone].title, *map(markdown_name, names)]


def _cells_of(found: SettingDifference) -> list[str]:
    return [
        str(len(found.seeds)),
        f"{found.clustered.difference:+.3f}",
        _interval(found.clustered),
        _p(found.p_holm),
        _interval(found.delong),
        _p(found.delong.p_value),
    ]


def _mean_sd(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not defined"
    if len(known) == 1:
        return f"{known[0]:.3f}"
    return f"{mean(known):.3f} ± {stdev(known):.3f}"


def _interval(found: PooledDifference | PairedTest) -> str:
    if found.low is None:
        return "not defined"
    return f"{found.low:+.3f} to {found.high:+.3f}"


def _p(value: float | None) -> str:
    return "" if value is None else spell_p(value).removeprefix("= ")


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
            f"too few test cases to tell. {change}, no interval: {pooled.reason}."
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
        answer = "helped" if pooled.difference > 0 else "made it worse"
        if _is_of_these_trainings(pooled):
            trainings = (
                "this one training" if pooled.settings == 1 else "these trainings"
            )
            return (
                f"{begin}the second stage {answer} in {trainings}. {figures}. "
                "Interval and p value cover the choice of test cases only: another "
                "seed may turn out otherwise."
            )
        return f"{begin}the second stage {answer}. {figures}.{_borrowed(pooled)}"
    half = (pooled.high - pooled.low) / 2
    few = "test cases and trainings" if pooled.borrowed else "test cases"
    return (
        f"{begin}too few {few} to tell. {figures}: with {cases} test cases a "
        f"difference within about ±{half:.3f} cannot be told from none."
        f"{_borrowed(pooled)}"
    )


def _is_of_these_trainings(pooled: PooledDifference) -> bool:
    """Whether nothing is known of what another training would give."""
    return pooled.seeds == 1 and not pooled.borrowed


def _borrowed(pooled: PooledDifference) -> str:
    if not pooled.borrowed:
        return ""
    return (
        f" {pooled.borrowed} of {pooled.settings} settings have one seed: they are "
        "taken to vary from seed to seed as the others do."
    )
