"""A comparison in words and tables: Markdown that also reads as text."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from gastric_keras.comparison.baseline_text import spell_baselines
from gastric_keras.comparison.cells import (
    COLUMNS,
    difference_cells,
    spell_mean,
    spell_names,
    spell_p_value,
)
from gastric_keras.comparison.cohort_text import spell_cohorts
from gastric_keras.comparison.feature_gain import MidQuality, rank_correlation
from gastric_keras.comparison.gain_text import spell_gains, spell_published_gain
from gastric_keras.comparison.published import (
    SETS,
    SOURCE,
    published_scores,
)
from gastric_keras.comparison.results import (
    Comparison,
    Efficiency,
    ScoreCell,
    SettingDifference,
)
from gastric_keras.config.backbones import find_backbone
from gastric_keras.statistics.label_efficiency import spell_saving
from gastric_keras.support.text import markdown_name, text_table


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
        *spell_gains(comparison),
        *spell_baselines(comparison),
        *_controls(comparison.controls),
        *_efficiency(comparison.efficiency),
        *_quality(comparison.quality),
        *spell_cohorts(comparison.cohorts),
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
        "and recall are of the positive class unless they say otherwise. Last column: "
        "AUC, ACC, precision and recall of the paper (doi 10.1155/2018/8961781), one "
        "run each on other data than these; its precision and recall are of the "
        f"malignant class for VGG-16, class averages for the others. Its sets: {SETS}.",
    ]
    scores = list(cells[0].scores)
    for subset in dict.fromkeys(cell.subset for cell in cells):
        mine = [cell for cell in cells if cell.subset == subset]
        rows = [
            [
                find_backbone(cell.backbone).title,
                markdown_name(cell.path),
                str(len(cell.runs)),
                *(spell_mean(cell.scores[score]) for score in scores),
                _paper(cell),
            ]
            for cell in mine
        ]
        parts += [
            f"*{markdown_name(subset)}*: {mine[0].labels:g} labels a class. Labels: "
            f"{_cost(mine)}",
            text_table(["network", "path", "seeds", *scores, SOURCE], rows),
        ]
    return parts


def _paper(cell: ScoreCell) -> str:
    found = published_scores(cell.backbone, cell.subset, cell.path)
    return "" if found is None else str(found)


def _cost(cells: Sequence[ScoreCell]) -> str:
    """Labels of training and of validation, with the cases that they are of."""

    def span(values: Sequence[int]) -> str:
        least, most = min(values), max(values)
        return f"{least}" if least == most else f"{least} to {most}"

    costs = [cost for cell in cells for cost in cell.costs]
    cases = [cost.train_cases for cost in costs if cost.train_cases is not None]
    of_cases = f" from {span(cases)} cases" if cases else ""
    return (
        f"{span([cost.train for cost in costs])} for training{of_cases}, "
        f"{span([cost.validation for cost in costs])} for validation from "
        f"{span([cost.validation_cases for cost in costs])} cases."
    )


def _differences(comparison: Comparison) -> list[str]:
    if not comparison.differences:
        return []
    return [
        "## Differences in AUC, two stages − one stage",
        f"By case: {comparison.bootstrap} paired bootstrap draws of cases, and of "
        "seeds where there are several; p (Holm) is its p value, adjusted over the "
        "settings. With one seed, interval and p value are of these trainings only: "
        "another seed may turn out otherwise. DeLong takes patches for independent "
        "and seeds for fixed: too bold where a case has many patches. Last column: "
        "the gain of the same setting in the paper, on other data than these.",
        text_table(
            ["network", "subset", "mid-level set", *COLUMNS, f"gain in {SOURCE}"],
            [
                [
                    *spell_names(d.backbone, d.subset, d.path),
                    *difference_cells(d),
                    spell_published_gain(d),
                ]
                for d in comparison.differences
            ],
        ),
        *_calls(comparison.differences),
    ]


def _calls(differences: Sequence[SettingDifference]) -> list[str]:
    rows = [
        [
            *spell_names(d.backbone, d.subset, d.path),
            f"{mean(test.difference for test in d.calls.values()):+.3f}",
            ", ".join(
                spell_p_value(test.p_clustered) or "not defined" for test in tests
            ),
            ", ".join(spell_p_value(test.p_value) for test in tests),
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
            ["network", "subset", "path", "less", *COLUMNS],
            [
                [
                    *spell_names(d.backbone, d.subset, d.path, d.base),
                    *difference_cells(d),
                ]
                for d in controls
            ],
        ),
    ]


def _efficiency(curves: Sequence[Efficiency]) -> list[str]:
    if not curves:
        return []
    rows = [
        [
            *spell_names(curve.backbone, curve.path),
            f"{point.labels:g}",
            str(point.seeds),
            f"{point.auc:.3f}",
            "" if point.low is None else f"{point.low:.3f}–{point.high:.3f}",
        ]
        for curve in curves
        for point in curve.points
    ]
    sentences = [
        "- " + spell_saving(", ".join(spell_names(curve.backbone, curve.path)), saving)
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
            rows.append([*spell_names(backbone, subset, mid, layer), *scores])
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
