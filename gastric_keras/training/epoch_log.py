"""What a fit logs after each epoch: scores, history.csv, best weights, a line."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gastric_keras.models.inference import build_forward, predict
from gastric_keras.models.weights import save_file
from gastric_keras.runs.fit_scores import head_scores
from gastric_keras.runs.shapes import read_history
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_csv
from gastric_keras.support.workers import is_chief
from gastric_keras.training.optimizers import plateau_rate
from gastric_keras.training.plan import FitPlan


@dataclass(frozen=True)
class Epoch:
    """An epoch that was run and validated.

    Attributes:
        row: of history.csv.
        truth: of the validation patches, (n,) int labels or (n, k) float quantities.
        prediction: (n, classes) or (n, k) float32.
        is_last: whether the fit ends with it.
    """

    row: dict[str, float]
    truth: np.ndarray
    prediction: np.ndarray
    is_last: bool


class EpochLog(keras.callbacks.Callback):
    """Validates each epoch, keeps its row in history.csv and the best weights.

    Its state is history.csv alone, so an interrupted fit resumes with its best epoch
    and its patience; Keras' own ModelCheckpoint and EarlyStopping
    keep theirs in memory.

    Attributes:
        columns: of history.csv.
        rows: of it, one an epoch.
        latest: the last epoch that was run in this process.
    """

    latest: Epoch

    def __init__(self, plan: FitPlan, *, initial_epoch: int = 0) -> None:
        """Of a plan; initial_epoch: how many epochs are done."""
        super().__init__()
        self.plan, self.stage, self.config = plan, plan.stage, plan.config
        self.path = plan.run_dir.history(plan.stage)
        self.best_path = plan.run_dir.weights(plan.stage)
        self.is_chief = is_chief()
        self.score = plan.task.chosen_by
        self.columns = (
            *("epoch", "loss", *(metric.name for metric in plan.metrics())),
            *plan.task.columns,
            *("learning_rate", "images_per_second", "seconds"),
        )
        # Rows past the snapshot belong to an epoch that is about to be run again.
        self.rows = read_epochs(self.path)[:initial_epoch]

    @property
    def best(self) -> dict[str, float]:
        """Row of the first epoch with the best score."""
        return max(self.rows, key=self._goodness)

    def _goodness(self, row: dict[str, float]) -> float:
        """The higher the better."""
        return self.score.sign * row[self.score.column]

    @property
    def kept(self) -> dict[str, float]:
        """Row of the epoch whose weights are kept."""
        return self.rows[-1] if self.plan.keeps == "last" else self.best

    @property
    def is_finished(self) -> bool:
        """Whether every epoch was run, the patience has ended, or enough is learned."""
        if len(self.rows) >= self.config.epochs:
            return True
        if not self.rows or self.plan.keeps == "last":
            return False
        stop_at, patience = self.config.stop_at, self.config.patience
        if stop_at is not None and self._goodness(self.best) >= stop_at:
            return True
        waited = self.rows[-1]["epoch"] - self.best["epoch"]
        return patience is not None and waited >= patience

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Trace the model once for all epochs; a bare one to save, as a compiled model
        would take its optimizer into the file."""
        self._forward = build_forward(self.plan.scored)
        self._bare = keras.Model(self.plan.scored.inputs, self.plan.scored.outputs)

    def keep_start(self) -> None:
        """Score and keep the initial model, where there are no epochs to train."""
        self.on_train_begin()
        started = time.perf_counter()
        row = {name: math.nan for name in self.columns} | {"epoch": 0}
        row |= self.plan.task.score(*self._validate())
        self.rows = [row | {"seconds": time.perf_counter() - started}]
        if self.is_chief:
            self._save_best()
            self._write()
        column = self.score.column
        print(f"{self.stage}: no epochs, {column} {row[column]:.4f}", flush=True)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the rate, start the clock."""
        if self.config.schedule == "plateau":
            self.model.optimizer.learning_rate = plateau_rate(
                self.config, [self._goodness(row) for row in self.rows]
            )
        self._epoch, self._started = epoch, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop at the first loss that is not finite, naming its patches."""
        loss = (logs or {}).get("loss", 0.0)
        if math.isfinite(loss):
            return
        steps = self.plan.data.steps_per_epoch
        patches = self.plan.data.keys(self._epoch * steps + batch)
        kept = (
            f"the best weights so far stay in {self.best_path}"
            if self.rows
            else "there is no finished epoch yet"
        )
        raise InputError(
            f"The loss of stage {self.stage} must be finite, got loss={loss} in epoch "
            f"{self._epoch + 1}, batch {batch + 1} of {steps} ({', '.join(patches)}). "
            f"Lower {self.stage}.fit.learning_rate (it is {self.config.learning_rate}) "
            f"or look at these patches; {kept}."
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Score, log, keep the best weights, print one line."""
        logs = {} if logs is None else logs
        trained = time.perf_counter() - self._started
        with self._averaged():
            truth, prediction = self._validate()
            logs |= self.plan.task.score(truth, prediction)
            # Under a strategy it is a variable on each device.
            rate = tf.convert_to_tensor(self.model.optimizer.learning_rate)
            logs["learning_rate"] = float(rate)
            images = self.plan.data.steps_per_epoch * self.config.batch_size
            logs["images_per_second"] = images / trained
            seconds = time.perf_counter() - self._started
            row = {"epoch": epoch, **logs, "seconds": seconds}
            self.rows.append(row)
            if self.is_chief and self.kept["epoch"] == epoch:
                self._save_best()
        if self.is_chief:
            self._write()
            self._print(seconds)
        self.latest = Epoch(row, truth, prediction, is_last=self.is_finished)
        self.model.stop_training = self.latest.is_last

    def _validate(self) -> tuple[np.ndarray, np.ndarray]:
        columns = predict(self._forward, self.plan.validation)
        answer = self.plan.task.answer
        return columns["label" if answer == "view" else answer], columns["probability"]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """With ``ema``, the average of the weights in their place."""
        if not self.config.ema:
            yield
            return
        variables = self.model.trainable_variables
        values = [variable.numpy() for variable in variables]
        self.model.optimizer.finalize_variable_values(variables)
        try:
            yield
        finally:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _save_best(self) -> None:
        partial = self.best_path.with_name("partial.weights.h5")
        save_file(self._bare, partial)
        os.replace(partial, self.best_path)

    def _write(self) -> None:
        rows = ([row[key] for key in self.columns] for row in self.rows)
        write_csv(self.path, self.columns, rows)

    def _print(self, seconds: float) -> None:
        row, total = self.rows[-1], self.config.epochs
        left = (total - len(self.rows)) * seconds
        heads = "".join(
            f"{head} head's {score.name} {value:.4f}, "
            for head, (score, value) in head_scores(row).items()
        )
        print(
            f"{self.stage} {len(self.rows)}/{total}: loss {row['loss']:.4f}, "
            f"val_loss {row['val_loss']:.4f}, {self.score.column} "
            f"{row[self.score.column]:.4f}, {heads}"
            f"{row['images_per_second']:.0f} images/s, {left:.0f} s left",
            flush=True,
        )


def read_epochs(path: Path) -> list[dict[str, float]]:
    """Rows of a history.csv; none when there is no such file.

    Raises:
        InputError: it is damaged.
    """
    if not path.is_file():
        return []
    columns = read_history(path)
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row)) | {"epoch": i} for i, row in enumerate(rows)]
