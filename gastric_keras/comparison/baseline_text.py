"""The baselines of a comparison in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gastric_keras.comparison.cells import spell_interval, spell_mean, spell_p_value
from gastric_keras.comparison.results import (
    BaselineCell,
    BaselineDifference,
    Comparison,
)
from gastric_keras.comparison.verdict import LEVEL
from gastric_keras.config.backbones import find_backbone
from gastric_keras.support.text import markdown_name, text_table


def spell_baselines(comparison: Comparison) -> list[str]:
    """Their scores, the networks against them, and who is ahead; empty without any.

    Args:
        comparison: of finished runs.
    """
    cells, against = comparison.baselines, comparison.against
    if not cells:
        return []
    parts = [
        "## Baselines on the same patches",
        "Trained on the same labels, chosen on the same validation patches. Mean ± "
        "standard deviation over the draws of the labels, where there are several; "
        "columns as above.",
        *_scores(cells),
        *_sources(cells),
    ]
    if not against:
        return [*parts, "No network has the labels of these baselines."]
    return [
        *parts,
        "## Differences in AUC, network − baseline",
        f"By case: {comparison.bootstrap} paired bootstrap draws of cases, and of the "
        "network's seeds where there are several; p (Holm) is adjusted over this "
        "table.",
        text_table(
            ["network", "subset", "path", "baseline", "seeds", *_COLUMNS],
            [_row(each) for each in against],
        ),
        *_verdicts(against),
    ]


_COLUMNS = ("difference", "by case", "p (Holm)")


def _scores(cells: Sequence[BaselineCell]) -> Iterator[str]:
    names = list(cells[0].scores)
    for subset in dict.fromkeys(cell.subset for cell in cells):
        yield f"*{markdown_name(subset)}*"
        yield text_table(
            ["baseline", "draws", "validation AUC", *names],
            [
                [
                    markdown_name(cell.title),
                    str(len(cell.draws)),
                    spell_mean(cell.validation_auc),
                    *(spell_mean(cell.scores[name]) for name in names),
                ]
                for cell in cells
                if cell.subset == subset
            ],
        )


def _sources(cells: Sequence[BaselineCell]) -> list[str]:
    told = {cell.title: cell.source for cell in cells if cell.source}
    return [
        f"- {markdown_name(title)}: {markdown_name(source)}."
        for title, source in told.items()
    ]


def _row(found: BaselineDifference) -> list[str]:
    return [
        find_backbone(found.backbone).title,
        *map(markdown_name, (found.subset, found.path, found.baseline)),
        str(len(found.seeds)),
        f"{found.clustered.difference:+.3f}",
        spell_interval(found.clustered),
        spell_p_value(found.p_holm),
    ]


def _verdicts(against: Sequence[BaselineDifference]) -> list[str]:
    groups: dict[tuple[str, str, str], list[BaselineDifference]] = {}
    for each in against:
        groups.setdefault((each.backbone, each.subset, each.path), []).append(each)
    return [
        _verdict(f"{find_backbone(network).title}, {path}, {subset}", group)
        for (network, subset, path), group in groups.items()
    ]


def _verdict(about: str, group: Sequence[BaselineDifference]) -> str:
    """Ahead, behind or too close to tell, by the adjusted p value."""
    sides: dict[str, list[str]] = {"ahead of": [], "behind": [], "not told from": []}
    for each in group:
        side = "not told from"
        if each.p_holm is not None and each.p_holm < LEVEL:
            side = "ahead of" if each.clustered.difference > 0 else "behind"
        sides[side].append(each.baseline)
    said = "; ".join(
        f"{side} {len(names)} ({', '.join(map(markdown_name, names))})"
        for side, names in sides.items()
        if names
    )
    return f"- {markdown_name(about)}: of {len(group)} baselines {said}."
