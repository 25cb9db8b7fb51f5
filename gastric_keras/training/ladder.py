"""The ladder t=0 → t=1 → t=2: skips what is finished, resumes what is half done."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig, MidConfig, TargetConfig
from gastric_keras.data.stage_data import (
    class_weight,
    extra_steps,
    training_data,
    validation_data,
)
from gastric_keras.records.checks import (
    check_no_shared_cases,
    check_set,
    crossing_warnings,
)
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.records.treatment import (
    check_equal_scales,
    check_equal_stains,
    scale_warnings,
    treatment_of,
)
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.runs.shapes import read_fit
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of, write_json
from gastric_keras.support.streams import warn
from gastric_keras.support.workers import is_chief
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.fit import fit
from gastric_keras.training.joint import plan_joint
from gastric_keras.training.plan import BoardCaption, FitPlan
from gastric_keras.training.runtime import agree, batch_part, build_strategy, set_up
from gastric_keras.training.start import build_start, stage_weights
from gastric_keras.training.tasks import task_of
from gastric_keras.training.two_heads import plan_two_heads


def run_mid(
    config: ExperimentConfig,
    run_dir: RunDir,
    *,
    force: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Stage t=1: fine-tune the ImageNet network on the mid-level set.

    Args:
        config: of the run; nothing happens when ``config.mid`` is null or names
            finished weights in ``init``.
        run_dir: of the run.
        force: do a finished stage again.
        callbacks: of your own, such as an experiment tracker's; resume does not save
            what they hold.

    Raises:
        InputError: the set and the config differ in classes, or weights do not fit.
    """
    if config.mid is None:
        print("mid: null in the config, so there is only one stage: nothing to do")
        return
    if not config.mid.has_stage:
        print(f"mid: the variant {config.mid.variant} has no t=1: nothing to do")
        return
    if config.mid.init:
        print(f"mid: taken from {config.mid.init}, nothing to do")
        return
    _run_fit(config, run_dir, "mid", force=force, callbacks=callbacks)


