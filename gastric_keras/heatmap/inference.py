"""Patches through the model, batch by batch, and how fast that went."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.heatmap.patches import PatchPlan, patch_batches
from gastric_keras.imaging.normalization import StainFit
from gastric_keras.imaging.slides import Picture
from gastric_keras.serving.exported_answer import SUFFIX, Answer
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support.errors import require
from gastric_keras.support.progress import with_progress

Key = TypeVar("Key")

#: The model alone is timed for this long, s, but for no more batches than that.
_BARE_SECONDS, _BARE_BATCHES = 1.0, 20


@dataclass(frozen=True)
class Speed:
    """How fast a slide went through.

    Attributes:
        seconds: from the first patch that was asked for to the last answer.
        patches_per_second: in that time, reading included.
        bare_patches_per_second: of the model alone on one batch that lies ready, timed
            in the same run, before and after.
    """

    seconds: float
    patches_per_second: float
    bare_patches_per_second: float

    @property
    def share_of_bare(self) -> float:
        """Whole speed, in parts of the bare one."""
        return self.patches_per_second / self.bare_patches_per_second


def predict_patches(
    model: ExportedModel,
    picture: Picture,
    plan: PatchPlan,
    *,
    batch_size: int,
    readers: int,
    fit: StainFit | None = None,
) -> tuple[Answer, Speed]:
    """Ask the model for each patch of a plan.

    Args:
        model: the model.
        picture: the slide.
        plan: its patches.
        batch_size: patches at once.
        readers: threads that read the slide.
        fit: of the slide's stain, which is then normalized.

    Returns:
        The answer, in the plan's order, and the speed.

    Raises:
        InputError: the slide is damaged where it is read, or the model answers with
            NaN.
    """
    n = len(plan.origins)
    clock = Clock(model, min(batch_size, n))
    columns = () if model.positive is not None else (len(model.scored_classes),)
    probability, raw = np.full((2, n, *columns), np.nan, np.float32)
    label = np.full(n, "", object)
    batches = patch_batches(
        picture,
        plan,
        patch_size=model.patch_size,
        size=model.size,
        batch_size=batch_size,
        readers=readers,
        fit=fit,
    )
    total = -(-n // batch_size)
    clock.start()
    with closing(batches):
        counted = with_progress(batches, total, "heatmap", unit="batches")
        for indices, found in answers(model, counted):
            probability[indices], label[indices] = found.probability, found.label
            if found.raw is not None:
                raw[indices] = found.raw
    speed = clock.stop(n)
    told = raw if model.tells_raw else None
    return Answer(probability, label, clock.threshold, told), speed


def answers(
    model: ExportedModel,
    batches: Iterable[tuple[Key, tf.Tensor | npt.NDArray[np.uint8]]],
) -> Iterator[tuple[Key, Answer]]:
    """Ask a model for each batch of patches.

    Args:
        model: the model.
        batches: what each is known by, and its (n, size, size, 3) uint8 patches.

    Yields:
        The same with the answer; the first one is checked, see ``predict``.

    Raises:
        InputError: the model fails, contradicts itself or answers with NaN.
    """
    is_known = False
    for key, patches in batches:
        found = model.predict(patches, is_known=is_known)
        is_known = True
        is_bad = ~np.isfinite(_columns_of(found.probability)).all(axis=0)
        require(
            not is_bad.any(),
            "The model must give a probability for each patch",
            "Train and export it again.",
            not_finite=int(is_bad.sum()),
        )
        yield key, found


def answer_columns(model: ExportedModel) -> list[str]:
    """What a table holds of an answer; ``raw_…`` where the model tells it."""
    columns = [f"{name}{SUFFIX}" for name in model.scored_classes]
    raw = raw_columns(model) if model.tells_raw else []
    return [*columns, *raw, "label"]


def raw_columns(model: ExportedModel) -> list[str]:
    """Of :func:`answer_columns`, the network's own probabilities."""
    return [f"raw_{name}{SUFFIX}" for name in model.scored_classes]


def answer_cells(answer: Answer) -> Iterator[tuple[str, ...]]:
    """The cells of each patch; floats in digits that bring them back to the bit."""
    raw = () if answer.raw is None else _columns_of(answer.raw)
    columns = (*_columns_of(answer.probability), *raw, answer.label)
    for cells in zip(*columns, strict=True):
        yield tuple(map(str, cells))


def _columns_of(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(n,) or (n, classes) -> (1 or classes, n)."""
    return np.atleast_2d(probability.T)


class Clock:
    """Times patches, and the model alone before and after.

    Args:
        model: the model.
        batch_size: patches at once.
    """

    def __init__(self, model: ExportedModel, batch_size: int) -> None:
        self._model = model
        self._ready = tf.zeros((batch_size, model.size, model.size, 3), tf.uint8)
        # The first call prepares; it is no measure.
        self.threshold = model.predict(self._ready).threshold
        self._before = _time_bare(model, self._ready)

    def start(self) -> None:
        """Begin to time."""
        self._started = time.perf_counter()

    def stop(self, patches: int) -> Speed:
        """The speed of so many patches since the start."""
        seconds = time.perf_counter() - self._started
        after = _time_bare(self._model, self._ready)
        bare = 2 / (1 / self._before + 1 / after)
        return Speed(seconds, patches / seconds, bare)


def _time_bare(model: ExportedModel, ready: tf.Tensor) -> float:
    """Patches a second."""
    started = time.perf_counter()
    for batches in range(1, _BARE_BATCHES + 1):
        model.predict(ready, is_known=True)
        seconds = time.perf_counter() - started
        if seconds > _BARE_SECONDS:
            break
    return batches * len(ready) / seconds
