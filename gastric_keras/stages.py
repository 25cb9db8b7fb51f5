"""The ladder t=0 → t=1 → t=2: skips what is finished, resumes what is half done."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gastric_keras.cluster import is_chief
from gastric_keras.config import ExperimentConfig, MidConfig, TargetConfig
from gastric_keras.errors import InputError
from gastric_keras.files import read_json, sha256_of, write_json
from gastric_keras.fit_config import FitConfig
from gastric_keras.input_pipeline import (
    batch_keys,
    eval_dataset,
    steps_per_epoch,
    train_dataset,
)
from gastric_keras.models import build_classifier
from gastric_keras.records import MANIFEST_NAME, Manifest, read_manifest
from gastric_keras.run_dir import FitStage, RunDir
from gastric_keras.runtime import agree, build_strategy, set_up
from gastric_keras.set_checks import check_cases, check_set
from gastric_keras.train import FitResult, TrainingData, fit
from gastric_keras.transfer import TransferReport, pretrained_report, warm_start
from gastric_keras.weights import load_file


def run_mid(config: ExperimentConfig, run_dir: RunDir, *, force: bool = False) -> None:
    """Stage t=1: fine-tune the ImageNet network on the mid-level set.

    Args:
        config: of the run; nothing happens when ``config.mid`` is null or names
            finished weights in ``init``.
        run_dir: of the run.
        force: do a finished stage again.

    Raises:
        InputError: the set and the config differ in classes, or weights do not fit.
    """
    if config.mid is None:
        print("mid: null in the config, so one stage only: nothing to do")
        return
    if config.mid.init:
        print(f"mid: taken from {config.mid.init}, nothing to do")
        return
    _run_fit(config, config.mid, run_dir, "mid", force=force)


def run_target(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage t=2: fine-tune on the target set, from t=1 or straight from ImageNet.

    Args:
        config: of the run.
        run_dir: of the run.
        force: do a finished stage again.

    Raises:
        InputError: stage mid is not finished, the set and the config differ in classes,
            or weights do not fit.
    """
    mid = config.mid
    if mid is not None and not mid.init and not run_dir.done("mid").is_file():
        raise InputError(
            "A finished stage mid was expected before stage target. Received: "
            f"{run_dir.root} without {run_dir.done('mid').name} in it. Run --stage mid "
            "or --stage all first."
        )
    _run_fit(config, config.target, run_dir, "target", force=force)


def load_stage(config: ExperimentConfig, run_dir: RunDir, stage: str) -> keras.Model:
    """The model of a stage, as it stood at the end of that stage.

    Args:
        config: of the run.
        run_dir: of the run.
        stage: ``initial`` (t=0, random head), ``mid`` (t=1) or ``target`` (t=2).

    Raises:
        InputError: the weights are missing, changed since, or of another network.
    """
    classes = _classes(config, stage)
    # The same precision in every process: what is served equals what was evaluated.
    set_up(config.runtime, config.seed)
    if stage == "initial":
        return _build(config, classes, weights=config.backbone.weights)
    model = _build(config, classes, weights="none")
    path = _stage_weights(config, run_dir, stage)
    _check_weights(path)
    load_file(
        model,
        path,
        wanted=f"A weights file of a finished stage {stage} of {config.backbone.name} "
        f"with {len(classes)} classes",
        way_out="Run that stage again with --force, or mend the path.",
    )
    return model


def _classes(config: ExperimentConfig, stage: str) -> tuple[str, ...]:
    section = config.mid if stage == "mid" else config.target
    assert section is not None, "a run with one stage has no model of stage mid"
    return section.classes


def _stage_weights(config: ExperimentConfig, run_dir: RunDir, stage: str) -> Path:
    if stage == "mid" and config.mid is not None and config.mid.init:
        return Path(config.mid.init)
    return run_dir.weights("mid" if stage == "mid" else "target")


def _check_weights(path: Path) -> None:
    """HDF5 has no checksum, and one flipped bit would be another network in silence."""
    done = path.with_name("done.json")
    wanted = read_json(done).get("weights_sha256") if done.is_file() else None
    # A run of an earlier version, or weights from elsewhere, come without one.
    if wanted is not None and path.is_file() and sha256_of(path) != wanted:
        raise InputError(
            f"The weights that their stage wrote, sha256 {wanted}, were expected. "
            f"Received: {path}, which was changed since. Copy it again from a sound "
            "copy, or run that stage again with --force."
        )


