"""Runs of more than two classes side by side: scores, and two stages against one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gastric_keras.comparison.cells import spell_interval, spell_names, spell_p_value
from gastric_keras.comparison.class_runs import (
    ClassRun,
    macro_difference,
    macro_draws,
    read_class_runs,
)
from gastric_keras.comparison.notes import spell_notes
from gastric_keras.comparison.paths import ONE_STAGE, Pair, find_pairs
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import PooledDifference, holm
from gastric_keras.statistics.scores import Score
from gastric_keras.statistics.words import spell_score
from gastric_keras.support.files import write_atomic, write_json
from gastric_keras.support.text import markdown_name, text_table

#: Key in report.json -> title of the column.
_SCORES = {
    "auc": "macro AUC",
    "balanced_accuracy": "balanced accuracy",
    "kappa_quadratic": "kappa, quadratic",
}


@dataclass(frozen=True)
class ClassRunScores:
    """Scores of one run, with the intervals of its report.json.

    Attributes:
        folder: of the run.
        backbone: network.
        subset: of the training patches.
        path: one stage, a mid-level set, or a control.
        replicate: seed.
        patch: by the keys of ``_SCORES``; kappa of ordered classes only.
        case: the same of whole cases.
    """

    folder: str
    backbone: str
    subset: str
    path: str
    replicate: str
    patch: dict[str, Score]
    case: dict[str, Score]


@dataclass(frozen=True)
class MacroDifference:
    """Macro AUC per patch of two stages less that of one, of one setting.

    Attributes:
        backbone: network.
        subset: of the training patches.
        path: of the two stages.
        found: over its seeds.
        p_holm: p value adjusted over all settings.
    """

    backbone: str
    subset: str
    path: str
    found: PooledDifference
    p_holm: float | None


@dataclass(frozen=True)
class ClassComparison:
    """Finished runs of equal classes, compared: ``comparison.json``.

    Attributes:
        classes: in label order.
        ordered: whether they are a ladder.
        patches: of the test split.
        cases: of the test split.
        bootstrap: number of paired draws of cases.
        seed: of the draws.
        runs: one a run.
        differences: one a setting.
        notes: what limits them.
    """

    classes: tuple[str, ...]
    ordered: bool
    patches: int
    cases: int
    bootstrap: int
    seed: int
    runs: tuple[ClassRunScores, ...]
    differences: tuple[MacroDifference, ...]
    notes: tuple[str, ...]


def compare_classes(
    folders: Sequence[Path], out: Path, draws: Draws = Draws()
) -> ClassComparison:
    """Compare finished runs of equal classes on the same test split.

    Writes ``tables.md`` and ``comparison.json``.

    Args:
        folders: of finished runs, of any networks, subsets and seeds.
        out: folder to write to.
        draws: of cases, paired.

    Returns:
        The comparison.

    Raises:
        InputError: as :func:`read_class_runs`.
    """
    runs = read_class_runs(folders)
    pairs = find_pairs(runs)
    first = runs[0].scores
    found = ClassComparison(
        classes=first.classes,
        ordered=first.ordered,
        patches=first.test.patch.n,
        cases=first.test.cases,
        bootstrap=draws.draws,
        seed=draws.seed,
        runs=tuple(_scores_of(run) for run in runs),
        differences=_differences(runs, pairs, draws),
        notes=(*spell_notes(runs, pairs), *_cohort_notes(runs)),
    )
    write_atomic(out / "tables.md", spell_class_tables(found))
    write_json(out / "comparison.json", asdict(found))
    return found


def _cohort_notes(runs: Sequence[ClassRun]) -> Iterator[str]:
    scored = sum(RunDir(run.folder).external.is_dir() for run in runs)
    if scored:
        yield (
            f"External cohorts of {scored} of the runs are left out: of more than two "
            "classes each run's own report.html shows them."
        )


def _scores_of(run: ClassRun) -> ClassRunScores:
    patch, case = (
        {key: unit.scores[key] for key in _SCORES if key in unit.scores}
        for unit in (run.scores.test.patch, run.scores.test.case)
    )
    backbone, subset = run.cell
    return ClassRunScores(
        str(run.folder), backbone, subset, run.path, run.replicate, patch, case
    )


def _differences(
    runs: Sequence[ClassRun], pairs: Sequence[Pair], draws: Draws
) -> tuple[MacroDifference, ...]:
    if not pairs:
        return ()
    drawn = macro_draws(runs, draws)
    settings = list(dict.fromkeys(pair.setting for pair in pairs))
    found = [
        macro_difference(runs, drawn, [p for p in pairs if p.setting == each], draws)
        for each in settings
    ]
    adjusted = holm([each.p_value for each in found])
    return tuple(
        MacroDifference(*setting, each, p)
        for setting, each, p in zip(settings, found, adjusted, strict=True)
    )


def spell_class_tables(comparison: ClassComparison) -> str:
    """Scores of each run, differences and notes, as Markdown.

    Args:
        comparison: of finished runs.
    """
    order = ", a ladder in this order" if comparison.ordered else ""
    parts = [
        "# Two stages against one",
        f"{len(comparison.classes)} classes: {', '.join(comparison.classes)}{order}. "
        f"Test split: {comparison.patches} patches of {comparison.cases} cases, the "
        "same for every run. Intervals draw whole cases.",
    ]
    for unit in ("patch", "case"):
        parts += [f"## Scores per {unit}", _score_table(comparison, unit)]
    parts.append(f"## Difference to {ONE_STAGE}")
    if comparison.differences:
        parts += [
            "Macro AUC per patch, paired by case. No decision is read off it: the "
            "margins of the verdict were made for two classes.",
            _difference_table(comparison.differences),
        ]
    else:
        parts.append(
            "No run of two stages stands beside a run of one stage with the same "
            "network, subset and seed: there is nothing to compare."
        )
    if comparison.notes:
        notes = "\n".join(f"- {markdown_name(note)}" for note in comparison.notes)
        parts += ["## Notes", notes]
    return "\n\n".join(parts) + "\n"


def _score_table(comparison: ClassComparison, unit: str) -> str:
    keys = list(comparison.runs[0].patch)
    rows = []
    for run in comparison.runs:
        spelled = [spell_score(getattr(run, unit)[key]) for key in keys]
        cells = [f"{s.value} ({s.beside})" if s.beside else s.value for s in spelled]
        names = spell_names(run.backbone, run.subset, run.path)
        rows.append([*names, run.replicate, *cells])
    titles = [_SCORES[key] for key in keys]
    return text_table(["network", "subset", "path", "seed", *titles], rows)


def _difference_table(differences: Sequence[MacroDifference]) -> str:
    rows = [
        [
            *spell_names(each.backbone, each.subset, each.path),
            str(each.found.seeds),
            f"{each.found.difference:+.3f}",
            spell_interval(each.found),
            spell_p_value(each.p_holm),
        ]
        for each in differences
    ]
    titles = ["seeds", "difference", "by case", "p (Holm)"]
    return text_table(["network", "subset", "path", *titles], rows)
