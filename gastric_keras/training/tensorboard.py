"""What TensorBoard shows of a fit while it runs, and how its event files are kept."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.image.metadata import create_summary_metadata

from gastric_keras.imaging.mosaic import join_patches
from gastric_keras.training.epoch_log import EpochLog
from gastric_keras.training.plan import FitPlan
from gastric_keras.training.tasks import Task
from gastric_keras.training.validation_pictures import draw_numbers, draw_validation

#: How tf.summary begins the name of a file that it writes.
PATTERN = "events.out.tfevents.*"
#: Column of history.csv -> TensorBoard's run inside the stage, and tag. Training and
#: validation share a tag, and so a chart.
SCALARS = {
    "loss": ("train", "scores/loss"),
    "accuracy": ("train", "scores/accuracy"),
    "val_loss": ("validation", "scores/loss"),
    "val_accuracy": ("validation", "scores/accuracy"),
    "val_auc": ("validation", "scores/auc"),
    "learning_rate": ("train", "training/learning_rate"),
    "images_per_second": ("train", "training/images_per_second"),
    "seconds": ("train", "training/seconds_per_epoch"),
}
#: Patches of a class in the picture of augmented ones, at most.
SHOWN_PATCHES = 16


class EventLog(keras.callbacks.Callback):
    """Writes the rows of an ``EpochLog``, and pictures of its validation, as events.

    Must come right behind the ``EpochLog``, and before the snapshot that makes an
    epoch count as done.
    """

    def __init__(self, plan: FitPlan, log: EpochLog, *, done: int) -> None:
        """Of a plan with a caption; done: epochs that were run before."""
        super().__init__()
        assert plan.caption is not None, "nothing is written without one"
        self.plan, self.caption, self.log, self.done = plan, plan.caption, log, done

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Cut the event files back to the epochs that are done, then open new ones."""
        last = self.caption.epochs_before + self.done if self.done else 0
        self._writers = {}
        for part in ("train", "validation"):
            folder = self.plan.run_dir.stage(self.plan.stage) / part
            cut_back(folder, last)
            self._writers[part] = tf.summary.create_file_writer(str(folder))
        if not self.done:
            self._introduce(step=self.caption.epochs_before + 1)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write the epoch's row; pictures where they are due."""
        step = self.caption.epochs_before + epoch + 1
        latest = self.log.latest
        for column in self.log.columns:
            if column == "epoch":
                continue
            # A score of a task of its own keeps its name.
            of = "validation" if column.startswith("val_") else "train"
            place = (of, f"scores/{column.removeprefix('val_')}")
            part, tag = SCALARS.get(column, place)
            with self._writers[part].as_default():
                tf.summary.scalar(tag, latest.row[column], step=step)
        if is_pictured(epoch) or latest.is_last:
            pictures = self._draw(step)
            with self._writers["validation"].as_default():
                for name, png in pictures.items():
                    write_png(f"validation/{name}", png, step=step)
        for writer in self._writers.values():
            writer.flush()

    def _draw(self, step: int) -> dict[str, bytes]:
        latest, task = self.log.latest, self.plan.task
        truth, prediction = latest.truth, latest.prediction
        title = f"Validation, epoch {step}"
        if not task.heads:
            return self._draw_task(
                task, truth, prediction, self.caption.classes, title=title
            )
        return {
            f"{head.name}_{name}": png
            for head in task.heads
            for name, png in self._draw_task(
                head.task,
                *head.own(truth, prediction),
                head.classes,
                title=f"{title}, {head.name} head",
            ).items()
        }

    def _draw_task(
        self,
        task: Task,
        truth: np.ndarray,
        prediction: np.ndarray,
        classes: tuple[str, ...],
        *,
        title: str,
    ) -> dict[str, bytes]:
        if task.answer == "label":
            positive = self.caption.positive
            return draw_validation(
                truth, prediction, classes=classes, positive=positive, title=title
            )
        if task.answer == "quantities":
            return draw_numbers(truth, prediction, names=classes, title=title)
        return {}

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()

    def _introduce(self, step: int) -> None:
        patches, labels = (
            part.numpy() for part in next(iter(self.plan.data.batches(0)))
        )
        with self._writers["train"].as_default():
            tf.summary.text("config", f"```\n{self.caption.config}```", step=step)
            for name, of_class in self._groups(patches, labels):
                if len(of_class):
                    pixels = join_patches(of_class[:SHOWN_PATCHES], columns=4, gap=4)
                    write_png(
                        f"training/augmented_{name}",
                        tf.io.encode_png(pixels).numpy(),
                        step=step,
                        description="Of the first batch, as the network gets them.",
                    )

    def _groups(
        self, patches: np.ndarray, labels: np.ndarray
    ) -> Iterator[tuple[str, np.ndarray]]:
        """The patches that one picture shows, and its name: of a class, or all."""
        if self.plan.task.answer != "label":
            yield "patches", patches
            return
        for label, name in enumerate(self.caption.classes):
            yield name, patches[labels == label]


def is_pictured(epoch: int) -> bool:
    """Whether an epoch (from 0) gets its pictures: the 1st, 2nd, 4th, 8th, …

    Drawing takes a third of a second, which every epoch of a small set would feel; and
    TensorBoard shows ten pictures of a tag, so that the first thousand epochs fit.
    """
    return (epoch + 1) & epoch == 0


def write_png(tag: str, png: bytes, *, step: int, description: str = "") -> None:
    """Write a picture to the current summary writer, as it is.

    ``tf.summary.image`` would take the pixels and compress them once more.

    Args:
        tag: of the picture.
        png: the file.
        step: epoch on TensorBoard's axis.
        description: Markdown, shown beside the picture.
    """
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
    tf.summary.write(
        tag,
        tf.constant([str(width).encode(), str(height).encode(), png]),
        step=step,
        metadata=create_summary_metadata(display_name=None, description=description),
    )


def cut_back(folder: Path, last_step: int) -> None:
    """Remove the events after a step from the event files of a folder.

    A fit that resumes after its last whole epoch writes the later epochs again:
    without this, each of their points would be drawn twice.

    Args:
        folder: may be missing; folders inside it are left alone.
        last_step: the last one that stays.
    """
    for path in sorted(folder.glob(PATTERN)):
        kept = [
            event
            for event in _read_events(path)
            if Event.FromString(event).step <= last_step
        ]
        # The first one tells the version of the file.
        if len(kept) < 2:
            path.unlink()
            continue
        # Not a name that TensorBoard reads.
        partial = path.with_name("partial.events")
        with tf.io.TFRecordWriter(str(partial)) as writer:
            for event in kept:
                writer.write(event)
        os.replace(partial, path)


def _read_events(path: Path) -> Iterator[bytes]:
    """Serialized events, up to where a kill cut the file short."""
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError:
        return
