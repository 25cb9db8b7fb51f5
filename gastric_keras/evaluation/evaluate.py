"""Checkpoint and records to predictions.csv, and that to report.json."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.records.checks import check_set
from gastric_keras.records.schema import read_manifest
from gastric_keras.runs.predictions import (
    Predictions,
    read_predictions,
    select,
    write_predictions,
)
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import (
    SPLITS,
    check_untouched,
    checksums,
    held_of,
    require_target,
)
from gastric_keras.statistics import split_report as metrics
from gastric_keras.statistics.calibration import apply_temperature, fit_temperature
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of, write_json

if TYPE_CHECKING:
    import keras

#: Rises with what report.json holds: kept predictions of an older one are scored anew.
REPORT_VERSION = 2


def run_evaluate(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage evaluate: score the finished target model on validation and test.

    The threshold is chosen on the validation split. Each split goes through the model
    once: with other settings, the kept predictions are scored anew.

    Args:
        config: of the run.
        run_dir: with a finished stage target.
        force: do it again, predictions too.

    Raises:
        InputError: stage target is not finished, or the set does not fit.
    """
    settings = asdict(config.evaluate) | {"report_version": REPORT_VERSION}
    if not force:
        # As long as done.json says what they were.
        for split in SPLITS:
            check_untouched(run_dir, run_dir.predictions(split))
        if _stands(run_dir, settings):
            print(f"evaluate: finished, the scores stand in {run_dir.report_json}")
            return
    require_target(run_dir)
    check_set(config.target.records, config.target.classes, key="target")
    run_dir.reopen("evaluate")
    predictions = _predictions(config, run_dir, force=force)
    scores = score(config, predictions["validation"], predictions["test"])
    write_json(run_dir.report_json, scores)
    write_json(run_dir.done("evaluate"), settings | checksums(run_dir))
    if scores["unfitted"]:
        print(
            "evaluate: threshold 0.5 and temperature 1, not chosen. "
            f"{scores['unfitted']}"
        )
    auc = scores["test"]["patch"]["scores"]["auc"]
    print(f"evaluate: test {_spell(auc)}; all scores in {run_dir.report_json}")


def _stands(run_dir: RunDir, settings: dict[str, Any]) -> bool:
    held = held_of(run_dir)
    if {key: held.get(key) for key in settings} != settings:
        return False
    report, wanted = run_dir.report_json, held.get("sha256", {})
    # Scores that are gone or damaged are made anew from the predictions.
    return report.is_file() and (
        not wanted or wanted.get(report.name) == sha256_of(report)
    )


def _predictions(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool
) -> dict[str, Predictions]:
    """Of both splits: those that stand, the rest made and written."""
    missing = [s for s in SPLITS if force or not run_dir.predictions(s).is_file()]
    if missing:
        # Imported here, so that report and compare read predictions without TensorFlow.
        from gastric_keras.training.start import load_stage

        model = load_stage(config, run_dir, "target")
        for split in missing:
            made = predict_split(config, model, split)
            write_predictions(run_dir.predictions(split), made)
    found = {split: read_predictions(run_dir.predictions(split)) for split in SPLITS}
    manifest = read_manifest(config.target.records)
    for split, predictions in found.items():
        if predictions.label.size != manifest.count(split):
            raise InputError(
                f"Predictions of the {manifest.count(split)} patches in the split "
                f"{split} were expected. Received: {predictions.label.size} in "
                f"{run_dir.predictions(split)}. Run --stage evaluate --force."
            )
        if predictions.classes != config.target.classes:
            raise InputError(
                f"Predictions of the classes {', '.join(config.target.classes)} were "
                f"expected. Received: {', '.join(predictions.classes)} in "
                f"{run_dir.predictions(split)}. Run --stage evaluate --force."
            )
    return found


