"""Runs that may be averaged: of equal settings, on the same patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.comparison.finished_runs import FinishedRun, read_runs
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.fold_runs import FoldRun
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.scores import read_split, require_target
from gastric_keras.runs.shapes import Provenance, read_provenance
from gastric_keras.serving.metadata import EnsembleMember
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of
from gastric_keras.training.start import check_weights

#: What the members of an ensemble may differ in, beside their names and seeds.
_FREE = ("target.subset_seed", "mid.init")


@dataclass(frozen=True)
class SplitAnswers:
    """What the members say of the patches of one split, in the order of their keys.

    Attributes:
        rows: (case_id, image_id, x, y, label) of each, label 1 for the positive class.
        label: (n,) 0 or 1.
        scores: (members, n) float64, probability of the positive class.
    """

    rows: tuple[tuple, ...]
    label: np.ndarray
    scores: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """(n,) mean over the members."""
        return self.scores.mean(axis=0)

    @property
    def spread(self) -> np.ndarray:
        """(n,) standard deviation between the members, with n - 1."""
        return self.scores.std(axis=0, ddof=1)

    @property
    def case_id(self) -> np.ndarray:
        """(n,) str."""
        return np.array([row[0] for row in self.rows])

    def predictions(self, classes: tuple[str, ...], positive: str) -> Predictions:
        """The mean as predictions of one classifier.

        Args:
            classes: in label order, two.
            positive: one of them.
        """
        index = classes.index(positive)
        probability = np.empty((len(self.rows), 2), np.float32)
        probability[:, index] = self.mean
        probability[:, 1 - index] = 1 - probability[:, index]
        case_id, image_id, x, y, _ = map(np.array, zip(*self.rows, strict=True))
        label = np.where(self.label == 1, index, 1 - index)
        return Predictions(classes, case_id, image_id, x, y, label, probability)


def read_members(folders: Sequence[Path]) -> list[FinishedRun]:
    """Read the runs and check that their mean is of one kind of model.

    Args:
        folders: of two finished runs or more.

    Raises:
        InputError: fewer than two, what ``read_runs`` refuses, other settings, classes
            or positive class, a target set made again in between, weights that are
            missing, changed or equal, or a probability of NaN.
    """
    require(
        len(folders) >= 2,
        "An ensemble must have two runs or more",
        "Name the folders of several seeds with --runs DIR DIR.",
        runs=[str(folder) for folder in folders],
    )
    runs = read_runs(folders)
    for run in runs:
        require_target(RunDir(run.folder))
    first = runs[0]
    for run in runs[1:]:
        held, other = _settings(first.config), _settings(run.config)
        changed = sorted(
            key for key in held.keys() | other.keys() if held.get(key) != other.get(key)
        )
        if changed:
            raise InputError(
                "The runs of an ensemble must have equal settings but for their seeds, "
                f"got {first.folder} and {run.folder}, which differ in "
                f"{', '.join(changed)}. Average runs of one setting only."
            )
    _check_same_set(runs)
    check_networks(runs)
    return runs


def _check_same_set(runs: Sequence[FinishedRun]) -> None:
    """A set made again between two trainings may have other training cases."""
    made: dict[str, Path] = {}
    for run in runs:
        path = RunDir(run.folder).provenance
        # A run that came without one says nothing of its set.
        held = read_provenance(path) if path.is_file() else Provenance()
        digest = held.manifest_sha256(run.config.target.records)
        if digest is not None:
            made.setdefault(digest, run.folder)
    require(
        len(made) < 2,
        "The runs of an ensemble must be trained on one target set",
        "The set was made again between them: train those of the older one again.",
        manifests={str(folder): digest for digest, folder in made.items()},
    )


def check_networks(runs: Sequence[FinishedRun | FoldRun]) -> None:
    """Check that each run has a network of its own.

    Args:
        runs: finished.

    Raises:
        InputError: weights that are missing, changed, or equal to those of another run.
    """
    seen: dict[str, Path] = {}
    for run in runs:
        path = RunDir(run.folder).weights("target")
        require(
            path.is_file(),
            "Every run of an ensemble must have its weights",
            "Copy the whole folder of the run, or run --stage target --force.",
            missing=str(path),
        )
        check_weights(path)
        digest = sha256_of(path)
        if digest in seen:
            raise InputError(
                "The runs of an ensemble must be different networks, got "
                f"{seen[digest]} and {run.folder} with equal weights. Leave one of "
                "them out: equal members show no spread."
            )
        seen[digest] = run.folder


def _settings(config: ExperimentConfig) -> dict[str, object]:
    """Dotted key -> value, of what decides the weights."""
    tree = config_io.to_dict(config)
    told = {key: tree[key] for key in ("backbone", "mid", "target")}
    told["runtime"] = {"precision": config.runtime.precision}
    flat = {
        f"{section}.{key}": value
        for section, values in told.items()
        for key, value in (values or {"": None}).items()
    }
    return {key: value for key, value in flat.items() if key not in _FREE}


def read_answers(runs: Sequence[FinishedRun]) -> dict[str, SplitAnswers]:
    """What the members say of validation and test.

    Args:
        runs: of :func:`read_members`.

    Raises:
        InputError: other validation patches, or predictions that were changed.
    """
    answers = {}
    for split in SCORED_SPLITS:
        held = [
            read_split(RunDir(run.folder), split, run.scores).rows_by_key(
                run.scores.positive
            )
            for run in runs
        ]
        rows, label, _ = held[0]
        for run, (others, _, _) in zip(runs, held, strict=True):
            if others != rows:
                raise InputError(
                    f"The runs of an ensemble must have the same {split} patches, got "
                    f"{runs[0].folder} with {len(rows)} and {run.folder} with "
                    f"{len(others)}, {len(set(others) ^ set(rows))} of them in one "
                    "only. Average runs of one target set and one validation split."
                )
        scores = np.stack([score for _, _, score in held])
        require(
            bool(np.isfinite(scores).all()),
            f"Probabilities of split {split} must be numbers in every run",
            "Train that run again, or leave it out.",
            runs=[
                str(run.folder)
                for run, mine in zip(runs, scores, strict=True)
                if not np.isfinite(mine).all()
            ],
        )
        answers[split] = SplitAnswers(rows, label, scores)
    return answers


def describe_members(runs: Sequence[FinishedRun]) -> tuple[EnsembleMember, ...]:
    """Name, seeds and checksum of each."""
    return tuple(
        EnsembleMember(
            name=run.config.name,
            seed=run.config.seed,
            subset_seed=run.config.target.subset_seed,
            weights_sha256=sha256_of(RunDir(run.folder).weights("target")),
        )
        for run in runs
    )
