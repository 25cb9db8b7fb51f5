"""The nuclei of a patch as a population: what t=1 can learn, and what a classical
method reads off them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_prep.measure.nuclei import NucleiMeasurement

#: Of each patch, in the order of :func:`measure_population`.
MEASURES = (
    "count",
    "total_area",
    "mean_area",
    "area_spread",
    "hematoxylin",
    "contrast",
    "neighbors",
)
#: What pathologists look at first and Qu et al. begin with (J. Healthc. Eng. 2018,
#: doi:10.1155/2018/8961781), in the order of :func:`measure_specific`.
SPECIFIC = ("mean_area", "count", "nucleus_to_cytoplasm")
#: Least share of a patch that counts as cytoplasm, so that the ratio stays finite.
LEAST_CYTOPLASM = 0.01
#: µm within which other nuclei count as neighbors: two to three nuclear diameters.
NEIGHBORHOOD_UM = 20.0


def measure_population(measured: NucleiMeasurement, mpp: float) -> tuple[float, ...]:
    """Count, size, stain and crowding of the nuclei of one patch.

    A nucleus cut by the border counts with the part that shows.

    Args:
        measured: of the patch.
        mpp: µm per px of the patch, above 0.

    Returns:
        As of ``MEASURES``: number of nuclei; their total area, its mean and its
        standard deviation over the nuclei, µm²; their mean hematoxylin and its
        contrast, optical density; the mean number of other nuclei whose center lies
        within ``NEIGHBORHOOD_UM`` of a nucleus'. All 0 without nuclei.
    """
    areas = np.bincount(measured.labels.ravel())[1:] * mpp**2
    if not len(areas):
        return (0.0,) * len(MEASURES)
    return (
        float(measured.count),
        float(areas.sum()),
        float(areas.mean()),
        float(areas.std()),
        measured.nuclear_hematoxylin,
        measured.contrast,
        _mean_neighbors(measured.labels, NEIGHBORHOOD_UM / mpp),
    )


def measure_specific(measured: NucleiMeasurement, mpp: float) -> tuple[float, ...]:
    """Nuclear area, number of nuclei and nucleus-to-cytoplasm ratio of one patch.

    No cell has an outline here: all tissue of the patch that is no nucleus counts as
    cytoplasm, stroma too, so that the ratio is that of the patch and not of its cells.

    Args:
        measured: of the patch.
        mpp: µm per px of the patch, above 0.

    Returns:
        As of ``SPECIFIC``: mean area of a nucleus, µm²; number of nuclei; area of the
        nuclei over that of the rest of the tissue, the rest at least
        ``LEAST_CYTOPLASM`` of the patch. All 0 without nuclei.
    """
    if not measured.count:
        return (0.0,) * len(SPECIFIC)
    share = measured.total_area / measured.labels.size
    rest = max(measured.tissue_fraction - share, LEAST_CYTOPLASM)
    mean_area = measured.total_area * mpp**2 / measured.count
    return mean_area, float(measured.count), share / rest


def _mean_neighbors(labels: npt.NDArray[np.int32], reach: float) -> float:
    place = np.flatnonzero(labels)
    label = labels.ravel()[place]
    size = np.bincount(label)[1:]
    y, x = np.divmod(place, labels.shape[1])
    centers = np.stack([np.bincount(label, axis)[1:] / size for axis in (x, y)], axis=1)
    gaps = ((centers[:, None] - centers[None]) ** 2).sum(axis=2)
    # Each is within reach of itself.
    return float((gaps <= reach**2).sum() / len(centers) - 1)
