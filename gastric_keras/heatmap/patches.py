"""Which patches of a slide hold tissue, and a stream of them in batches."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.data.decode import resize
from gastric_keras.imaging.normalization import StainFit, normalize
from gastric_keras.imaging.slides import Picture
from gastric_keras.imaging.tissue import has_pixels, tissue_mask, tissue_share
from gastric_keras.support.errors import InputError, require

#: A scale that is wrong by a factor should say so, not fill the memory.
MAX_PATCHES = 5_000_000
#: Patches are read in squares of this side, px: OpenSlide keeps 32 MiB of decoded
#: pixels, and a whole row of a wide slide would push out what the next one needs.
_BLOCK = 2048


@dataclass(frozen=True)
class PatchPlan:
    """The patches of one slide that are to be read.

    Attributes:
        side: of a patch, px at full resolution.
        step: from one to the next, px.
        origins: (n, 2) int64: x, y of those with enough tissue, row by row.
        tissue: (n,) float64, their share of tissue.
        in_grid: how many there are with the background.
        corner: (x, y) where the grid begins, px: that of the slide's bounds.
    """

    side: int
    step: int
    origins: npt.NDArray[np.int64]
    tissue: npt.NDArray[np.float64]
    in_grid: int
    corner: tuple[int, int] = (0, 0)


def plan_patches(
    picture: Picture, side: int, *, stride: float, min_tissue: float
) -> PatchPlan:
    """Lay the grid over all of a slide that has pixels and leave the background out.

    The last row and column are moved in to end at the edge, so that nothing of the
    slide is left unread.

    Args:
        picture: open slide or picture.
        side: of the patches, px at full resolution.
        stride: from one to the next, in sides.
        min_tissue: least share of tissue, in [0, 1].

    Raises:
        InputError: smaller than one patch, or no patch has enough tissue.
    """
    left, top, width, height = picture.bounds
    require(
        side <= min(height, width),
        "A slide must be at least as large as one patch",
        "Give a smaller side, --set side=…, or fix model_mpp and slide_mpp.",
        size=f"{width}×{height}",
        side=side,
    )
    step = max(1, round(side * stride))
    require(
        height * width / step**2 <= MAX_PATCHES,
        f"A slide must have at most {MAX_PATCHES} patches",
        "Give a larger side or stride, or fix model_mpp and slide_mpp.",
        size=f"{width}×{height}",
        side=side,
        stride=step,
    )
    columns, rows = _starts(width, side, step), _starts(height, side, step)
    origins = np.stack(np.meshgrid(columns + left, rows + top), axis=-1).reshape(-1, 2)
    mask, downsample = tissue_mask(picture)
    tissue = tissue_share(mask, downsample, origins, side)
    is_kept = (tissue >= min_tissue) & has_pixels(picture, origins, side)
    require(
        bool(is_kept.any()),
        f"At least one patch must have {min_tissue:.0%} tissue",
        "Lower it, --set min_tissue=0.1; 0 reads the glass too.",
        patches=len(origins),
        most_tissue=round(float(tissue.max()), 3),
    )
    return PatchPlan(
        side, step, origins[is_kept], tissue[is_kept], len(origins), (left, top)
    )


def patch_batches(
    picture: Picture,
    plan: PatchPlan,
    *,
    patch_size: int,
    size: int,
    batch_size: int,
    readers: int,
    fit: StainFit | None = None,
) -> Generator[tuple[npt.NDArray[np.int64], tf.Tensor], None, None]:
    """Stream the patches of a plan, read in threads ahead of their use.

    As many batches are in memory as there are readers, and three more.

    Args:
        picture: the slide.
        plan: of the slide.
        patch_size: side to read, px: that of the training records.
        size: side that the model takes, px; resized as in training.
        batch_size: patches in a batch; the last holds the rest.
        readers: threads.
        fit: of the slide's stain, which is then normalized.

    Yields:
        (n,) int64 indices into the plan, each once, in an order that is quick to
        read; and (n, size, size, 3) uint8, RGB.

    Raises:
        InputError: the slide is damaged where it is read.
    """
    failures: list[InputError] = []

    def cut(x: int, y: int) -> npt.NDArray[np.uint8]:
        patch = picture.read(x, y, plan.side, plan.side, size=patch_size)
        return patch if fit is None else normalize(patch, fit)

    def read(indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        try:
            return np.stack([cut(x, y) for x, y in plan.origins[indices].tolist()])
        except InputError as error:
            # Through TensorFlow only the words of an error would come, not the error.
            failures.append(error)
            return np.empty((0, patch_size, patch_size, 3), np.uint8)

    def patches_of(indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.numpy_function(read, [indices], tf.uint8)
        pixels.set_shape((None, patch_size, patch_size, 3))
        return indices, resize(pixels, size)

    options = tf.data.Options()
    # Threads that wait for a disk should not take the model's.
    options.threading.private_threadpool_size = readers + 1
    dataset = (
        tf.data.Dataset.from_tensor_slices(_reading_order(plan.origins))
        .batch(batch_size)
        .map(patches_of, num_parallel_calls=readers, deterministic=True)
        .prefetch(2)
        .with_options(options)
    )
    # However the loop is left, the iterator goes, and waits for those who read: nobody
    # reads a slide that is closed.
    for indices, patches in dataset:
        if failures:
            raise failures[0]
        yield indices.numpy(), patches


def _starts(length: int, side: int, step: int) -> npt.NDArray[np.int64]:
    starts = np.arange(0, length - side + 1, step, dtype=np.int64)
    return np.unique(np.append(starts, length - side))


def _reading_order(origins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    x, y = origins.T
    return np.lexsort((x, y, x // _BLOCK, y // _BLOCK))
