"""Nuclei: mask → distance → markers → watershed → labels → contours.

All of it runs at one working scale, where a nucleus is some 12 px wide: enough for
its outline, and a quarter of the pixels of a ×40 scan. Only OpenCV and a few passes of
NumPy: this is the inner loop of a mid-level set.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config.measures import NucleiConfig
from data_prep.measure.threshold import threshold_phansalkar
from gastric_keras.imaging import stain

#: µm per px of a ×40 scan: what counts where the scale is not known.
ASSUMED_MPP = 0.25
#: µm per px beyond which nuclei melt together (docs/NUCLEI.md).
COARSEST_MPP = 1.5
#: µm per px at which nuclei are sought.
WORKING_MPP = 0.5
# Green light that bare glass lets through, of 255: eosin and hematoxylin both take it.
_GLASS = 215
_BORDER_PART = 0.4
# Deviation, in px of the working scale, that rounds outlines off when enlarged.
_OUTLINE_BLUR = 0.6


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
        contrast: that, less the mean of all else; 0 without nuclei.
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


@dataclasses.dataclass(frozen=True)
class _Found:
    """What the steps leave behind at the working scale."""

    image: npt.NDArray[np.uint8]
    amount: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    count: int


def segment_nuclei(
    image: npt.NDArray[np.uint8], config: NucleiConfig = NucleiConfig()
) -> npt.NDArray[np.int32]:
    """Label every nucleus of an H&E picture.

    Args:
        image: (H, W, 3) uint8, RGB.
        config: sizes and scale.

    Returns:
        (H, W) int32: 0 is background, 1…n are nuclei, each one connected piece.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.

    References:
        Qu et al., J. Healthc. Eng. 2018, doi:10.1155/2018/8961781.
    """
    return _to_full_size(_find(image, config), image.shape[:2])[0]


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
    found = _find(image, config)
    labels, count = _to_full_size(found, image.shape[:2])
    area = float(np.count_nonzero(labels))
    nuclei = cv2.compare(found.labels.astype(np.float32), 0, cv2.CMP_GT)
    mean, deviation = cv2.meanStdDev(found.amount, mask=nuclei)
    inside, spread = float(mean[0, 0]), float(deviation[0, 0])
    share = cv2.countNonZero(nuclei) / nuclei.size
    outside = (cv2.mean(found.amount)[0] - share * inside) / max(1 - share, 1e-9)
    tissue = cv2.compare(cv2.extractChannel(found.image, 1), _GLASS, cv2.CMP_LT)
    return NucleiMeasurement(
        count=count,
        total_area=area,
        total_area_um2=None if config.mpp is None else area * config.mpp**2,
        labels=labels,
        tissue_fraction=cv2.countNonZero(tissue) / tissue.size,
        nuclear_hematoxylin=inside,
        contrast=inside - outside if count else 0.0,
        unevenness=spread / inside if inside > 0 else 0.0,
    )


def trace_contours(labels: npt.NDArray[np.int32]) -> list[npt.NDArray[np.int32]]:
    """The outline of each nucleus, for overlays and shape measures.

    Args:
        labels: (H, W) int32, as from `segment_nuclei`.

    Returns:
        One (points, 2) int32 array of x, y a nucleus, in the order of the labels.
    """
    from scipy import ndimage

    contours = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        piece = (labels[rows, columns] == label).astype(np.uint8)
        outlines, _ = cv2.findContours(
            piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        outline = max(outlines, key=cv2.contourArea)[:, 0]
        contours.append(outline + np.array([columns.start, rows.start], np.int32))
    return contours


def _find(image: npt.NDArray[np.uint8], config: NucleiConfig) -> _Found:
    stain.check_image(image)
    small = _to_working_scale(image, config.mpp or ASSUMED_MPP)
    amount = _blur(stain.hematoxylin(small), config.smoothing_um / WORKING_MPP)
    light = stain.transmittance_from_amount(amount, unit=_stain_unit(amount, config))
    radius = max(1, round(config.radius_um / WORKING_MPP))
    margin = threshold_phansalkar(light, radius) - light
    mask = cv2.compare(margin, 0, cv2.CMP_GT)
    mask = _fill_holes(mask, config.max_hole_um2 / WORKING_MPP**2)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disk(config.opening_um))
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    # Every bump of an outline would seed a nucleus of its own.
    distance = _blur(distance, config.seed_smoothing_um / WORKING_MPP)
    labels = _watershed(mask, distance, _seed(mask, distance, config))
    labels, count = _drop_faint(labels, margin, config)
    return _Found(small, amount, labels, count)


def _to_working_scale(
    image: npt.NDArray[np.uint8], mpp: float
) -> npt.NDArray[np.uint8]:
    height, width = image.shape[:2]
    factor = mpp / WORKING_MPP
    # OpenCV mistakes a picture of up to four pixels for a scalar.
    size = (max(9, round(width * factor)), max(9, round(height * factor)))
    if size == (width, height):
        return image
    shrinks = factor < 1
    return cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )


def _to_full_size(
    found: _Found, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int32], int]:
    """Labels at the scale of the image, and their number."""
    if found.labels.shape == shape:
        return found.labels, found.count
    size = (shape[1], shape[0])
    # OpenCV resizes no int32; a float32 holds every label up to 2^24 exactly.
    labels = found.labels.astype(np.uint16 if found.count < 2**16 else np.float32)
    enlarged = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    if shape[0] < labels.shape[0] or shape[1] < labels.shape[1]:
        # A small nucleus can fall between the pixels of a coarse image.
        values, numbers = np.unique(enlarged, return_inverse=True)
        numbers = numbers.reshape(shape) + (values[0] > 0)
        return numbers.astype(np.int32), int(numbers.max())
    mask = cv2.compare(labels, 0, cv2.CMP_GT)
    # The outline of the smooth mask in place of the stairs of its large pixels.
    smooth = cv2.resize(cv2.GaussianBlur(mask, (0, 0), _OUTLINE_BLUR), size)
    inside = cv2.compare(smooth, 127, cv2.CMP_GT)
    enlarged = cv2.copyTo(enlarged, inside)
    _grow(enlarged, inside)
    return enlarged.astype(np.int32), found.count


def _stain_unit(amount: npt.NDArray[np.float32], config: NucleiConfig) -> float:
    # The mean of the darker class, one step of Ridler and Calvard's iteration, hangs
    # on the stain and hardly on how many nuclei share the picture.
    mean = cv2.mean(amount)[0]
    above = cv2.compare(amount, mean, cv2.CMP_GT)
    dark, pale = cv2.mean(amount, above)[0], cv2.mean(amount, cv2.bitwise_not(above))[0]
    strong = cv2.mean(amount, cv2.compare(amount, (dark + pale) / 2, cv2.CMP_GT))[0]
    return max(config.stain_unit * strong, config.min_stain_unit)


def _blur(plane: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    return cv2.GaussianBlur(plane, (0, 0), sigma) if sigma > 0 else plane


@lru_cache(maxsize=32)
def _disk(radius_um: float) -> npt.NDArray[np.uint8]:
    radius = radius_um / WORKING_MPP
    reach = int(np.ceil(radius))
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return (u * u + v * v <= radius * radius + 0.3).astype(np.uint8)


def _fill_holes(mask: npt.NDArray[np.uint8], max_area: float) -> npt.NDArray[np.uint8]:
    if max_area < 1:
        return mask
    _, holes, stats, _ = cv2.connectedComponentsWithStats(
        cv2.bitwise_not(mask), connectivity=4
    )
    fill: npt.NDArray[np.uint8] = np.zeros(len(stats), np.uint8)
    fill[stats[:, cv2.CC_STAT_AREA] <= max_area] = 255
    fill[0] = 255  # the mask itself
    return fill[holes]


def _seed(
    mask: npt.NDArray[np.uint8],
    distance: npt.NDArray[np.float32],
    config: NucleiConfig,
) -> npt.NDArray[np.int32]:
    side = 2 * max(1, round(config.seed_distance_um / WORKING_MPP)) + 1
    # A square window is two passes over rows and columns; a disk scores no better.
    summit = cv2.dilate(distance, np.ones((side, side), np.uint8))
    peaks = cv2.bitwise_and(cv2.compare(distance, summit, cv2.CMP_GE), mask)
    return cv2.connectedComponents(peaks)[1]


def _watershed(
    mask: npt.NDArray[np.uint8],
    distance: npt.NDArray[np.float32],
    markers: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """Flood the distance from its summits down, a pixel deep at a time.

    The levels are whole pixels, as those of immersion are (Vincent and Soille, IEEE
    PAMI 13:583, 1991): a few dilations of the whole picture in place of a queue of
    pixels. On the 18 images of docs/NUCLEI.md it scores as scikit-image's does.
    """
    kind = np.uint16 if markers.max(initial=0) < 2**16 else np.float32
    labels = markers.astype(kind)
    depth = cv2.bitwise_and(cv2.convertScaleAbs(distance), mask)
    for level in range(int(depth.max(initial=0)), 0, -1):
        _grow(labels, cv2.compare(depth, level, cv2.CMP_GE))
    reached = -1
    while reached != (reached := cv2.countNonZero(labels)):
        _grow(labels, mask)
    return labels.astype(np.int32)


def _grow(labels: npt.NDArray, flooded: npt.NDArray[np.uint8]) -> None:
    free = cv2.compare(labels, 0, cv2.CMP_EQ)
    cv2.copyTo(cv2.dilate(labels, None), cv2.bitwise_and(flooded, free), labels)


def _drop_faint(
    labels: npt.NDArray[np.int32],
    margin: npt.NDArray[np.float32],
    config: NucleiConfig,
) -> tuple[npt.NDArray[np.int32], int]:
    inside = np.flatnonzero(labels)
    label = labels.ravel()[inside]
    size = int(label.max(initial=0)) + 1
    pixel = WORKING_MPP**2
    area = np.bincount(label, minlength=size) * pixel
    # Smoothing, holes and flooding reach pixels that are no darker than the threshold.
    darkness = np.maximum(margin.ravel()[inside], 0)
    evidence = np.bincount(label, darkness, minlength=size) * pixel
    # What the border cuts shows a part of itself, and is held to a part of the limits.
    part = np.ones(size)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        part[edge] = _BORDER_PART
    keep = area >= config.min_area_um2 * part
    keep &= evidence >= config.min_evidence_um2 * part
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.take(number, labels), int(keep.sum())
