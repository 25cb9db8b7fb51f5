"""The folds of one cross-validation as an ensemble: it has no test of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from gastric_keras.comparison.finished_runs import check_finished
from gastric_keras.ensemble.members import check_networks
from gastric_keras.ensemble.results import FoldEnsemble
from gastric_keras.ensemble.text import spell_fold_ensemble
from gastric_keras.evaluation.crossval import pool_two_classes
from gastric_keras.evaluation.fold_runs import FoldRun, group_folds, join_split
from gastric_keras.evaluation.scoring import choose_point
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.scores import has_class_scores, read_scores
from gastric_keras.runs.shapes import read_provenance
from gastric_keras.serving.export import fit_calls, next_version, operating_point
from gastric_keras.serving.metadata import (
    ExportMetadata,
    FoldMember,
    collect_metadata,
)
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of, write_atomic, write_json


def are_folds(folders: Sequence[Path]) -> bool:
    """Whether runs are of folds.

    Args:
        folders: of finished runs.

    Raises:
        InputError: a run that is not finished, or folds and whole sets in one list.
    """
    check_finished(folders)
    # More than two classes are refused where the members are read.
    two = [RunDir(f) for f in folders if not has_class_scores(RunDir(f))]
    whole = [str(run.root) for run in two if read_scores(run).fold is None]
    require(
        len(whole) in (0, len(two)),
        "The runs of an ensemble must all be of folds, or all of whole sets",
        "Average them by themselves.",
        of_whole_sets=whole,
        runs=len(folders),
    )
    return bool(two) and not whole


def read_fold_members(folders: Sequence[Path]) -> list[FoldRun]:
    """Read the runs of all folds of one cross-validation.

    Args:
        folders: of the finished runs.

    Raises:
        InputError: a fold that is missing or there twice, runs of several settings, of
            more than two classes, weights that are missing or equal, a probability of
            NaN, or patches of one class only.
    """
    several = [f for f in folders if has_class_scores(RunDir(f))]
    for folder in several:
        # It says what to do with more than two classes.
        read_scores(RunDir(folder))
    groups = group_folds(folders)
    if len(groups) > 1:
        raise InputError(
            "An ensemble of folds must be of one cross-validation, got "
            f"{len(groups)} settings: "
            + "; ".join(", ".join(str(r.folder) for r in runs) for runs in groups)
            + ". Name the folds of one setting only."
        )
    (runs,) = groups
    check_networks(runs)
    bad = [
        str(run.folder)
        for run in runs
        if any(not_numbers(each.probability) for each in run.predictions.values())
    ]
    require(
        not bad,
        "Probabilities must be numbers in every run",
        "Train it again.",
        runs=bad,
    )
    labels = {int(x) for run in runs for x in np.unique(run.predictions["test"].label)}
    require(
        len(labels) == 2,
        "The folds of an ensemble must test patches of both classes",
        "Add cases of the missing class to the target set, and make its folds again.",
        classes=[runs[0].scores.classes[i] for i in sorted(labels)],
    )
    return runs


def score_folds(runs: Sequence[FoldRun], place: RunDir) -> FoldEnsemble:
    """Pool what each member says of the cases that it was not trained on.

    Writes ``ensemble.json`` and ``ensemble.md``.

    Args:
        runs: of :func:`read_fold_members`.
        place: of the ensemble.
    """
    config = replace(runs[0].config, name=place.root.resolve().name)
    joined = {split: join_split(runs, split) for split in SCORED_SPLITS}
    pooled = pool_two_classes(config, runs, joined)
    positive = pooled.classes.index(pooled.positive)
    threshold, temperature, _ = choose_point(joined["test"], positive)
    found = FoldEnsemble(
        members=tuple(_describe(run) for run in runs),
        threshold=threshold,
        temperature=temperature,
        out_of_fold=pooled,
    )
    write_json(place.root / "ensemble.json", asdict(found))
    write_atomic(place.root / "ensemble.md", spell_fold_ensemble(found))
    return found


def _describe(run: FoldRun) -> FoldMember:
    config, run_dir = run.config, RunDir(run.folder)
    records = config.target.records
    provenance = read_provenance(run_dir.provenance)
    return FoldMember(
        name=config.name,
        seed=config.seed,
        subset_seed=config.target.subset_seed,
        weights_sha256=sha256_of(run_dir.weights("target")),
        fold=run.fold.number,
        records=records,
        manifest_sha256=provenance.manifest_sha256(records),
    )


def fold_metadata(
    runs: Sequence[FoldRun], found: FoldEnsemble, place: RunDir
) -> ExportMetadata:
    """Metadata of the export; the rule of cases is fixed on the out-of-fold answers.

    Args:
        runs: of :func:`read_fold_members`.
        found: of :func:`score_folds`.
        place: of the ensemble.
    """
    config = runs[0].config
    return collect_metadata(
        config,
        RunDir(runs[0].folder),
        version=next_version(place.export),
        point=operating_point(found.scores),
        case_calls=fit_calls(config, join_split(runs, "test"), found.scores),
    )
