"""Where the tissue lies on a slide, by a small view of all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.slides import Picture

#: Otsu's threshold of the saturation (0 to 255) is held between these. Below the
#: lower one lies the noise of bare glass; faint eosin lies above the upper one.
_SATURATION_LIMITS = (15, 30)
#: Darker than this in its brightest channel is no glass, however grey.
_DARK = 100
#: Least area, in px of the mask, of an island of tissue and of a hole in it.
_MIN_ISLAND = 64
_MIN_HOLE = 256
#: A patch needs this share of pixels that the scanner took.
_MIN_FILLED = 0.95


def tissue_mask(
    picture: Picture, *, max_side: int = 2048
) -> tuple[npt.NDArray[np.bool_], float]:
    """Find the tissue on the glass: what has color, or is dark.

    Glass and tissue are parted by Otsu's threshold of the saturation of HSV, held to
    a range so that a slide of nothing but glass, or of nothing but tissue, is not
    parted by its noise. Small holes are filled and specks dropped.

    Args:
        picture: open picture or slide.
        max_side: longer side of the mask, px.

    Returns:
        (h, w) bool mask, and how many px of the picture one px of it spans.

    References:
        Otsu, IEEE Trans. SMC 9:62-66 (1979), doi:10.1109/TSMC.1979.4310076.
    """
    import cv2

    small = cv2.medianBlur(picture.overview(max_side), 5)
    _, saturation, value = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2HSV))
    otsu, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    threshold = float(np.clip(otsu, *_SATURATION_LIMITS))
    mask = (saturation > threshold) | (value < _DARK)
    mask = ~_drop_small(~mask, _MIN_HOLE)
    return _drop_small(mask, _MIN_ISLAND), max(picture.shape) / max(mask.shape)


def tissue_share(
    mask: npt.NDArray[np.bool_] | npt.NDArray[np.float64],
    downsample: float,
    origins: npt.NDArray[np.int64],
    side: int,
) -> npt.NDArray[np.float64]:
    """Share of tissue in each patch, by an integral image.

    Args:
        mask: (h, w) bool, of :func:`tissue_mask`, or shares in [0, 1].
        downsample: px of the picture that one px of the mask spans.
        origins: (N, 2) int64: x, y at full resolution.
        side: of the patches at full resolution, px.

    Returns:
        (N,) float64 in [0, 1].
    """
    from scipy.ndimage import map_coordinates

    total = np.zeros(np.add(mask.shape, 1))
    total[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)

    def sum_before(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # Between the nodes the integral of a mask is bilinear: parts of px count.
        return map_coordinates(
            total, [y / downsample, x / downsample], order=1, mode="nearest"
        )

    left, top = origins[:, 0], origins[:, 1]
    right, bottom = left + side, top + side
    area = sum_before(right, bottom) - sum_before(left, bottom)
    area -= sum_before(right, top) - sum_before(left, top)
    return np.clip(area * (downsample / side) ** 2, 0, 1)


def has_pixels(
    picture: Picture, origins: npt.NDArray[np.int64], side: int
) -> npt.NDArray[np.bool_]:
    """Whether a slide has pixels where patches lie: some scanners skip empty glass.

    Args:
        picture: open picture or slide.
        origins: (N, 2) int64: x, y at full resolution.
        side: of the patches at full resolution, px.

    Returns:
        (N,) bool.
    """
    filled = picture.filled()
    if filled is None:
        return np.ones(len(origins), bool)
    mask, downsample = filled
    inside = origins - np.array(picture.bounds[:2])
    return tissue_share(mask, downsample, inside, side) >= _MIN_FILLED


def _drop_small(mask: npt.NDArray[np.bool_], least: int) -> npt.NDArray[np.bool_]:
    import cv2

    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=4
    )
    is_large = stats[:, cv2.CC_STAT_AREA] >= least
    is_large[0] = False
    return is_large[labels]
