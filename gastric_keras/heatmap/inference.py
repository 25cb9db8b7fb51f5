"""Every patch of a slide through the model, and how fast that went."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from gastric_keras.heatmap.patches import PatchPlan, patch_batches
from gastric_keras.imaging.normalization import StainFit
from gastric_keras.imaging.slides import Picture
from gastric_keras.serving.exported_model import Answer, ExportedModel
from gastric_keras.support.errors import require
from gastric_keras.support.progress import with_progress

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
    ready = tf.zeros(
        (min(batch_size, len(plan.origins)), *(model.size,) * 2, 3), tf.uint8
    )
    # The first call prepares; it is no measure.
    threshold = model.predict(ready).threshold
    before = _time_bare(model, ready)
    probability = np.full(len(plan.origins), np.nan, np.float32)
    label = np.full(len(plan.origins), "", object)
    batches = patch_batches(
        picture,
        plan,
        patch_size=model.patch_size,
        size=model.size,
        batch_size=batch_size,
        readers=readers,
        fit=fit,
    )
    total = -(-len(plan.origins) // batch_size)
    is_known = False
    started = time.perf_counter()
    with closing(batches):
        for indices, patches in with_progress(
            batches, total, "heatmap", unit="batches"
        ):
            found = model.predict(patches, is_known=is_known)
            is_known = True
            probability[indices], label[indices] = found.probability, found.label
    seconds = time.perf_counter() - started
    require(
        bool(np.isfinite(probability).all()),
        "The model must give a probability for each patch",
        "Train and export it again.",
        not_finite=int((~np.isfinite(probability)).sum()),
    )
    after = _time_bare(model, ready)
    speed = Speed(seconds, len(probability) / seconds, 2 / (1 / before + 1 / after))
    return Answer(probability, label, threshold), speed


def _time_bare(model: ExportedModel, ready: tf.Tensor) -> float:
    """Patches a second."""
    started = time.perf_counter()
    for batches in range(1, _BARE_BATCHES + 1):
        model.predict(ready, is_known=True)
        seconds = time.perf_counter() - started
        if seconds > _BARE_SECONDS:
            break
    return batches * len(ready) / seconds
