"""Batches of two mid-level sets for a t=1 with two heads, half of each.

A joined batch is held against rows, one a patch. A row holds the weight of each head in
the loss of the patch, 0 for the head of the other set; then what the first head has to
answer, then the second, 0 where the patch is not of its set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf

from gastric_keras.config.mid import MidConfig
from gastric_keras.data.batch_part import WHOLE, BatchPart
from gastric_keras.data.stage_data import (
    TrainingData,
    class_weight,
    count_steps,
    training_data,
    validation_data,
)
from gastric_keras.runs.fit_scores import HEADS


@dataclass(frozen=True)
class Head:
    """One of two heads: its columns in the rows, and in what the network answers.

    Attributes:
        name: ``first`` or ``second``.
        section: of the config, for its set alone.
        weight: of its loss; those of both heads sum to 1.
        place: of its weight in a row.
        truth: columns of a row that it has to answer: one label, or numbers.
        answer: columns of the network's output.
        width: of a row.
    """

    name: str
    section: MidConfig
    weight: float
    place: int
    truth: slice
    answer: slice
    width: int

    @property
    def column(self) -> Literal["label", "quantities"]:
        """Of the records that it learns."""
        return "label" if self.section.task == "classes" else "quantities"

    def truth_of(self, rows: tf.Tensor) -> tf.Tensor:
        """What the head has to answer: labels (N,), or numbers (N, k), of rows."""
        truth = rows[:, self.truth]
        return truth[:, 0] if self.column == "label" else truth

    def own(
        self, rows: np.ndarray, prediction: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Truth and prediction of the patches of its set.

        Args:
            rows: (n, width).
            prediction: (n, answers of both heads).

        Returns:
            (m,) int labels or (m, k) numbers, and (m, answers of this head).
        """
        mine = rows[:, self.place] > 0
        truth = self.truth_of(rows[mine])
        truth = truth.astype(int) if self.column == "label" else truth
        return truth, prediction[mine, self.answer]

    def rows(self, truth: tf.Tensor, class_weights: tf.Tensor | None) -> tf.Tensor:
        """Rows of patches of its set.

        Args:
            truth: (N,) int64 labels, or (N, k) float32.
            class_weights: (classes,) float32, factor of the loss of a patch by its
                class, of shares by that with most of it; None: all 1.

        Returns:
            (N, width) float32.
        """
        numbers = tf.cast(truth, tf.float32)
        if self.column == "label":
            numbers = numbers[:, None]
        # Half of a batch is of this set, so that the mean over all of it halves.
        weight = tf.fill((tf.shape(numbers)[0], 1), 2 * self.weight)
        if class_weights is not None:
            is_label = self.column == "label"
            label = truth if is_label else tf.argmax(truth, axis=1)
            weight *= tf.gather(class_weights, label)[:, None]
        return tf.concat(
            [
                tf.pad(weight, [(0, 0), (self.place, 1 - self.place)]),
                tf.pad(
                    numbers,
                    [(0, 0), (self.truth.start - 2, self.width - self.truth.stop)],
                ),
            ],
            axis=1,
        )


def heads_of(mid: MidConfig) -> tuple[Head, Head]:
    """The two heads of a section with a second set."""
    assert mid.second is not None, "callers have seen to that"
    parts = mid.parts
    answers = [len(part.classes) for part in parts]
    truths = [1 if part.task == "classes" else len(part.classes) for part in parts]
    middle, width = 2 + truths[0], 2 + sum(truths)
    weight = mid.second.weight
    return (
        Head(
            *(HEADS[0], parts[0], 1 - weight, 0),
            truth=slice(2, middle),
            answer=slice(0, answers[0]),
            width=width,
        ),
        Head(
            *(HEADS[1], parts[1], weight, 1),
            truth=slice(middle, width),
            answer=slice(answers[0], sum(answers)),
            width=width,
        ),
    )


def join_training(
    mid: MidConfig, *, seed: int, image_size: int, part: BatchPart = WHOLE
) -> TrainingData:
    """The training patches of both sets; order and views by (seed, epoch) alone.

    Args:
        mid: section of the config with a second set.
        seed: of order and augmentation.
        image_size: side in px.
        part: rows of each batch that this process makes.

    Returns:
        Batches of (images, rows). Patch 2i is of the first set and 2i + 1 of the
        second, so that a batch divided among devices keeps both. An epoch is a pass
        over the longer set; the passes over the other go on behind it. ``plain`` is of
        the first set.
    """
    heads, steps = heads_of(mid), count_steps(mid)
    first, second = (
        training_data(
            head.section,
            seed=seed,
            image_size=image_size,
            extra_steps=steps - count_steps(head.section),
            part=part,
        )
        for head in heads
    )
    weights = [_class_weights(head.section) for head in heads]

    def batches(start: int) -> tf.data.Dataset:
        pairs = tf.data.Dataset.zip((first.batches(start), second.batches(start)))
        return pairs.map(
            lambda a, b: (
                _side_by_side(a[0], b[0]),
                _side_by_side(
                    heads[0].rows(a[1], weights[0]), heads[1].rows(b[1], weights[1])
                ),
            ),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        ).prefetch(tf.data.AUTOTUNE)

    def keys(number: int) -> list[str]:
        return first.keys(number) + second.keys(number)

    return TrainingData(batches, first.plain, keys, steps)


def join_validation(mid: MidConfig, *, seed: int, image_size: int) -> tf.data.Dataset:
    """Every validation patch of the first set, then of the second.

    Returns:
        Dataset of dicts: image (batch, size, size, 3) uint8; rows (batch, width)
        float32, without weights of classes. Arguments as above.
    """

    def of(head: Head) -> tf.data.Dataset:
        patches = validation_data(head.section, seed=seed, image_size=image_size)
        return patches.map(
            lambda batch: {
                "image": batch["image"],
                "rows": head.rows(batch[head.column], None),
            }
        )

    first, second = map(of, heads_of(mid))
    return first.concatenate(second)


def _class_weights(section: MidConfig) -> tf.Tensor | None:
    weights = class_weight(section)
    if weights is None:
        return None
    return tf.constant([weights[label] for label in sorted(weights)], tf.float32)


def _side_by_side(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """One of the first, one of the second, and so on."""
    both = tf.stack([one, other], axis=1)
    return tf.reshape(both, (-1, *one.shape[1:]))
