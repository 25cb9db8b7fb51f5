"""Finished baselines on the test split of the runs: their scores, and who is ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gastric_keras.comparison.contrasts import DrawnRuns
from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.comparison.results import (
    BaselineCell,
    BaselineDifference,
    table_scores,
)
from gastric_keras.runs.baselines import Baseline, finished_baselines, read_baselines
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.bootstrap import auc_draws
from gastric_keras.statistics.paired import holm, pool_differences
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class _Found:
    """A baseline, where it lies, and what it was trained on."""

    folder: Path
    baseline: Baseline

    @property
    def subset(self) -> str:
        subset = self.baseline.scores.subset
        return "all" if subset is None else str(subset)

    @property
    def draw(self) -> int:
        """All labels are the same whatever the draw."""
        scores = self.baseline.scores
        return 0 if scores.subset is None else scores.subset_seed


def has_baselines_only(folder: Path) -> bool:
    """Whether a folder holds finished baselines, and no network was begun in it."""
    run_dir = RunDir(folder)
    begun = run_dir.stage("target").exists() or run_dir.stage("evaluate").exists()
    return bool(finished_baselines(run_dir)) and not begun


def compare_baselines(
    folders: Sequence[Path], drawn: DrawnRuns
) -> tuple[tuple[BaselineCell, ...], tuple[BaselineDifference, ...]]:
    """The baselines beside the runs.

    Args:
        folders: of runs, with finished baselines or without.
        drawn: the runs.

    Returns:
        Their scores by subset, and of each network, subset and path the AUC less that
        of each baseline with the same labels, paired by case; p values adjusted over
        all of them (Holm).

    Raises:
        InputError: other test patches than the runs', or two results of one baseline
            and the same labels.
    """
    found = _distinct(
        [
            _Found(folder, baseline)
            for folder in folders
            if finished_baselines(RunDir(folder))
            for baseline in read_baselines(folder)
        ]
    )
    if not found:
        return (), ()
    _check_same_test(found, drawn.runs[0])
    return _cells(found), _differences(found, drawn)


def _distinct(found: Sequence[_Found]) -> list[_Found]:
    """Each once: run folders of several seeds hold the same result several times."""
    seen: dict[tuple, _Found] = {}
    for each in found:
        key = (each.baseline.name, each.subset, each.draw)
        first = seen.setdefault(key, each)
        if not np.array_equal(first.baseline.score, each.baseline.score):
            raise InputError(
                "Each baseline must have one result for the same labels, got "
                f"{first.folder} and {each.folder} with different ones of "
                f"{each.baseline.title}, {each.subset}. Leave one of them out, or run "
                "--stage baselines of both again."
            )
    return list(seen.values())


def _check_same_test(found: Sequence[_Found], run: FinishedRun) -> None:
    for each in found:
        here, there = set(each.baseline.rows), set(run.rows)
        if here != there:
            raise InputError(
                "Baselines must be scored on the test rows of the runs, those of "
                f"{run.folder}, got {each.folder} ({each.baseline.title}: "
                f"{len(here - there)} rows that the run lacks, {len(there - here)} the "
                "other way). Compare results of one target set only."
            )


def _groups(found: Sequence[_Found]) -> dict[tuple[str, str], list[_Found]]:
    groups: dict[tuple[str, str], list[_Found]] = {}
    for each in found:
        groups.setdefault((each.subset, each.baseline.name), []).append(each)
    return groups


def _cells(found: Sequence[_Found]) -> tuple[BaselineCell, ...]:
    cells = []
    for (subset, name), group in _groups(found).items():
        scores = [table_scores(each.baseline.scores.test.patch) for each in group]
        cells.append(
            BaselineCell(
                name=name,
                title=group[0].baseline.title,
                subset=subset,
                draws=tuple(each.draw for each in group),
                runs=tuple(str(each.folder) for each in group),
                source=group[0].baseline.scores.source,
                validation_auc=tuple(e.baseline.scores.validation_auc for e in group),
                scores={key: tuple(each[key] for each in scores) for key in scores[0]},
            )
        )
    return tuple(cells)


def _differences(
    found: Sequence[_Found], drawn: DrawnRuns
) -> tuple[BaselineDifference, ...]:
    first = drawn.runs[0]
    auc = [e.baseline.scores.test.patch.scores["auc"].value for e in found]
    case_id = np.array([row[0] for row in first.rows])
    scores = np.stack([each.baseline.score for each in found])
    on_draws = auc_draws(first.label, scores, case_id, drawn.draws)
    settings: dict[tuple[str, str, str], list[int]] = {}
    for i, run in enumerate(drawn.runs):
        if not run.is_control:
            settings.setdefault((*run.cell, run.path), []).append(i)
    differences = []
    for (backbone, subset, path), mine in settings.items():
        for (their_subset, _), group in _groups(found).items():
            by_draw = {each.draw: found.index(each) for each in group}
            ours = [i for i in mine if _draw(drawn.runs[i]) in by_draw]
            if their_subset != subset or not ours:
                continue
            theirs = [by_draw[_draw(drawn.runs[i])] for i in ours]
            value = drawn.auc[ours] - np.array(auc)[theirs]
            replicates = [drawn.runs[i].replicate for i in ours]
            pooled = pool_differences(
                value,
                drawn.drawn[ours] - on_draws[theirs],
                setting=[path] * len(ours),
                replicate=replicates,
                cases=drawn.rarer,
                draws=drawn.draws,
            )
            seeds = dict(zip(replicates, value.tolist(), strict=True))
            title = group[0].baseline.title
            differences.append(
                BaselineDifference(
                    backbone, subset, path, title, seeds, pooled, pooled.p_value
                )
            )
    adjusted = holm([each.clustered.p_value for each in differences])
    return tuple(
        replace(each, p_holm=p) for each, p in zip(differences, adjusted, strict=True)
    )


def _draw(run: FinishedRun) -> int:
    target = run.config.target
    return 0 if target.subset is None else target.subset_seed
