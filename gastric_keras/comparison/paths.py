"""Where a finished run stands among others: its path, its cell, its partner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TypeVar

from gastric_keras.config.backbones import NETWORKS
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.score_shapes import BETWEEN_KINDS, ClassScores, RunScores
from gastric_keras.support import config_io

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
class PlacedRun:
    """A finished run, and where it stands among others.

    Attributes:
        folder: of the run.
        config: of the run.
        scores: of the run.
        rows: (case_id, image_id, x, y, label) of each test patch, in their order.
    """

    folder: Path
    config: ExperimentConfig
    scores: RunScores | ClassScores
    rows: tuple[tuple, ...]

    @property
    def mid(self) -> str | None:
        """Kind of the mid-level set, or of both, and what t=1 learned of it where that
        was not its classes; None: one stage."""
        mid = self.config.mid
        if self.scores.mid is None or mid is None:
            return self.scores.mid
        kinds = self.scores.mid.split(BETWEEN_KINDS)
        return BETWEEN_KINDS.join(
            kind + TASKS.get(part.task, "") for kind, part in zip(kinds, mid.parts)
        )

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


Run = TypeVar("Run", bound=PlacedRun)


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


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Runs by network, subset, path (one stage first) and seed, as in the paper."""
    networks = list(NETWORKS)
    # Draws of whole cases have each another number of labels.
    size = {
        subset: mean(run.labels for run in runs if run.cell[1] == subset)
        for subset in {run.cell[1] for run in runs}
    }

    def place(run: Run) -> tuple:
        order = PATHS.index(run.path) if run.path in PATHS else len(PATHS)
        network = networks.index(run.cell[0])
        return network, size[run.cell[1]], order, run.path, run.replicate

    return sorted(runs, key=place)


def find_pairs(runs: Sequence[PlacedRun]) -> list[Pair]:
    """Each run of two stages with the run of one of its network, subset and seed."""
    two = {run.path for run in runs if run.mid is not None and not run.is_control}
    pairs = [pair for path in two for pair in pair_paths(runs, ONE_STAGE, path)]
    return sorted(pairs, key=lambda pair: pair.two)


def pair_paths(runs: Sequence[PlacedRun], base: str, other: str) -> list[Pair]:
    """Runs of two paths, each with the one of its network, subset and seed.

    Args:
        runs: finished.
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
