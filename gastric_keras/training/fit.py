"""One stage's fit: compile, callbacks, fit. It knows nothing of the ladder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.data.stage_data import TrainingData
from gastric_keras.runs.run_dir import FitStage, RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.workers import is_chief
from gastric_keras.training import head_probe as probe
from gastric_keras.training import snapshots
from gastric_keras.training.epoch_log import EpochLog
from gastric_keras.training.event_log import Caption, EventLog
from gastric_keras.training.optimizers import build_optimizer
from gastric_keras.training.runtime import agree, distribute


@dataclass(frozen=True)
class FitResult:
    """How a fit ended.

    Attributes:
        best_epoch: from 0; its weights are the stage's.
        val_auc: of that epoch.
        epochs: how many were run.
        steps: updates in all.
        seconds: of training and validation, over all attempts.
    """

    best_epoch: int
    val_auc: float
    epochs: int
    steps: int
    seconds: float


def plain_accuracy() -> keras.Metric:
    """Share of training patches that are called right."""
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def fit(
    model: keras.Model,
    data: TrainingData,
    validation: tf.data.Dataset,
    *,
    config: FitConfig,
    run_dir: RunDir,
    stage: FitStage,
    class_weight: dict[int, float] | None = None,
    strategy: tf.distribute.Strategy | None = None,
    scored: keras.Model | None = None,
    build_accuracy: Callable[[], keras.Metric] = plain_accuracy,
    caption: Caption | None = None,
) -> FitResult:
    """Fit a classifier, or go on with a fit that was interrupted.

    Args:
        model: built under ``strategy.scope()``; left with the last epoch's weights.
        data: what it is fitted on.
        validation: an ``eval_dataset``.
        config: how.
        run_dir: where weights, history, snapshots and TensorBoard's events go.
        stage: mid or target.
        class_weight: label -> factor of its loss; None: all 1.
        strategy: that the model was built under; None: TensorFlow's default.
        scored: the classifier inside the model that is validated and kept; None: the
            model itself.
        build_accuracy: makes the metric of the training batches.
        caption: of what TensorBoard shows; None: nothing is written for it.

    Returns:
        How it ended; the best weights are at ``run_dir.weights(stage)``.

    Raises:
        InputError: the loss is not finite any more, a batch does not fit in memory, or
            another worker is lost.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        compile_for(
            model,
            config,
            steps_per_epoch=data.steps_per_epoch,
            build_accuracy=build_accuracy,
        )
        start = snapshots.restore(model, run_dir.snapshots(stage), stage=stage)
        agree(strategy, start, "epochs that are done", path=run_dir.root)
        if start:
            print(f"{stage}: resuming after epoch {start}", flush=True)
        elif config.head == "probe":
            probe.probe_head(
                model,
                data.plain(),
                strength=config.probe_strength,
                balance=class_weight is not None,
            )
    log = EpochLog(
        validation,
        run_dir=run_dir,
        stage=stage,
        config=config,
        initial_epoch=start,
        images_per_epoch=data.steps_per_epoch * config.batch_size,
        is_chief=is_chief(),
        name_batch=data.keys,
        scored=scored or model,
    )
    if not config.epochs:
        log.keep_start()
    elif not log.is_finished:
        _fit(model, data, log, start, class_weight, strategy, caption)
    best = log.best
    return FitResult(
        best_epoch=int(best["epoch"]),
        val_auc=best["val_auc"],
        epochs=min(len(log.rows), config.epochs),
        steps=min(len(log.rows), config.epochs) * data.steps_per_epoch,
        seconds=sum(row["seconds"] for row in log.rows),
    )


def compile_for(
    model: keras.Model,
    config: FitConfig,
    *,
    steps_per_epoch: int,
    build_accuracy: Callable[[], keras.Metric] = plain_accuracy,
) -> None:
    """Compile a classifier as a stage trains it.

    Args:
        model: a classifier.
        config: of the stage.
        steps_per_epoch: updates an epoch, for the schedule.
        build_accuracy: makes the metric of the training batches.
    """
    model.compile(
        optimizer=build_optimizer(config, steps_per_epoch),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[build_accuracy()],
        # On a CPU, XLA's convolutions are 1.5 to 2.5 times slower than oneDNN's.
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
    )


def _fit(
    model: keras.Model,
    data: TrainingData,
    log: EpochLog,
    start: int,
    class_weight: dict[int, float] | None,
    strategy: tf.distribute.Strategy,
    caption: Caption | None,
) -> None:
    run_dir, stage, config = log.run_dir, log.stage, log.config
    callbacks: list[keras.callbacks.Callback] = [log]
    if log.is_chief and caption:
        callbacks.append(EventLog(log, caption, batches=data.batches))
    if log.is_chief:
        # Last of all: an epoch counts as done when everything else about it is. Kept to
        # the end of the stage, or a kill just before that would cost the whole fit.
        callbacks.append(snapshots.Snapshots(run_dir.snapshots(stage)))
    try:
        model.fit(
            distribute(strategy, model, data.batches(start)),
            epochs=config.epochs,
            initial_epoch=start,
            steps_per_epoch=data.steps_per_epoch,
            class_weight=class_weight,
            # The dataset shuffles by (seed, epoch); Keras would warn that it cannot.
            shuffle=False,
            verbose=0,
            callbacks=callbacks,
        )
    except tf.errors.UnavailableError as error:
        raise InputError(
            f"Workers that all live were expected in stage {stage}. Received: "
            f"{_first_line(error)}. Start all of them again with the same command: the "
            "stage goes on after its last whole epoch."
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        replicas = strategy.num_replicas_in_sync
        half = config.batch_size // 2 // replicas * replicas
        raise InputError(
            f"A batch that fits in memory was expected in stage {stage}. Received: "
            f"batch_size={config.batch_size} ({_first_line(error)}). Try "
            + (
                f"{stage}.fit.batch_size={half}; what is finished of the stage stays."
                if half
                else "a smaller backbone.image_size."
            )
        ) from error


def _first_line(error: tf.errors.OpError) -> str:
    lines = (error.message or "").strip().splitlines() or ["out of memory"]
    return next((line for line in lines if "OOM" in line), lines[0])[:200]
