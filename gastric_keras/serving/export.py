"""The target model as a numbered folder that TF Serving can serve."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.cohort_shapes import ClassCohortScores, CohortScores
from gastric_keras.runs.cohorts import read_class_cohort_scores, read_cohort_scores
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.scores import (
    read_class_scores,
    read_scores,
    read_split,
    require_target,
)
from gastric_keras.serving.class_point import ClassPoint
from gastric_keras.serving.graph import write_saved_model
from gastric_keras.serving.metadata import ExportMetadata, collect_metadata
from gastric_keras.serving.model_card import render_model_card
from gastric_keras.serving.onnx import check_onnx, write_onnx
from gastric_keras.serving.operating_point import OperatingPoint
from gastric_keras.serving.warmup import write_warmup
from gastric_keras.statistics.case_rules import CaseCalls, fit_case_calls
from gastric_keras.support.checksums import write_checksums
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object, write_atomic, write_json
from gastric_keras.support.streams import warn
from gastric_keras.training.start import load_stage


def run_export(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage export: write the next version, ``export/<number>/``.

    An existing version is never overwritten: TF Serving may be serving it. It loads a
    higher number by itself, and returns to the previous one when that folder is
    removed.

    Args:
        config: of the run.
        run_dir: with finished stages target and evaluate.
        force: write another version.

    Raises:
        InputError: an earlier stage is not finished or was done by an older
            gastric_keras, the target set is gone, or ONNX cannot be written.
    """
    done, settings = run_dir.done("export"), asdict(config.export)
    held = read_object(done) if done.is_file() else {}
    folder = run_dir.export / str(held.get("version"))
    is_same = {name: held.get(name) for name in settings} == settings
    if is_same and not force and (folder / "saved_model.pb").is_file():
        print(f"export: finished, the model is in {folder}")
        return
    require_target(run_dir)
    if config.export.onnx:
        check_onnx(config)
    is_multiclass = config.target.is_multiclass
    scores = read_class_scores(run_dir) if is_multiclass else read_scores(run_dir)
    version = next_version(run_dir.export)
    metadata = collect_metadata(
        config,
        run_dir,
        version=version,
        point=operating_point(scores),
        case_calls=choose_case_calls(config, run_dir, scores),
    )
    run_dir.reopen("export")
    model = load_stage(config, run_dir, "target")
    folder = write_version(
        model,
        run_dir.export,
        metadata=metadata,
        scores=scores,
        onnx=config.export.onnx,
        cohorts=_cohorts(run_dir, is_multiclass=is_multiclass),
    )
    write_json(done, {"version": version} | settings)
    print(f"export: SavedModel for TF Serving in {folder}")


def _cohorts(
    run_dir: RunDir, *, is_multiclass: bool
) -> Sequence[CohortScores | ClassCohortScores]:
    if is_multiclass:
        return read_class_cohort_scores(run_dir)
    return read_cohort_scores(run_dir)


def write_version(
    model: keras.Model,
    export: Path,
    *,
    metadata: ExportMetadata,
    scores: RunScores | ClassScores,
    onnx: bool = False,
    cohorts: Sequence[CohortScores | ClassCohortScores] = (),
) -> Path:
    """Write a version whole: TF Serving watches the folder and must never see half.

    Args:
        model: see :func:`gastric_keras.serving.graph.write_saved_model`.
        export: folder of the versions.
        metadata: with the number of the version.
        scores: of the model.
        onnx: ``model.onnx`` too.
        cohorts: external ones that it was scored on, for the model card.

    Returns:
        The folder of the version.
    """
    point = operating_point(scores)
    partial = export / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    write_saved_model(model, partial, point=point, normalization=metadata.normalization)
    if onnx:
        write_onnx(model, partial / "model.onnx", point=point, metadata=metadata)
    write_json(partial / "assets" / "metadata.json", asdict(metadata))
    write_atomic(partial / "assets" / "labels.txt", "\n".join(point.classes) + "\n")
    card = render_model_card(metadata, scores, cohorts)
    write_atomic(partial / "model_card.md", card)
    write_warmup(partial, _warmup_requests(metadata))
    # The card is for people, who may add to it.
    write_checksums(partial, leave=("model_card.md",))
    folder = export / str(metadata.version)
    os.replace(partial, folder)
    return folder


def operating_point(scores: RunScores | ClassScores) -> OperatingPoint | ClassPoint:
    """Return the temperature of a run, and of two classes the threshold.

    Args:
        scores: of the run.

    Raises:
        InputError: it was made by a gastric_keras that did not calibrate.
    """
    if isinstance(scores, ClassScores):
        return ClassPoint(scores.classes, scores.temperature)
    if scores.temperature is None:
        raise InputError(
            "The report.json of a run must have a temperature to calibrate by, got "
            f"that of {scores.name}, written by an older gastric_keras. Run --stage "
            "evaluate: it rescores the saved predictions."
        )
    return OperatingPoint(
        classes=scores.classes,
        positive=scores.positive,
        raw_threshold=scores.threshold,
        temperature=scores.temperature,
    )


def choose_case_calls(
    config: ExperimentConfig, run_dir: RunDir, scores: RunScores | ClassScores
) -> CaseCalls | None:
    """How cases are called; by their patches' raw probabilities, as evaluation does.

    More than two classes have no rule to choose, and give None: a case is of the
    highest mean.

    Args:
        config: its section export names the rule.
        run_dir: with predictions of the validation split, which chooses thresholds.
        scores: of the same run.
    """
    if isinstance(scores, ClassScores):
        return None
    return fit_calls(config, read_split(run_dir, "validation", scores), scores)


def fit_calls(
    config: ExperimentConfig, validation: Predictions, scores: RunScores
) -> CaseCalls:
    """How cases are called, as these predictions choose it.

    Args:
        config: its section export names the rule.
        validation: predictions, raw.
        scores: with the threshold of patches.
    """
    label, score = validation.positives(scores.positive)
    calls = fit_case_calls(
        label,
        score,
        validation.case_id,
        rule=config.export.case_rule,
        top=config.export.case_top,
        threshold=scores.threshold,
    )
    if calls.rule not in calls.thresholds:
        warn(
            f"the validation split cannot choose a threshold for case_rule "
            f"{calls.rule}: --stage predict will ask for case_threshold."
        )
    return calls


def next_version(folder: Path) -> int:
    """One more than the highest number among the versions in a folder, from 1."""
    if not folder.is_dir():
        return 1
    numbers = (int(path.name) for path in folder.iterdir() if path.name.isdecimal())
    return max(numbers, default=0) + 1


def _warmup_requests(
    metadata: ExportMetadata,
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Noise of the right size: a shared model holds no patient's picture."""
    rng = np.random.default_rng(0)

    def noise(side: int) -> np.ndarray:
        return rng.integers(0, 256, (side, side, 3)).astype(np.uint8)

    picture = tf.io.encode_jpeg(noise(metadata.patch_size)).numpy()
    patch = noise(metadata.image_size)[None]
    return [
        ("serving_default", {"image_bytes": np.array([picture])}),
        ("serving_default", {"image_bytes": np.array([picture] * 8)}),
        ("predict_array", {"patch": patch}),
        ("features", {"image_bytes": np.array([picture])}),
    ]
