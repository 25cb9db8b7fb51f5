"""Finished runs for a comparison: read, checked, and paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from gastric_keras.config.backbones import NETWORKS
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.cohorts import Cohort, read_cohorts
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.runs.scores import check_config, read_scores, read_split
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError

#: The path without a second stage; the others are named after their mid-level set.
ONE_STAGE = "one stage"
#: Order of the paths in tables and plots; any other comes behind.
PATHS = (ONE_STAGE, "tissue", "nuclei")
#: How a control is spelled, by its variant; {} is its mid-level set.
CONTROLS = {
    "shuffled_labels": "{}, shuffled labels",
    "more_updates": "one stage, updates of {}",
    "joint": "{}, both at once",
}
PROBE = "linear probe"
#: What is added to a mid-level set's name where t=1 learned something else than its
#: classes, by ``mid.task``.
TASKS = {"shares": " shares", "measures": " measures", "self_supervised": ", no label"}
#: Sections of the config that two runs of a pair must share, for the second stage to
#: be all that tells them apart.
SHARED_SECTIONS = ("backbone", "target")


@dataclass(frozen=True)
class FinishedRun:
    """What a comparison needs of one run; rows in the order of their keys."""

    folder: Path
    config: ExperimentConfig
    scores: RunScores
    rows: tuple[tuple, ...]
    label: np.ndarray
    score: np.ndarray
    cohorts: tuple[Cohort, ...] = ()

    @property
    def mid(self) -> str | None:
        """Kind of the mid-level set, and what t=1 learned of it where that was not its
        classes; None: one stage."""
        mid = self.config.mid
        if self.scores.mid is None or mid is None:
            return self.scores.mid
        return self.scores.mid + TASKS.get(mid.task, "")

    @property
    def path(self) -> str:
        """What led to the classifier: one stage, a mid-level set, or a control."""
        if self.config.target.fit.epochs == 0:
            # The backbone as it came, with a regression on top.
            return f"{PROBE} after {self.mid}" if self.mid else PROBE
        mid = self.config.mid
        if mid is not None and mid.variant in CONTROLS:
            return CONTROLS[mid.variant].format(self.mid)
        return self.mid or ONE_STAGE

    @property
    def is_called(self) -> np.ndarray:
        """(n,) bool: which patches its own threshold calls positive."""
        cases = [row[0] for row in self.rows]
        return self.score >= np.array(self.scores.thresholds_of(cases))

    @property
    def is_control(self) -> bool:
        """Whether it is neither of one stage nor of two, but held against them."""
        return self.path not in (ONE_STAGE, self.mid)

    @property
    def labels(self) -> float:
        """Expert labels per class that it was trained on."""
        assert self.scores.labels_per_class is not None, "read_runs refuses such a run"
        return self.scores.labels_per_class

    @property
    def cell(self) -> tuple[str, str]:
        """Network and subset."""
        subset = self.config.target.subset
        return self.config.backbone.name, "all" if subset is None else str(subset)

    @property
    def replicate(self) -> str:
        """Seed of the training; of the draw of the subset and the folds if not 0."""
        draw, made = self.config.target.subset_seed, self.scores.cross_validation
        folds = f", folds {made.seed}" if made is not None and made.seed else ""
        return f"{self.config.seed}" + (f"/{draw}" if draw else "") + folds


@dataclass(frozen=True)
class Pair:
    """Two runs of one network, subset and seed, by their places in the list.

    Attributes:
        one: the run that is held against, such as that of one stage.
        two: the other, such as that of two stages.
        setting: network, subset and path of the other.
        replicate: seed.
    """

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
        InputError: no run, a run not finished or scored by an older version, a
            probability of NaN, other test rows, fewer than two test patches
            of a class, or two runs of the same network, subset, path and seed; the
            message names them.
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
    runs = [_read_run(folder) for folder in folders]
    _check_numbers(runs)
    _check_same_test(runs)
    _check_classes(runs[0])
    _check_distinct(runs)
    networks = list(NETWORKS)
    # Draws of whole cases have each another number of labels.
    size = {
        subset: mean(run.labels for run in runs if run.cell[1] == subset)
        for subset in {run.cell[1] for run in runs}
    }

    def place(run: FinishedRun) -> tuple:
        order = PATHS.index(run.path) if run.path in PATHS else len(PATHS)
        network = networks.index(run.cell[0])
        return network, size[run.cell[1]], order, run.path, run.replicate

    return sorted(runs, key=place)


def _read_run(folder: Path) -> FinishedRun:
    run_dir = RunDir(folder)
    scores = read_scores(run_dir)
    if scores.labels_per_class is None:
        raise InputError(
            "report.json must hold labels_per_class, got "
            f"{run_dir.report_json} of an older version. Run --stage evaluate: it "
            "scores the kept predictions again."
        )
    if scores.fold is not None:
        raise InputError(
            "Runs must be scored on all test cases, got "
            f"{folder} of fold {scores.fold.number} of {scores.fold.count}. Pool the "
            "runs of all folds with --stage crossval --runs DIR DIR, and compare what "
            "it writes."
        )
    config = config_io.load(ExperimentConfig, run_dir.config)
    check_config(config, scores)
    test = read_split(run_dir, "test", scores)
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


def _check_numbers(runs: Sequence[FinishedRun]) -> None:
    bad = [f"{r.folder} ({why})" for r in runs if (why := not_numbers(r.score))]
    if bad:
        # Left out in silence, a path would look better for its failures.
        raise InputError(
            "Test probabilities must be numbers in every run, got "
            f"{'; '.join(bad)}. Train them again, or leave them out and say so."
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


def _check_distinct(runs: Sequence[FinishedRun]) -> None:
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


def find_pairs(runs: Sequence[FinishedRun]) -> list[Pair]:
    """Each run of two stages with the run of one of its network, subset and seed."""
    two = {run.path for run in runs if run.mid is not None and not run.is_control}
    pairs = [pair for path in two for pair in pair_paths(runs, ONE_STAGE, path)]
    return sorted(pairs, key=lambda pair: pair.two)


def pair_paths(runs: Sequence[FinishedRun], base: str, other: str) -> list[Pair]:
    """Runs of two paths, each with the one of its network, subset and seed.

    Args:
        runs: of :func:`read_runs`.
        base: path that is held against.
        other: the other path.

    Returns:
        In the order of the runs.
    """
    one = {(r.cell, r.replicate): i for i, r in enumerate(runs) if r.path == base}
    return [
        Pair(one[run.cell, run.replicate], i, (*run.cell, other), run.replicate)
        for i, run in enumerate(runs)
        if run.path == other and (run.cell, run.replicate) in one
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
