"""The nuclei of a patch as a population: seven measures that t=1 can learn."""

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


def _mean_neighbors(labels: npt.NDArray[np.int32], reach: float) -> float:
    place = np.flatnonzero(labels)
    label = labels.ravel()[place]
    size = np.bincount(label)[1:]
    y, x = np.divmod(place, labels.shape[1])
    centers = np.stack([np.bincount(label, axis)[1:] / size for axis in (x, y)], axis=1)
    gaps = ((centers[:, None] - centers[None]) ** 2).sum(axis=2)
    # Each is within reach of itself.
    return float((gaps <= reach**2).sum() / len(centers) - 1)
