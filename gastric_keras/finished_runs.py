"""Finished runs for a comparison: read, checked, and paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gastric_keras import config_io
from gastric_keras.config import ExperimentConfig
from gastric_keras.errors import InputError
from gastric_keras.evaluate import read_predictions
from gastric_keras.files import read_json
from gastric_keras.run_dir import RunDir
from gastric_keras.tables import NETWORKS, positives_of

#: Path in the ladder -> column of the tables; None: one stage.
PATHS: dict[str | None, str] = {
    None: "one stage",
    "tissue": "tissue",
    "nuclei": "nuclei",
}
#: Sections of the config that two runs of a pair must share, for the second stage to
#: be all that tells them apart.
SHARED_SECTIONS = ("backbone", "target")


@dataclass(frozen=True)
class FinishedRun:
    """What a comparison needs of one run; rows in the order of their keys."""

    folder: Path
    config: ExperimentConfig
    scores: dict[str, Any]
    rows: tuple[tuple, ...]
    label: np.ndarray
    score: np.ndarray

    @property
    def mid(self) -> str | None:
        """Kind of the mid-level set; None: one stage."""
        return self.scores["mid"]

    @property
    def cell(self) -> tuple[str, str]:
        """Network and subset."""
        subset = self.config.target.subset
        return self.config.backbone.name, "all" if subset is None else str(subset)

    @property
    def replicate(self) -> str:
        """Seed of the training, and of the draw of the subset if it is not 0."""
        draw = self.config.target.subset_seed
        return f"{self.config.seed}" + (f"/{draw}" if draw else "")


@dataclass(frozen=True)
class Pair:
    """A run of one stage and one of two that differ in nothing else."""

    one: int
    two: int
    setting: tuple[str, str, str]
    replicate: str


def read_runs(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read finished runs of one test split, in the order of the paper's tables.

    Args:
        folders: of the runs.

    Returns:
        The runs by network, subset, path (one stage first) and seed.

    Raises:
        InputError: no run, a run not finished, other test rows, fewer than two test
            patches of a class, or two runs of the same network, subset, mid-level set
            and seed; the message names them.
    """
    if not folders:
        raise InputError(
            "Folders of finished runs were expected. Received: runs=(). Name them with "
            "--runs DIR DIR."
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
            f"Finished runs were expected. Received: {'; '.join(missing)}. Run --stage "
            "evaluate of each first, or leave it out."
        )
    runs = [_read_run(folder) for folder in folders]
    _check_same_test(runs)
    _check_classes(runs[0])
    _check_distinct(runs)
    networks, paths = list(NETWORKS), list(PATHS)

    def place(run: FinishedRun) -> tuple:
        order = paths.index(run.mid) if run.mid in paths else len(paths)
        backbone, subset = run.cell
        return networks.index(backbone), _size(subset), order, run.replicate

    return sorted(runs, key=place)


def _read_run(folder: Path) -> FinishedRun:
    run_dir = RunDir(folder)
    scores = read_json(run_dir.report_json)
    test = read_predictions(run_dir.predictions("test"))
    label, score = positives_of(test, scores["positive"])
    columns = (test.case_id, test.image_id, test.x, test.y, label)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return FinishedRun(
        folder=folder,
        config=config_io.load(ExperimentConfig, run_dir.config),
        scores=scores,
        rows=tuple(rows[i] for i in order),
        label=label[order],
        score=score[order],
    )


def _check_same_test(runs: Sequence[FinishedRun]) -> None:
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
            "Runs scored on the same test rows (case, image, x, y, label) were "
            f"expected, those of {first.folder}. Received: {'; '.join(others)}. "
            "Compare runs of one target set only."
        )


def _check_classes(run: FinishedRun) -> None:
    positives = int(run.label.sum())
    if min(positives, run.label.size - positives) < 2:
        raise InputError(
            "A test split with two or more patches of each class was expected. "
            f"Received: {run.folder} with {positives} positive of {run.label.size}. "
            "Make a target set with a larger test split."
        )


def _size(subset: str) -> tuple[int, str]:
    """Small before large, numbers (n20 too) by size, all at the end."""
    digits = subset.removeprefix("n")
    if digits.isdigit():
        return int(digits), ""
    named = {"small": -2, "large": -1, "all": 1 << 62}
    return named.get(subset, 0), subset


def _check_distinct(runs: Sequence[FinishedRun]) -> None:
    seen: dict[tuple, Path] = {}
    for run in runs:
        key = (*run.cell, run.mid, run.replicate)
        if key in seen:
            raise InputError(
                "One run for each network, subset, mid-level set and seed was "
                f"expected. Received: {seen[key]} and {run.folder}, both "
                f"{run.cell[0]}, {run.cell[1]}, {run.mid or 'one stage'}, "
                f"seed {run.replicate}. Leave one of them out."
            )
        seen[key] = run.folder


def find_pairs(runs: Sequence[FinishedRun]) -> list[Pair]:
    """Each run of two stages with the run of one of its network, subset and seed."""
    one = {(r.cell, r.replicate): i for i, r in enumerate(runs) if r.mid is None}
    return [
        Pair(one[run.cell, run.replicate], i, (*run.cell, run.mid), run.replicate)
        for i, run in enumerate(runs)
        if run.mid is not None and (run.cell, run.replicate) in one
    ]


def other_changes(one: ExperimentConfig, two: ExperimentConfig) -> list[str]:
    """What tells two configs apart besides the mid-level stage, in words."""
    a, b = config_io.to_dict(one), config_io.to_dict(two)
    return [
        f"{section}.{key} ({a[section][key]} and {b[section][key]})"
        for section in SHARED_SECTIONS
        for key in a[section]
        if a[section][key] != b[section][key]
    ]
