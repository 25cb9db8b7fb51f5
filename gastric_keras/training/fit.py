"""One stage's fit: compile, callbacks, fit. It knows nothing of the ladder."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.runs.shapes import FitFigures
from gastric_keras.support.errors import InputError
from gastric_keras.training import snapshots
from gastric_keras.training.epoch_log import EpochLog
from gastric_keras.training.head_probe import probe_head
from gastric_keras.training.optimizers import build_optimizer
from gastric_keras.training.plan import FitPlan
from gastric_keras.training.runtime import agree, distribute
from gastric_keras.training.tasks import CLASSES, plain_metrics
from gastric_keras.training.tensorboard import EventLog


def fit(plan: FitPlan) -> FitFigures:
    """Fit a classifier, or go on with a fit that was interrupted.

    Args:
        plan: of one stage.

    Returns:
        How it ended; the weights that are kept (``plan.keeps``) lie at
        ``plan.run_dir.weights(plan.stage)``.

    Raises:
        InputError: the loss is not finite any more, a batch does not fit in memory, or
            another worker is lost.
    """
    start = _start(plan)
    log = EpochLog(plan, initial_epoch=start)
    if not plan.config.epochs:
        log.keep_start()
    elif not log.is_finished:
        _train(plan, log, start)
    kept, epochs = log.kept, min(len(log.rows), plan.config.epochs)
    return FitFigures(
        best_epoch=int(kept["epoch"]),
        val_auc=kept.get("val_auc"),
        epochs=epochs,
        steps=epochs * plan.data.steps_per_epoch,
        seconds=sum(row["seconds"] for row in log.rows),
        scores=(
            {}
            if "val_auc" in kept
            else {name: kept[name] for name in plan.task.columns}
        ),
    )


def compile_for(
    model: keras.Model,
    config: FitConfig,
    *,
    steps_per_epoch: int,
    metrics: Callable[[], list[keras.Metric]] = plain_metrics,
    loss: Callable[[], keras.losses.Loss] = CLASSES.loss,
) -> None:
    """Compile a classifier as a stage trains it.

    Args:
        model: a classifier.
        config: of the stage.
        steps_per_epoch: updates an epoch, for the schedule.
        metrics: makes the metrics of the training batches.
        loss: makes the loss.
    """
    model.compile(
        optimizer=build_optimizer(config, steps_per_epoch),
        loss=loss(),
        metrics=metrics(),
        # On a CPU, XLA's convolutions are 1.5 to 2.5 times slower than oneDNN's.
        jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
    )
    # Its variables would else be made within the first trace of a step, which then is
    # traced a second time.
    model.optimizer.build(model.trainable_variables)


def _start(plan: FitPlan) -> int:
    """Compile the model and bring it to where the fit begins: epochs that are done."""
    config, stage = plan.config, plan.stage
    with plan.strategy.scope():
        compile_for(
            plan.model,
            config,
            steps_per_epoch=plan.data.steps_per_epoch,
            metrics=plan.metrics,
            loss=plan.task.loss,
        )
        done = snapshots.restore(plan.model, plan.run_dir.snapshots(stage), stage=stage)
        agree(plan.strategy, done, "epochs that are done", path=plan.run_dir.root)
        if done:
            print(f"{stage}: resuming after epoch {done}", flush=True)
        elif config.head == "probe":
            for head in plan.probed_heads:
                probe_head(
                    plan.model,
                    head.patches(),
                    strength=config.probe_strength,
                    balance=head.balance,
                    head=head.name,
                )
    return done


def _train(plan: FitPlan, log: EpochLog, start: int) -> None:
    config, stage = plan.config, plan.stage
    try:
        plan.model.fit(
            **distribute(
                plan.strategy, plan.model, plan.data.batches(start), plan.class_weight
            ),
            epochs=config.epochs,
            initial_epoch=start,
            steps_per_epoch=plan.data.steps_per_epoch,
            # The dataset shuffles by (seed, epoch); Keras would warn that it cannot.
            shuffle=False,
            verbose=0,
            callbacks=_callbacks(plan, log),
        )
    except tf.errors.UnavailableError as error:
        raise InputError(
            f"All workers of stage {stage} must stay alive, got {_first_line(error)}. "
            "Start all of them again with the same command: the stage resumes after "
            "its last whole epoch."
        ) from error
    except tf.errors.ResourceExhaustedError as error:
        replicas = plan.strategy.num_replicas_in_sync
        half = config.batch_size // 2 // replicas * replicas
        raise InputError(
            f"A batch of stage {stage} must fit in memory, got "
            f"batch_size={config.batch_size} ({_first_line(error)}). Try "
            + (
                f"{stage}.fit.batch_size={half}; finished epochs of the stage are kept."
                if half
                else "a smaller backbone.image_size."
            )
        ) from error


def _callbacks(plan: FitPlan, log: EpochLog) -> list[keras.callbacks.Callback]:
    if not log.is_chief:
        return [log, *plan.callbacks]
    boards = [EventLog(plan, log, done=len(log.rows))] if plan.caption else []
    # Last of all: an epoch counts as done when everything else about it is. Kept to the
    # end of the stage, or a kill just before that would cost the whole fit.
    kept = snapshots.Snapshots(plan.run_dir.snapshots(plan.stage))
    return [log, *boards, *plan.callbacks, kept]


def _first_line(error: tf.errors.OpError) -> str:
    lines = (error.message or "").strip().splitlines() or ["out of memory"]
    return next((line for line in lines if "OOM" in line), lines[0])[:200]