def _run_fit(
    config: ExperimentConfig,
    section: MidConfig | TargetConfig,
    run_dir: RunDir,
    stage: FitStage,
    *,
    force: bool,
) -> None:
    if run_dir.done(stage).is_file() and not force:
        done = read_json(run_dir.done(stage))
        print(
            f"{stage}: finished, best validation AUC {done['val_auc']:.4f} in epoch "
            f"{done['best_epoch'] + 1} stands in {run_dir.stage(stage)}; "
            "--force does it again"
        )
        return
    manifest = check_set(section.records, section.classes, key=stage)
    # Not only at t=2: hours of t=1 would be lost by then.
    if (
        config.mid is not None
        and (Path(config.target.records) / MANIFEST_NAME).exists()
    ):
        mid = read_manifest(config.mid.records)
        check_cases(mid, read_manifest(config.target.records))
    # First of all: several workers must find each other before TensorFlow computes.
    strategy = build_strategy(config.runtime.devices)
    _check_batch(section.fit.batch_size, strategy, stage)
    if is_chief():
        _open_stage(run_dir, stage, force=force)
    agree(strategy, section.fit.epochs, f"{stage}.fit.epochs", path=run_dir.root)
    set_up(config.runtime, config.seed)
    with strategy.scope():
        model, report = _build_model(config, run_dir, stage)
    if is_chief():
        write_json(run_dir.transfer_report(stage), asdict(report))
    print(
        f"{stage}: {config.backbone.name} from {report.source}: {len(report.copied)} "
        f"weights copied, {len(report.initialised)} initialised, "
        f"{len(report.unused)} left"
    )
    started = time.time()
    result = _fit(config, section, manifest, model, strategy, run_dir, stage)
    if is_chief():
        checksum = {"weights_sha256": sha256_of(run_dir.weights(stage))}
        write_json(
            run_dir.done(stage), asdict(result) | {"started": started} | checksum
        )
        shutil.rmtree(run_dir.snapshots(stage), ignore_errors=True)
    # The next stage reads what the chief has just written.
    agree(strategy, result.epochs, "epochs", path=run_dir.root)


def _open_stage(run_dir: RunDir, stage: FitStage, *, force: bool) -> None:
    run_dir.reopen(stage)
    if force:
        shutil.rmtree(run_dir.stage(stage), ignore_errors=True)
    run_dir.stage(stage).mkdir(parents=True, exist_ok=True)


def _check_batch(
    batch_size: int, strategy: tf.distribute.Strategy, stage: FitStage
) -> None:
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"{stage}.fit.batch_size: a multiple of the {replicas} devices was "
            f"expected. Received: batch_size={batch_size}. Take "
            f"{batch_size // replicas * replicas or replicas}."
        )


def _build_model(
    config: ExperimentConfig, run_dir: RunDir, stage: FitStage
) -> tuple[keras.Model, TransferReport]:
    if stage == "mid" or config.mid is None:
        weights = config.backbone.weights
        section = config.target if config.mid is None else config.mid
        model = _build(
            config, _classes(config, stage), weights=weights, fit_config=section.fit
        )
        return model, pretrained_report(model, weights=weights)
    old = load_stage(config, run_dir, "mid")
    # The same seed as in a one-stage run: the two differ in the backbone alone.
    keras.utils.set_random_seed(config.seed)
    blend = config.mid.blend
    new = _build(
        config,
        config.target.classes,
        weights="none" if blend == 1 else config.backbone.weights,
        fit_config=config.target.fit,
    )
    source = str(_stage_weights(config, run_dir, "mid"))
    if blend != 1:
        source += f" ({blend:g}) and {config.backbone.weights} ({1 - blend:g})"
    return new, warm_start(old, new, source=source, blend=blend)


def _build(
    config: ExperimentConfig,
    classes: tuple[str, ...],
    *,
    weights: str,
    fit_config: FitConfig | None = None,
) -> keras.Model:
    backbone = config.backbone
    return build_classifier(
        backbone.name,
        len(classes),
        image_size=backbone.image_size,
        weights=weights,
        dropout=backbone.dropout,
        train_batch_norm=backbone.batch_norm == "train",
        trainable_from=fit_config.trainable_from if fit_config else None,
    )


def _class_weight(counts: dict[str, int], classes: tuple[str, ...]) -> dict[int, float]:
    total = sum(counts.values())
    return {
        label: total / (len(classes) * counts[name])
        for label, name in enumerate(classes)
    }


def _fit(
    config: ExperimentConfig,
    section: MidConfig | TargetConfig,
    manifest: Manifest,
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    run_dir: RunDir,
    stage: FitStage,
) -> FitResult:
    data = _training_data(
        section, seed=config.seed, image_size=config.backbone.image_size
    )
    validation = eval_dataset(
        section.records,
        "validation",
        image_size=config.backbone.image_size,
        batch_size=section.fit.batch_size,
    )
    # A subset has as many of each class.
    subset = section.subset if isinstance(section, TargetConfig) else None
    balance = section.fit.balance and subset is None
    return fit(
        model,
        data,
        validation,
        config=section.fit,
        run_dir=run_dir,
        stage=stage,
        class_weight=(
            _class_weight(manifest.counts["train"], section.classes)
            if balance
            else None
        ),
        strategy=strategy,
    )


def _training_data(
    section: MidConfig | TargetConfig, *, seed: int, image_size: int
) -> TrainingData:
    subset = section.subset if isinstance(section, TargetConfig) else None
    which: dict[str, Any] = {
        "subset": subset,
        "subset_seed": section.subset_seed if isinstance(section, TargetConfig) else 0,
    }
    folder = section.records
    batch_size, min_steps = section.fit.batch_size, section.fit.min_steps
    order: dict[str, Any] = {
        "batch_size": batch_size,
        "seed": seed,
        "shuffle_buffer": section.fit.shuffle_buffer,
    } | which
    return TrainingData(
        batches=lambda start: train_dataset(
            folder,
            image_size=image_size,
            epochs=section.fit.epochs,
            initial_epoch=start,
            augment_config=section.augment,
            min_steps=min_steps,
            **order,
        ),
        plain=lambda: eval_dataset(
            folder, "train", image_size=image_size, batch_size=batch_size, **which
        ),
        keys=lambda number: batch_keys(folder, number=number, **order),
        steps_per_epoch=steps_per_epoch(
            folder, "train", batch_size, subset=subset, min_steps=min_steps
        ),
    )
