"""One stage's fit: compile, callbacks, fit. It knows nothing of the ladder."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from gastric_keras.config import FitConfig
from gastric_keras.errors import InputError
from gastric_keras.files import write_atomic
from gastric_keras.models import build_forward, predict
from gastric_keras.run_dir import FitStage, RunDir


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


def validation_scores(label: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    """Loss, accuracy and AUC of a validation split, exact, in NumPy.

    Keras' own AUC is binned and its loss is diluted by padding.

    Args:
        label: (n,) int.
        probability: (n, classes) float, rows sum to 1.

    Returns:
        ``val_loss`` (mean cross-entropy), ``val_accuracy``, ``val_auc`` (of class 1
        for two classes, else the mean over the classes, each against the rest).
    """
    classes = probability.shape[1]
    probability = np.asarray(probability, np.float64)
    probability /= probability.sum(axis=1, keepdims=True)
    score = probability[:, 1] if classes == 2 else probability
    return {
        "val_loss": float(log_loss(label, probability, labels=range(classes))),
        "val_accuracy": float((probability.argmax(1) == label).mean()),
        "val_auc": float(roc_auc_score(label, score, multi_class="ovr")),
    }


class EpochLog(keras.callbacks.Callback):
    """Validates each epoch, keeps its row in history.csv and the best weights.

    Its state is history.csv alone, so that an interrupted fit goes on with the best
    epoch and the patience that it had; Keras' own ModelCheckpoint and EarlyStopping
    keep theirs in memory.
    """

    COLUMNS = (
        "epoch",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "val_auc",
        "learning_rate",
        "images_per_second",
        "seconds",
    )

    def __init__(
        self,
        validation: tf.data.Dataset,
        *,
        run_dir: RunDir,
        stage: FitStage,
        config: FitConfig,
        initial_epoch: int,
        images_per_epoch: int,
    ) -> None:
        super().__init__()
        self.validation, self.config = validation, config
        self.path, self.best_path = run_dir.history(stage), run_dir.weights(stage)
        self.stage, self.images_per_epoch = stage, images_per_epoch
        # Rows past the backup belong to an epoch that is about to be run again.
        self.rows = read_history(self.path)[:initial_epoch]

    @property
    def best(self) -> dict[str, float]:
        """Row of the first epoch with the highest validation AUC."""
        return max(self.rows, key=lambda row: row["val_auc"])

    @property
    def is_finished(self) -> bool:
        """Whether every epoch was run, or the patience has ended."""
        if len(self.rows) >= self.config.epochs:
            return True
        if self.config.patience is None or not self.rows:
            return False
        return self.rows[-1]["epoch"] - self.best["epoch"] >= self.config.patience

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Trace the model once for all epochs."""
        self._forward = build_forward(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score, log, keep the best weights, print one line."""
        logs = {} if logs is None else logs
        trained = time.perf_counter() - self._started
        if not math.isfinite(logs["loss"]):
            raise InputError(
                f"A finite loss was expected in stage {self.stage}, epoch {epoch}. "
                f"Received: loss={logs['loss']}. Lower {self.stage}.fit.learning_rate "
                f"(it is {self.config.learning_rate}); the best weights so far stay "
                f"in {self.best_path}."
            )
        columns = predict(self._forward, self.validation)
        # Written into logs, so that TensorBoard and BackupAndRestore behind this
        # callback see them too.
        logs |= validation_scores(columns["label"], columns["probability"])
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs["images_per_second"] = self.images_per_epoch / trained
        seconds = time.perf_counter() - self._started
        self.rows.append({"epoch": epoch, **logs, "seconds": seconds})
        if self.best["epoch"] == epoch:
            self._save_best()
        self._write()
        self._print(seconds)
        self.model.stop_training = self.is_finished

    def _save_best(self) -> None:
        partial = self.best_path.with_name("partial.weights.h5")
        self.model.save_weights(partial)
        os.replace(partial, self.best_path)

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: row[key] for key in self.COLUMNS} for row in self.rows)
        write_atomic(self.path, text.getvalue())

    def _print(self, seconds: float) -> None:
        row, total = self.rows[-1], self.config.epochs
        left = (total - len(self.rows)) * seconds
        print(
            f"{self.stage} {len(self.rows)}/{total}: loss {row['loss']:.4f}, "
            f"val_loss {row['val_loss']:.4f}, val_auc {row['val_auc']:.4f}, "
            f"{row['images_per_second']:.0f} images/s, {left:.0f} s left",
            flush=True,
        )


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a history.csv; none when there is no such file."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        return [
            {key: int(v) if key == "epoch" else float(v) for key, v in row.items()}
            for row in csv.DictReader(stream)
        ]


def initial_epoch(run_dir: RunDir, stage: FitStage) -> int:
    """The epoch that a fit will begin with: 0, or the one after the last backup."""
    metadata = run_dir.backup(stage) / "training_metadata.json"
    if not metadata.is_file():
        return 0
    try:
        return int(json.loads(metadata.read_text())["epoch"])
    except ValueError:
        # Keras writes it in place; a kill in that moment leaves a part of it.
        print(f"{stage}: the backup is damaged, the stage starts over", flush=True)
        shutil.rmtree(run_dir.backup(stage))
        return 0


def fit(
    model: keras.Model,
    train: Callable[[int], tf.data.Dataset],
    validation: tf.data.Dataset,
    *,
    config: FitConfig,
    run_dir: RunDir,
    stage: FitStage,
    steps_per_epoch: int,
    class_weight: dict[int, float] | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> FitResult:
    """Fit a classifier, or go on with a fit that was interrupted.

    Args:
        model: built under ``strategy.scope()``; left with the last epoch's weights.
        train: first epoch -> batches of (image, label) from there to the last epoch.
        validation: an ``eval_dataset``.
        config: how.
        run_dir: where weights, history, backup and TensorBoard events go.
        stage: mid or target.
        steps_per_epoch: batches an epoch.
        class_weight: label -> factor of its loss; None: all 1.
        strategy: that the model was built under; None: TensorFlow's default.

    Returns:
        How it ended; the best weights are at ``run_dir.weights(stage)``.

    Raises:
        InputError: the loss is not finite any more.
    """
    folder = run_dir.stage(stage)
    folder.mkdir(parents=True, exist_ok=True)
    start = initial_epoch(run_dir, stage)
    if start:
        print(f"{stage}: resuming after epoch {start}", flush=True)
    with (strategy or tf.distribute.get_strategy()).scope():
        model.compile(
            optimizer=_build_optimizer(config, steps_per_epoch),
            loss=keras.losses.SparseCategoricalCrossentropy(),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            # On a CPU, XLA's convolutions are 1.5 to 2.5 times slower than oneDNN's.
            jit_compile="auto" if tf.config.list_physical_devices("GPU") else False,
        )
    log = EpochLog(
        validation,
        run_dir=run_dir,
        stage=stage,
        config=config,
        initial_epoch=start,
        images_per_epoch=steps_per_epoch * config.batch_size,
    )
    if not log.is_finished:
        model.fit(
            train(start),
            epochs=config.epochs,
            initial_epoch=start,
            steps_per_epoch=steps_per_epoch,
            class_weight=class_weight,
            # The dataset shuffles by (seed, epoch); Keras would warn that it cannot.
            shuffle=False,
            verbose=0,
            callbacks=[log, *_build_callbacks(run_dir, stage)],
        )
    best = log.best
    return FitResult(
        best_epoch=int(best["epoch"]),
        val_auc=best["val_auc"],
        epochs=len(log.rows),
        steps=len(log.rows) * steps_per_epoch,
        seconds=sum(row["seconds"] for row in log.rows),
    )


def _build_optimizer(config: FitConfig, steps_per_epoch: int) -> keras.Optimizer:
    rate: Any = config.learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            config.learning_rate, config.epochs * steps_per_epoch
        )
    if config.weight_decay:
        return keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    return keras.optimizers.Adam(rate)


def _build_callbacks(
    run_dir: RunDir, stage: FitStage
) -> list[keras.callbacks.Callback]:
    return [
        keras.callbacks.TensorBoard(run_dir.stage(stage), write_graph=False),
        # Last of all: an epoch counts as done when everything else about it is. Kept
        # to the end of the stage, or a kill just before that would cost the whole fit.
        keras.callbacks.BackupAndRestore(
            run_dir.backup(stage), double_checkpoint=True, delete_checkpoint=False
        ),
    ]
