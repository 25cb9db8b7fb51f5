"""The finished runs of a cross-validation: read, checked, and grouped by setting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.scoring import scaled
from gastric_keras.records.manifest import MANIFEST_NAME, Fold, read_manifest
from gastric_keras.runs.predictions import COLUMNS, Predictions
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.score_shapes import ClassScores, CrossValidation, RunScores
from gastric_keras.runs.scores import (
    check_config,
    has_class_scores,
    read_class_scores,
    read_scores,
    read_split,
)
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.streams import warn

AnyScores = TypeVar("AnyScores", RunScores, ClassScores)


@dataclass(frozen=True)
class FoldRun:
    """The finished run of one fold; predictions by split."""

    folder: Path
    config: ExperimentConfig
    scores: RunScores | ClassScores
    fold: Fold
    predictions: dict[str, Predictions]


def group_folds(folders: Sequence[Path]) -> list[list[FoldRun]]:
    """Read finished runs; those of each setting, by fold.

    Args:
        folders: of the runs of all folds, of any settings.

    Raises:
        InputError: a run that is not finished or not of a fold, a fold that is missing
            or there twice, a case that two folds test, or folds of two target sets.
    """
    groups: dict[str, list[FoldRun]] = defaultdict(list)
    for folder in folders:
        run = _read_run(Path(folder))
        groups[_setting(run)].append(run)
    for runs in groups.values():
        runs.sort(key=lambda run: run.fold.number)
        _check_folds(runs)
        _check_one_set(runs)
    return list(groups.values())


def _read_run(folder: Path) -> FoldRun:
    run_dir = RunDir(folder)
    files = [run_dir.config, run_dir.done("evaluate")]
    if absent := [str(file) for file in files if not file.is_file()]:
        raise InputError(
            f"Every run must be finished, got {folder} without {absent[0]}. Run "
            "--stage evaluate of it first, or leave it out."
        )
    is_multiclass = has_class_scores(run_dir)
    scores = read_class_scores(run_dir) if is_multiclass else read_scores(run_dir)
    config = config_io.load(ExperimentConfig, run_dir.config)
    check_config(config, scores)
    if scores.fold is None:
        raise InputError(
            f"Stage crossval must get runs of folds, got {folder}, whose target set is "
            f"whole. Make folds with python -m data_prep folds {config.target.records} "
            "--out DIR, and train on each."
        )
    predictions = {split: read_split(run_dir, split, scores) for split in SCORED_SPLITS}
    return FoldRun(folder, config, scores, scores.fold, predictions)


def _setting(run: FoldRun) -> str:
    """All that the runs of one cross-validation share."""
    tree = config_io.to_dict(run.config)
    del tree["name"], tree["target"]["records"]
    # Where it ran is no setting; its precision is.
    tree["runtime"] = tree["runtime"]["precision"]
    return f"{tree} {run.fold.count} {run.fold.seed}"


def _check_folds(runs: Sequence[FoldRun]) -> None:
    found = [run.fold.number for run in runs]
    wanted = list(range(1, runs[0].fold.count + 1))
    if found != wanted:
        missing = sorted(set(wanted) - set(found))
        twice = sorted({number for number in found if found.count(number) > 1})
        faults = [f"without fold {', '.join(map(str, missing))}"] if missing else []
        faults += [f"with fold {', '.join(map(str, twice))} twice"] if twice else []
        raise InputError(
            f"A setting must have a run of each of its {len(wanted)} folds, got "
            f"{', '.join(str(run.folder) for run in runs)}, {' and '.join(faults)}. "
            "Name the runs of all folds with --runs, each once; those of one setting "
            "differ in name and target.records only."
        )
    seen: dict[str, FoldRun] = {}
    for run in runs:
        for case in tested_cases(run):
            if case in seen:
                raise InputError(
                    f"Each case must be tested by one fold, got {case} in the test "
                    f"splits of {seen[case].folder} and {run.folder}. Train on folds "
                    "of one data_prep folds only."
                )
            seen[case] = run


def _check_one_set(runs: Sequence[FoldRun]) -> None:
    """Folds of two sets may test no case twice, and still leave cases out."""
    held: dict[frozenset[str], FoldRun] = {}
    for run in runs:
        records = Path(run.config.target.records)
        if not (records / MANIFEST_NAME).is_file():
            warn(
                f"{run.folder}: its set {records} is not there, so nothing can check "
                "that all folds are of one target set."
            )
            continue
        parts = read_manifest(records).cases.values()
        held.setdefault(frozenset(case for part in parts for case in part), run)
    if len(held) > 1:
        (here, one), (there, other), *_ = held.items()
        raise InputError(
            "The folds of a cross-validation must hold the same cases, got "
            f"{one.config.target.records} and {other.config.target.records}, "
            f"cases in one only: {len(here ^ there)}. Train on folds of one data_prep "
            "folds only."
        )


def tested_cases(run: FoldRun) -> tuple[str, ...]:
    """Cases of its test split, sorted."""
    return tuple(sorted(set(run.predictions["test"].case_id.tolist())))


def join_split(runs: Sequence[FoldRun], split: str) -> Predictions:
    """The predictions of all folds, one after the other."""
    parts = [run.predictions[split] for run in runs]
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in COLUMNS
    }
    return Predictions(classes=parts[0].classes, **columns)


def made_of(
    runs: Sequence[FoldRun], thresholds: tuple[float, ...] = ()
) -> CrossValidation:
    """What the folds of a pooled run chose and reached.

    Args:
        runs: of all folds, in order.
        thresholds: of each, where there are two classes.
    """
    found = [run.scores for run in runs]
    return CrossValidation(
        folds=len(runs),
        seed=runs[0].fold.seed,
        thresholds=thresholds,
        temperatures=tuple(s.temperature or 1.0 for s in found),
        cases=tuple(tested_cases(run) for run in runs),
        auc=tuple(s.test.patch.scores["auc"].value for s in found),
    )


def pool_settings(found: Sequence[AnyScores], name: str) -> AnyScores:
    """Scores of the first fold, with the labels and the temperature that all took.

    Args:
        found: of all folds, in order.
        name: of the pooled run.
    """
    cases = [scores.train_cases for scores in found if scores.train_cases is not None]
    return replace(
        found[0],
        name=name,
        labels_per_class=fmean(s.labels_per_class or 0.0 for s in found),
        train_cases=round(fmean(cases)) if cases else None,
        temperature=fmean(s.temperature or 1.0 for s in found),
        unfitted="; ".join(s.unfitted for s in found if s.unfitted) or None,
        fold=None,
    )


def join_scaled(runs: Sequence[FoldRun], split: str) -> np.ndarray:
    """(n, classes) probabilities of all folds, each scaled by its own temperature.

    Args:
        runs: of all folds, in order.
        split: such as test.
    """
    return np.concatenate(
        [scaled(run.predictions[split], run.scores.temperature or 1.0) for run in runs]
    )
