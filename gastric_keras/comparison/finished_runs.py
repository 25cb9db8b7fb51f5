"""Finished runs for a comparison: read, checked, and paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.comparison.paths import PlacedRun, in_order
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.cohorts import Cohort, read_cohorts
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.scores import check_config, read_scores, read_split
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class FinishedRun(PlacedRun):
    """What a comparison needs of one run; rows in the order of their keys."""

    scores: RunScores
    label: np.ndarray
    score: np.ndarray
    cohorts: tuple[Cohort, ...] = ()

    @property
    def is_called(self) -> np.ndarray:
        """(n,) bool: which patches its own threshold calls positive."""
        cases = [row[0] for row in self.rows]
        return self.score >= np.array(self.scores.thresholds_of(cases))


def read_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read finished runs of one test split, in the order of the paper's tables.

    Args:
        folders: of the runs.

    Returns:
        The runs by network, subset, path (one stage first) and seed.

    Raises:
        InputError: no run, a run not finished or scored by an older version, a
            probability of NaN, other test rows, fewer than two test patches
            of a class, or two runs of the same network, subset, path and seed; the
            message names them.
    """
    check_finished(folders)
    runs = [_read_run(folder) for folder in folders]
    _check_numbers(runs)
    check_same_test(runs)
    _check_classes(runs[0])
    check_distinct(runs)
    return in_order(runs)


def check_finished(folders: Sequence[Path]) -> None:
    """Check that folders are of finished runs.

    Raises:
        InputError: none, or one that is not finished.
    """
    if not folders:
        raise InputError(
            "runs must name folders of finished runs, got none. Name them with --runs "
            "DIR DIR."
        )
    missing = []
    for folder in folders:
        run_dir = RunDir(folder)
        files = [run_dir.config, run_dir.done("evaluate")]
        files += [run_dir.report_json, run_dir.predictions("test")]
        absent = [str(f.relative_to(folder)) for f in files if not f.is_file()]
        if absent:
            missing.append(f"{folder} (without {', '.join(absent)})")
    if missing:
        raise InputError(
            f"Every run must be finished, got {'; '.join(missing)}. Run --stage "
            "evaluate of each first, or leave it out."
        )


def _read_run(folder: Path) -> FinishedRun:
    run_dir = RunDir(folder)
    scores = read_scores(run_dir)
    config, test = read_test(folder, scores)
    rows, label, score = test.rows_by_key(scores.positive)
    return FinishedRun(
        folder=folder,
        config=config,
        scores=scores,
        rows=rows,
        label=label,
        score=score,
        cohorts=tuple(read_cohorts(run_dir)),
    )


def read_test(
    folder: Path, scores: RunScores | ClassScores
) -> tuple[ExperimentConfig, Predictions]:
    """Config and test predictions of a finished run.

    Args:
        folder: of the run.
        scores: that lie in it.

    Raises:
        InputError: scores of one fold, of an older version, or that do not fit the
            config or the predictions.
    """
    run_dir = RunDir(folder)
    _check_whole(scores, run_dir)
    config = config_io.load(ExperimentConfig, run_dir.config)
    check_config(config, scores)
    return config, read_split(run_dir, "test", scores)


def _check_whole(scores: RunScores | ClassScores, run_dir: RunDir) -> None:
    if scores.labels_per_class is None:
        raise InputError(
            "report.json must hold labels_per_class, got "
            f"{run_dir.report_json} of an older version. Run --stage evaluate: it "
            "scores the kept predictions again."
        )
    if scores.fold is not None:
        raise InputError(
            "Runs must be scored on all test cases, got "
            f"{run_dir.root} of fold {scores.fold.number} of {scores.fold.count}. Pool "
            "the runs of all folds with --stage crossval --runs DIR DIR, and compare "
            "what it writes."
        )


def _check_numbers(runs: Sequence[FinishedRun]) -> None:
    bad = [f"{r.folder} ({why})" for r in runs if (why := not_numbers(r.score))]
    if bad:
        # Left out in silence, a path would look better for its failures.
        raise InputError(
            "Test probabilities must be numbers in every run, got "
            f"{'; '.join(bad)}. Train them again, or leave them out and say so."
        )


def check_same_test(runs: Sequence[PlacedRun]) -> None:
    """Check that runs were scored on the same rows.

    Raises:
        InputError: naming those that are not.
    """
    first = runs[0]
    others = []
    for run in runs[1:]:
        if run.rows != first.rows:
            here, there = set(run.rows), set(first.rows)
            others.append(
                f"{run.folder} ({len(here - there)} rows that the first run lacks, "
                f"{len(there - here)} the other way)"
            )
    if others:
        raise InputError(
            "Runs must be scored on the same test rows (case, image, x, y, label), "
            f"those of {first.folder}, got {'; '.join(others)}. "
            "Compare runs of one target set only."
        )


def _check_classes(run: FinishedRun) -> None:
    positives = int(run.label.sum())
    if min(positives, run.label.size - positives) < 2:
        raise InputError(
            "The test split must have two or more patches of each class, "
            f"got {run.folder} with {positives} positive of {run.label.size}. "
            "Make a target set with a larger test split."
        )


def check_distinct(runs: Sequence[PlacedRun]) -> None:
    """Check that no two runs are of one place.

    Raises:
        InputError: naming those that are not.
    """
    seen: dict[tuple, Path] = {}
    for run in runs:
        key = (*run.cell, run.path, run.replicate)
        if key in seen:
            raise InputError(
                "Each network, subset, path and seed must have one run, "
                f"got {seen[key]} and {run.folder}, both "
                f"{run.cell[0]}, {run.cell[1]}, {run.path}, "
                f"seed {run.replicate}. Leave one of them out."
            )
        seen[key] = run.folder
