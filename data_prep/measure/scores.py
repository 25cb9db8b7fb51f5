"""Scores of a segmentation of nuclei against drawn ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.integer]


def dice(truth: Labels, found: Labels) -> float:
    """Dice coefficient of the nuclear pixels: ``2 |T ∩ F| / (|T| + |F|)``.

    Args:
        truth: (H, W) labels or mask, 0 is background.
        found: likewise.

    Returns:
        In [0, 1]; 1 when both are empty.
    """
    total = np.count_nonzero(truth > 0) + np.count_nonzero(found > 0)
    common = np.count_nonzero((truth > 0) & (found > 0))
    return 2 * common / total if total else 1.0


def aggregated_jaccard(truth: Labels, found: Labels) -> float:
    """Aggregated Jaccard index: the score that counts splits and merges.

    Each true nucleus takes the found one with the highest Jaccard index; their
    intersections over their unions, where found nuclei that nobody took go into the
    unions.

    Args:
        truth: (H, W) labels, 0 is background.
        found: likewise.

    Returns:
        In [0, 1]; 1 when both are empty.

    References:
        Kumar et al., IEEE TMI 36:1550 (2017), doi:10.1109/TMI.2017.2677499.
    """
    truth, found = _renumber(truth), _renumber(found)
    width = int(found.max()) + 1
    pairs, common = np.unique(
        truth.astype(np.int64) * width + found, return_counts=True
    )
    true_of, found_of = pairs // width, pairs % width
    true_area, found_area = np.bincount(truth.ravel()), np.bincount(found.ravel())
    both = (true_of > 0) & (found_of > 0)
    true_of, found_of, common = true_of[both], found_of[both], common[both]
    union = true_area[true_of] + found_area[found_of] - common
    # The best partner of each true nucleus comes first among its own.
    order = np.lexsort((-common / union, true_of))
    partnered, first = np.unique(true_of[order], return_index=True)
    best = order[first]
    lonely = true_area[1:].sum() - true_area[partnered].sum()
    stray = found_area[1:].sum() - found_area[np.unique(found_of[best])].sum()
    whole = union[best].sum() + lonely + stray
    return float(common[best].sum() / whole) if whole else 1.0


def count_labels(labels: Labels) -> int:
    """Number of different labels but the background's."""
    return int(np.count_nonzero(np.unique(labels)))


def _renumber(labels: Labels) -> npt.NDArray[np.int64]:
    values, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    return numbers if values[0] == 0 else numbers + 1