def predict_split(
    config: ExperimentConfig, model: keras.Model, split: str
) -> Predictions:
    """Probabilities of a split of the target set.

    Args:
        config: of the run.
        model: the target classifier.
        split: validation or test.
    """
    from gastric_keras.data.pipeline import Selection, eval_dataset
    from gastric_keras.models.classifier import build_forward, predict

    dataset = eval_dataset(
        Selection(config.target.records, split),
        image_size=config.backbone.image_size,
        batch_size=config.target.fit.batch_size,
    )
    columns = predict(build_forward(model), dataset)
    for name in ("case_id", "image_id"):
        columns[name] = np.array([value.decode() for value in columns[name]])
    return Predictions(classes=config.target.classes, **columns)


def score(
    config: ExperimentConfig, validation: Predictions, test: Predictions
) -> dict[str, Any]:
    """The content of report.json.

    Args:
        config: of the run.
        validation: chooses the threshold (Youden's J) and the temperature.
        test: is scored at that threshold, and at 0.5; its calibration before and
            after scaling by that temperature.

    Returns:
        Every score; ``unfitted`` says why the threshold stayed at 0.5 and the
        temperature at 1, where the validation split could choose neither; else None.
    """
    positive = config.target.classes.index(config.target.positive)
    unfitted = _unfitted(validation)
    threshold, temperature = 0.5, 1.0
    if unfitted is None:
        threshold = metrics.best_threshold(
            validation.label == positive, validation.probability[:, positive]
        )
        temperature = fit_temperature(validation.label, validation.probability)

    def reports(pattern: str = "") -> dict[str, Any]:
        return {
            split: asdict(
                metrics.report(
                    (part.label == positive).astype(int),
                    part.probability[:, positive],
                    part.case_id,
                    threshold=threshold,
                    calibrated=_scaled(part, temperature)[:, positive],
                    bootstrap=config.evaluate.bootstrap,
                    confidence=config.evaluate.confidence,
                    seed=config.seed,
                )
            )
            for split, part in (
                ("validation", select(validation, pattern)),
                ("test", select(test, pattern)),
            )
        }

    mid = read_manifest(config.mid.records).dataset if config.mid else None
    return {
        "name": config.name,
        "backbone": config.backbone.name,
        "weights": config.backbone.weights,
        "mid": mid,
        "subset": config.target.subset,
        "labels_per_class": _labels_per_class(config),
        "seed": config.seed,
        "classes": config.target.classes,
        "positive": config.target.positive,
        "threshold": threshold,
        "temperature": temperature,
        "unfitted": unfitted,
        **reports(),
        "subgroups": {
            name: reports(pattern)
            for name, pattern in config.evaluate.subgroups.items()
        },
    }


def _unfitted(validation: Predictions) -> str | None:
    """Why the validation split can choose neither threshold nor temperature."""
    if reason := not_numbers(validation.probability):
        return f"validation split: {reason}"
    if validation.label.min() == validation.label.max():
        only = validation.classes[validation.label[0]]
        return f"validation split: every patch is {only}"
    return None


def _scaled(part: Predictions, temperature: float) -> np.ndarray:
    """(n, classes) after temperature scaling; as it is where it is not numbers."""
    if not_numbers(part.probability):
        return part.probability
    return apply_temperature(part.probability, temperature)


def _labels_per_class(config: ExperimentConfig) -> float:
    """Expert labels that t=2 was trained on, by class; of all, the mean."""
    manifest, subset = read_manifest(config.target.records), config.target.subset
    if subset is None:
        return manifest.count("train") / len(manifest.classes)
    return float(manifest.subsets[subset] if isinstance(subset, str) else subset)


def _spell(auc: dict[str, Any]) -> str:
    if auc["value"] is None:
        return f"AUC not defined ({auc['reason']})"
    if auc["low"] is None:
        return f"AUC {auc['value']:.3f} (no interval: {auc['reason']})"
    return f"AUC {auc['value']:.3f} ({auc['low']:.3f}–{auc['high']:.3f})"
