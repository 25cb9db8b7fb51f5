"""The nuclei of a patch: their labels, number, area, stain and contours."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config.measures import NucleiConfig
from data_prep.measure.binarization import Binarized, binarize, grow

#: µm per px beyond which nuclei melt together (docs/NUCLEI.md).
COARSEST_MPP = 1.5
# Green light that bare glass lets through, of 255: eosin and hematoxylin both take it.
_GLASS = 215
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
    return _to_full_size(binarize(image, config), image.shape[:2])[0]


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
    found = binarize(image, config)
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


def _to_full_size(
    found: Binarized, shape: tuple[int, ...]
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
    grow(enlarged, inside)
    return enlarged.astype(np.int32), found.count
