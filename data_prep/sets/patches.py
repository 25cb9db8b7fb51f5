"""The grid of patches over a picture, and which of them a region map can label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import PatchRules
from gastric_keras.imaging.normalization import StainFit, normalize
from gastric_keras.imaging.slides import Picture
from gastric_keras.support.errors import InputError

TOO_SMALL = "image smaller than a patch"
NO_PIXELS = "the slide has no pixels there"
LOW_COVERAGE = "too little of the patch annotated"
LOW_PURITY = "classes mixed"


class PatchRef(NamedTuple):
    """A patch before it is cut: left and top edge in px, its label, its quantities."""

    x: int
    y: int
    label: int
    quantities: tuple[float, ...] = ()


def grid_origins(
    shape: tuple[int, int], size: int, *, stride: int | None = None
) -> npt.NDArray[np.int64]:
    """Origins of the patches that lie wholly inside a picture.

    Args:
        shape: (H, W) of the picture, px.
        size: side of the patches, px.
        stride: px between neighbors; None sets them edge to edge.

    Returns:
        (N, 2) int64: x, y, row by row; N is 0 for a picture smaller than a patch.

    Raises:
        InputError: a size or stride below 1.
    """
    stride = size if stride is None else stride
    if size < 1 or stride < 1:
        raise InputError(
            f"patch_size and stride must be 1 px or more, got patch_size={size}, "
            f"stride={stride}. Fix the config."
        )
    height, width = shape
    ys = np.arange(0, height - size + 1, stride)
    xs = np.arange(0, width - size + 1, stride)
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.int64)


def cut_patch(
    picture: Picture,
    ref: PatchRef,
    size: int,
    stored_size: int | None,
    *,
    fit: StainFit | None = None,
) -> npt.NDArray[np.uint8]:
    """A patch as it is stored.

    Args:
        picture: where it is cut from.
        ref: its place.
        size: its side at full resolution, px; 0 takes the whole picture.
        stored_size: side that it is resized to; None keeps it.
        fit: of the picture's stain, which is then normalized.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = (size, size) if size else picture.shape
    patch = picture.read(ref.x, ref.y, width, height, size=stored_size)
    return patch if fit is None else normalize(patch, fit)


def class_shares(
    class_map: npt.NDArray[np.uint8],
    origins: npt.NDArray[np.int64],
    size: int,
    *,
    num_classes: int,
) -> npt.NDArray[np.float64]:
    """Share of each class in each patch, by integral images.

    Args:
        class_map: (H, W) uint8, 0 is not annotated, 1…n are classes.
        origins: (N, 2) int64: x, y.
        size: side of the patches, px.
        num_classes: n.

    Returns:
        (N, n) float64 in [0, 1]; a row sums to the annotated share of the patch.
    """
    x, y = origins[:, 0], origins[:, 1]
    shares = np.empty((len(origins), num_classes))
    for number in range(1, num_classes + 1):
        total = np.zeros(np.add(class_map.shape, 1), np.int32)
        (class_map == number).cumsum(axis=0, dtype=np.int32).cumsum(
            axis=1, out=total[1:, 1:]
        )
        shares[:, number - 1] = (
            total[y + size, x + size] - total[y, x + size] - total[y + size, x]
        ) + total[y, x]
    return shares / size**2


def label_patches(
    class_map: npt.NDArray[np.uint8],
    size: int,
    *,
    classes: Sequence[str],
    rules: PatchRules,
    stride: int | None = None,
    with_shares: bool = False,
) -> tuple[list[PatchRef], Counter[str]]:
    """Cut a region map in patches and keep those that are clear.

    A patch takes the class of most of its annotated pixels.

    Args:
        class_map: (H, W) uint8, 0 is not annotated, 1…n are classes.
        size: side of the patches, px.
        classes: the n class names, in label order.
        rules: least coverage and purity.
        stride: px between patches; None sets them edge to edge.
        with_shares: keep mixed patches too, each with the share of every class in its
            annotated pixels as its quantities.

    Returns:
        The patches kept, row by row, labels 0…n-1; and how many were dropped, by
        reason.
    """
    height, width = class_map.shape
    origins = grid_origins((height, width), size, stride=stride)
    if not len(origins):
        return [], Counter({TOO_SMALL: 1})
    shares = class_shares(class_map, origins, size, num_classes=len(classes))
    annotated = shares.sum(axis=1)
    labels = shares.argmax(axis=1)
    least = np.array(
        [rules.class_purity.get(name, rules.min_purity) for name in classes]
    )
    is_covered = (annotated >= rules.min_coverage) & (annotated > 0)
    # Compared without a division: a patch with nothing annotated has none to divide.
    is_pure = shares.max(axis=1) >= least[labels] * annotated - 1e-9
    is_pure |= with_shares
    dropped = Counter(
        {
            LOW_COVERAGE: int((~is_covered).sum()),
            LOW_PURITY: int((is_covered & ~is_pure).sum()),
        }
    )
    kept = np.flatnonzero(is_covered & is_pure)
    x, y = origins.T.tolist()
    refs = [PatchRef(x[i], y[i], int(labels[i])) for i in kept]
    if with_shares:
        held = (shares[kept] / annotated[kept, None]).tolist()
        refs = [ref._replace(quantities=tuple(row)) for ref, row in zip(refs, held)]
    return refs, +dropped