def run_target(
    config: ExperimentConfig,
    run_dir: RunDir,
    *,
    force: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Stage t=2: fine-tune on the target set, from t=1 or straight from ImageNet.

    Args:
        config: of the run.
        run_dir: of the run.
        force: do a finished stage again.
        callbacks: as in :func:`run_mid`.

    Raises:
        InputError: stage mid is not finished, the set and the config differ in classes,
            or weights do not fit.
    """
    needs_mid = config.has_mid_stage and not (config.mid and config.mid.init)
    if needs_mid and not run_dir.done("mid").is_file():
        raise InputError(
            f"Stage mid must be finished before stage target, got {run_dir.root} "
            f"without {run_dir.done('mid').name}. Run --stage mid or --stage all first."
        )
    _run_fit(config, run_dir, "target", force=force, callbacks=callbacks)


def _run_fit(
    config: ExperimentConfig,
    run_dir: RunDir,
    stage: FitStage,
    *,
    force: bool,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    if run_dir.done(stage).is_file() and not force:
        done = read_fit(run_dir.done(stage))
        print(
            f"{stage}: finished, best {done.chosen_by.name} {done.score:.4f} in epoch "
            f"{done.best_epoch + 1}, kept in {run_dir.stage(stage)}; --force reruns it"
        )
        return
    # Build the strategy first: workers must connect before TensorFlow runs its first
    # op, and reading a set runs ops.
    strategy = build_strategy(config.runtime.devices)
    section = _check_sets(config, stage)
    _check_batch(section, strategy, stage)
    if stage == "target" and config.mid and config.mid.variant == "joint":
        _check_batch(config.mid, strategy, "mid")
    if is_chief():
        _open_stage(run_dir, stage, force=force)
    agree(strategy, section.fit.epochs, f"{stage}.fit.epochs", path=run_dir.root)
    set_up(config.runtime, config.seed)
    with strategy.scope():
        model, report = build_start(config, run_dir, stage)
    if is_chief():
        write_json(run_dir.transfer_report(stage), asdict(report))
    print(
        f"{stage}: {config.backbone.name} from {report.source}: {len(report.copied)} "
        f"weights copied, {len(report.initialised)} initialised, "
        f"{len(report.unused)} left"
    )
    started = time.time()
    plan = _plan(config, section, model, strategy, run_dir, stage)
    result = fit(replace(plan, callbacks=tuple(callbacks)))
    if is_chief():
        checksum = {"weights_sha256": sha256_of(run_dir.weights(stage))}
        write_json(run_dir.done(stage), result.tree | {"started": started} | checksum)
        shutil.rmtree(run_dir.snapshots(stage), ignore_errors=True)
    # The next stage reads what the chief has just written.
    agree(strategy, result.epochs, "epochs", path=run_dir.root)


def _check_sets(config: ExperimentConfig, stage: FitStage) -> MidConfig | TargetConfig:
    """The section of a stage, once its sets are what the config says."""
    target, mid = config.target, config.mid
    # Not only at t=2: hours of t=1 would be lost by then.
    if mid is not None and (Path(target.records) / MANIFEST_NAME).exists():
        _check_meeting(mid, target)
    if stage == "mid":
        assert mid is not None, "run_mid has seen to that"
        _check_mid(mid)
        return mid
    check_set(target.records, target.classes, key="target")
    if mid is None or mid.has_stage:
        return target
    _check_mid(mid)
    return target


def _check_mid(mid: MidConfig) -> None:
    """Whether the mid-level sets are what the config says."""
    manifests = [
        check_set(part.records, part.classes, key=key, task=part.task)
        for key, part in zip(("mid", "mid.second"), mid.parts)
    ]
    for warning in crossing_warnings(*manifests):
        warn(warning)


def _check_meeting(mid: MidConfig, target: TargetConfig) -> None:
    """Whether the sets can be used in one run."""
    last = read_manifest(target.records)
    of_target = treatment_of(last)
    made = {}
    for name, folder in mid.sets.items():
        manifest, kind = read_manifest(folder), name.removesuffix(" set")
        check_no_shared_cases(manifest, last, name=name)
        made[name] = treatment_of(manifest)
        if not mid.allow_unequal_normalization:
            check_equal_stains(made[name], of_target, name=kind)
        if not mid.allow_unequal_scale:
            check_equal_scales(made[name], of_target, name=kind)
    for warning in scale_warnings(made | {"target set": of_target}):
        warn(warning)


def _open_stage(run_dir: RunDir, stage: FitStage, *, force: bool) -> None:
    run_dir.reopen(stage)
    if force:
        shutil.rmtree(run_dir.stage(stage), ignore_errors=True)
    run_dir.stage(stage).mkdir(parents=True, exist_ok=True)


def _check_batch(
    section: MidConfig | TargetConfig,
    strategy: tf.distribute.Strategy,
    stage: FitStage,
) -> None:
    replicas, batch_size = strategy.num_replicas_in_sync, section.fit.batch_size
    # Of two sets each gives its half of the batch to every device.
    sets = len(section.parts) if isinstance(section, MidConfig) else 1
    whole, of_each = sets * replicas, ", for each of two sets" if sets > 1 else ""
    if replicas > 1 and batch_size % whole:
        raise InputError(
            f"{stage}.fit.batch_size must be a multiple of the {replicas} devices"
            f"{of_each}, got {batch_size}. Take {batch_size // whole * whole or whole}."
        )


def _plan(
    config: ExperimentConfig,
    section: MidConfig | TargetConfig,
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    run_dir: RunDir,
    stage: FitStage,
) -> FitPlan:
    seed, size = config.seed, config.backbone.image_size
    mid = config.mid
    is_shuffled = stage == "mid" and mid and mid.variant == "shuffled_labels"
    more = extra_steps(config) if stage == "target" else 0
    task = task_of(section)
    plan = FitPlan(
        stage=stage,
        run_dir=run_dir,
        config=section.fit,
        model=model,
        scored=model,
        data=training_data(
            section, seed=seed, image_size=size, extra_steps=more, part=batch_part()
        ),
        validation=validation_data(section, seed=seed, image_size=size),
        class_weight=class_weight(section),
        metrics=task.metrics,
        task=task,
        strategy=strategy,
        keeps="last" if is_shuffled else "best",
        caption=_caption(config, section, run_dir, stage),
    )
    if stage == "mid" and mid and mid.second:
        return plan_two_heads(plan, mid, seed=seed, image_size=size)
    if stage == "target" and mid and mid.variant == "joint":
        return plan_joint(plan, mid, seed=seed, image_size=size)
    return plan


def _caption(
    config: ExperimentConfig,
    section: MidConfig | TargetConfig,
    run_dir: RunDir,
    stage: FitStage,
) -> BoardCaption:
    before = 0
    if stage == "target" and config.has_mid_stage:
        # Beside the weights, wherever t=1 was trained; another lab may have sent the
        # weights alone.
        made, name = RunDir.of_weights(stage_weights(config, run_dir, "mid"))
        before = len(read_epochs(made.history(name)))
    return BoardCaption(
        classes=section.classes,
        positive=section.positive if isinstance(section, TargetConfig) else None,
        epochs_before=before,
        config=config_io.dump(config),
    )
