"""--stage ensemble: runs of several seeds to one model that says how sure it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.ensemble.folds import (
    are_folds,
    fold_metadata,
    read_fold_members,
    score_folds,
)
from gastric_keras.ensemble.members import (
    SplitAnswers,
    describe_members,
    read_answers,
    read_members,
)
from gastric_keras.ensemble.model import build_ensemble
from gastric_keras.ensemble.results import Ensemble, FoldEnsemble, Gain
from gastric_keras.ensemble.text import spell_ensemble, spell_fold_ensemble
from gastric_keras.evaluation.fold_runs import FoldRun
from gastric_keras.evaluation.scoring import score
from gastric_keras.figures.plots import plot_referral
from gastric_keras.runs.predictions import KEYS, Predictions, write_predictions
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.runs.scores import write_scores
from gastric_keras.serving.export import (
    choose_case_calls,
    next_version,
    operating_point,
    write_version,
)
from gastric_keras.serving.metadata import ExportMetadata, collect_metadata
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import auc_difference, holm
from gastric_keras.statistics.referral import binary_entropy, referral_curve
from gastric_keras.support.errors import require
from gastric_keras.support.files import (
    read_object,
    sha256_of,
    write_atomic,
    write_csv,
    write_json,
)

#: Shares for which the doubt is read off the validation split.
_CUTS = (0.05, 0.1, 0.2, 0.3)


def run_ensemble(
    runs: Sequence[Path],
    out: Path = Path("tensorboard_logs/ensemble"),
    *,
    force: bool = False,
) -> None:
    """Stage ensemble: average the runs, score and export the mean, write its referral.

    Writes ``ensemble.md``, ``ensemble.json``, ``referral.png``, and, named as in a run,
    ``evaluate/`` with the predictions and scores of the mean and ``export/<number>/``.
    Of the folds of one cross-validation there is no ``evaluate/`` and no referral:
    every case was trained on by some member.

    Args:
        runs: folders of two finished runs or more, of equal settings; or of all folds
            of one cross-validation.
        out: folder to write to.
        force: do it again, and write another version of the export.

    Raises:
        InputError: as :func:`read_members`, :func:`read_answers` and
            :func:`read_fold_members`, or ``out`` is the folder of a run.
    """
    place = RunDir(Path(out))
    require(
        not place.config.exists(),
        "--out must not be the folder of a run",
        "Name a new folder.",
        out=str(out),
    )
    folders = [Path(folder) for folder in runs]
    # What is refused is refused before anything is written or taken away.
    members: Sequence[FinishedRun | FoldRun]
    if are_folds(folders):
        members = folds = read_fold_members(folders)
        make = partial(_make_of_folds, folds, place)
    else:
        members = seeds = read_members(folders)
        make = partial(_make_of_seeds, seeds, read_answers(seeds), place)
    with place.locked():
        made_of = {"members": _checksums(members)}
        done = place.done("export")
        held = read_object(done) if done.is_file() else {}
        version = place.export / str(held.get("version"))
        is_same = held.get("members") == made_of["members"]
        if is_same and not force and (version / "saved_model.pb").is_file():
            print(f"ensemble: finished, the model is in {version}")
            return
        done.unlink(missing_ok=True)
        text, scores, metadata = make()
        if members[0].config.export.onnx:
            print("ensemble: export.onnx is set, but no ONNX file is written of a mean")
        version = write_version(
            build_ensemble(members),
            place.export,
            metadata=metadata,
            scores=scores,
        )
        write_json(done, {"version": metadata.version} | made_of)
    print(text)
    print(f"ensemble: SavedModel of {len(members)} runs in {version}")


def _make_of_seeds(
    members: Sequence[FinishedRun], answers: dict[str, SplitAnswers], place: RunDir
) -> tuple[str, RunScores, ExportMetadata]:
    """The files of the mean, and what its export tells of it."""
    found = _score(members, answers, place)
    return spell_ensemble(found), found.scores, _metadata(members, found, place)


def _make_of_folds(
    members: Sequence[FoldRun], place: RunDir
) -> tuple[str, RunScores, ExportMetadata]:
    """The same; there are no scores of this mean, those of its members come along."""
    require(
        not place.report_json.exists(),
        "--out must not hold an ensemble with a test of its own",
        "Name a new folder: the mean of folds has none.",
        out=str(place.root),
    )
    found = score_folds(members, place)
    metadata = fold_metadata(members, found, place)
    return spell_fold_ensemble(found), found.scores, _named(metadata, found)


def _checksums(members: Sequence[FinishedRun | FoldRun]) -> dict[str, list[str]]:
    """Folder -> checksums of weights and predictions of each member."""
    return {
        str(run.folder): [
            sha256_of(path)
            for path in (
                RunDir(run.folder).weights("target"),
                *map(RunDir(run.folder).predictions, SCORED_SPLITS),
            )
        ]
        for run in members
    }


def _score(
    members: Sequence[FinishedRun], answers: dict[str, SplitAnswers], place: RunDir
) -> Ensemble:
    """Scores and curves of the mean, and the files that hold them."""
    first = members[0]
    classes, positive = first.scores.classes, first.scores.positive
    means = {s: a.predictions(classes, positive) for s, a in answers.items()}
    train_cases = first.scores.train_cases
    named = replace(first.config, name=place.root.resolve().name)
    train = round(first.labels * len(classes))
    found = score(
        named,
        means["validation"],
        means["test"],
        # A run of an earlier version did not count its cases.
        train=(train, train_cases or 0),
    )
    found = replace(found, train_cases=train_cases)
    test = answers["test"]
    draws = found.test.draws
    doubts = {split: _doubts(each) for split, each in answers.items()}
    ensemble = Ensemble(
        members=describe_members(members),
        scores=found,
        gains=_gains(members, test, draws),
        referral={
            name: referral_curve(
                test.label,
                test.mean,
                test.case_id,
                doubt=doubt,
                threshold=found.threshold,
                draws=draws,
            )
            for name, doubt in doubts["test"].items()
        },
        validation_share={
            name: {f"{s:.2f}": float(np.quantile(doubt, 1 - s)) for s in _CUTS}
            for name, doubt in doubts["validation"].items()
        },
    )
    _write(ensemble, place, answers, means)
    return ensemble


def _doubts(answers: SplitAnswers) -> dict[str, np.ndarray]:
    """Ways to say how unsure the ensemble is of each patch."""
    return {"entropy": binary_entropy(answers.mean), "spread": answers.spread}


def _gains(
    members: Sequence[FinishedRun], test: SplitAnswers, draws: Draws
) -> tuple[Gain, ...]:
    areas = [run.scores.test.patch.scores["auc"].value for run in members]
    differences = [
        auc_difference(test.label, test.mean, mine, test.case_id, draws)
        for mine in test.scores
    ]
    adjusted = holm([each.p_value for each in differences])
    return tuple(
        Gain(run.config.name, area, difference, p_value)
        for run, area, difference, p_value in zip(
            members, areas, differences, adjusted, strict=True
        )
        if area is not None
    )


def _write(
    found: Ensemble,
    place: RunDir,
    answers: dict[str, SplitAnswers],
    means: dict[str, Predictions],
) -> None:
    for split, mean in means.items():
        write_predictions(place.predictions(split), mean)
        each = answers[split]
        columns = zip(each.mean, each.spread, *each.scores, strict=True)
        seeds = [f"p_{member.name}" for member in found.members]
        write_csv(
            place.root / f"spread_{split}.csv",
            [*KEYS, "mean", "spread", *seeds],
            [
                [*row, *(f"{value:.9g}" for value in values)]
                for row, values in zip(each.rows, columns, strict=True)
            ],
        )
    write_scores(place, found.scores, {})
    write_json(place.root / "ensemble.json", asdict(found))
    write_atomic(place.root / "ensemble.md", spell_ensemble(found))
    plot_referral(place.root / "referral.png", curves=found.referral)


def _metadata(
    members: Sequence[FinishedRun], found: Ensemble, place: RunDir
) -> ExportMetadata:
    first = members[0]
    made = collect_metadata(
        first.config,
        RunDir(first.folder),
        version=next_version(place.export),
        point=operating_point(found.scores),
        case_calls=choose_case_calls(first.config, place, found.scores),
    )
    return _named(made, found)


def _named(made: ExportMetadata, found: Ensemble | FoldEnsemble) -> ExportMetadata:
    """Metadata of the mean, not of its first member."""
    joined = "".join(member.weights_sha256 for member in found.members)
    return replace(
        made,
        name=found.scores.name,
        members=found.members,
        weights_sha256=hashlib.sha256(joined.encode()).hexdigest(),
    )
