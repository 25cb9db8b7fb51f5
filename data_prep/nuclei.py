"""Nuclei: mask → distance → markers → watershed → labels → contours."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config import NucleiConfig
from data_prep.stain import check_image, hematoxylin, transmittance_from_amount
from data_prep.threshold import threshold_phansalkar

#: µm per px of a ×40 scan: what counts where the scale is not known.
ASSUMED_MPP = 0.25


@dataclasses.dataclass(frozen=True)
class NucleiMeasurement:
    """The nuclei of one patch.

    Attributes:
        count: number of nuclei.
        total_area: of all nuclei, in px².
        total_area_um2: the same in µm²; None where the scale is not known.
        labels: (H, W) int32, 0 is background, 1…count are nuclei.
        tissue_fraction: part of the patch that is no bare glass, in [0, 1].
        nuclear_hematoxylin: mean amount of hematoxylin in the nuclei; 0 without.
        contrast: that, less the mean of all else.
        unevenness: deviation of the hematoxylin in the nuclei over its mean.
    """

    count: int
    total_area: float
    total_area_um2: float | None
    labels: npt.NDArray[np.int32] = dataclasses.field(repr=False, compare=False)
    tissue_fraction: float
    nuclear_hematoxylin: float
    contrast: float
    unevenness: float


def segment_nuclei(
    image: npt.NDArray[np.uint8], config: NucleiConfig = NucleiConfig()
) -> npt.NDArray[np.int32]:
    """Label every nucleus of an H&E picture.

    Args:
        image: (H, W, 3) uint8, RGB.
        config: sizes and scale.

    Returns:
        (H, W) int32: 0 is background, 1…n are nuclei.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.
    """
    check_image(image)
    return _segment(_smooth_hematoxylin(image, config), config)


def measure_nuclei(
    image: npt.NDArray[np.uint8], config: NucleiConfig = NucleiConfig()
) -> NucleiMeasurement:
    """Count the nuclei of a patch and measure their area and stain.

    Args:
        image: (H, W, 3) uint8, RGB.
        config: sizes and scale.

    Returns:
        The count and total area that the patch is clustered by, and what the
        exclusion rule asks for.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.
    """
    check_image(image)
    amount = _smooth_hematoxylin(image, config)
    labels = _segment(amount, config)
    areas = contour_areas(labels)
    nuclei = (labels > 0).astype(np.uint8)
    inside, spread = (float(v[0, 0]) for v in cv2.meanStdDev(amount, mask=nuclei))
    outside = float(cv2.mean(amount, mask=1 - nuclei)[0])
    total = float(areas.sum())
    return NucleiMeasurement(
        count=len(areas),
        total_area=total,
        total_area_um2=None if config.mpp is None else total * config.mpp**2,
        labels=labels,
        tissue_fraction=_tissue_fraction(image),
        nuclear_hematoxylin=inside,
        contrast=inside - outside if len(areas) else 0.0,
        unevenness=spread / inside if inside > 0 else 0.0,
    )


def contour_areas(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Area of each nucleus in px²."""
    return np.bincount(labels.ravel())[1:].astype(np.float64)


def _tissue_fraction(image: npt.NDArray[np.uint8]) -> float:
    green = image[:, :, 1]
    return float(np.count_nonzero(green < 215) / green.size)


def _smooth_hematoxylin(
    image: npt.NDArray[np.uint8], config: NucleiConfig
) -> npt.NDArray[np.float32]:
    amount = hematoxylin(image)
    sigma = config.smoothing_um / (config.mpp or ASSUMED_MPP)
    return cv2.GaussianBlur(amount, (0, 0), sigma) if sigma > 0.2 else amount


def _segment(
    amount: npt.NDArray[np.float32], config: NucleiConfig
) -> npt.NDArray[np.int32]:
    mpp = config.mpp or ASSUMED_MPP
    light = transmittance_from_amount(amount)
    radius = max(1, round(config.radius_um / mpp))
    mask = (light < threshold_phansalkar(light, radius)).astype(np.uint8)
    size = 2 * round(config.opening_um / mpp) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance, (0, 0), max(0.25 / mpp, 0.3))
    size = 2 * round(config.seed_distance_um / mpp) + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    peaks = (distance >= cv2.dilate(distance, disk)) & (mask > 0)
    _, markers = cv2.connectedComponents(peaks.astype(np.uint8))
    return _watershed(mask, distance, markers)


def _watershed(
    mask: npt.NDArray[np.uint8],
    distance: npt.NDArray[np.float32],
    markers: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    from skimage.segmentation import watershed

    return watershed(-distance, markers, mask=mask > 0).astype(np.int32)
