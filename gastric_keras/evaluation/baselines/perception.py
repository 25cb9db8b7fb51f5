"""Texture as people name it: coarse, contrasted, directed, line-like, rough.

H. Tamura, S. Mori, T. Yamawaki, IEEE Trans. SMC 8(6), 460-473 (1978),
doi 10.1109/TSMC.1978.4309999, in the form of F. Bianconi, A. Álvarez-Larrán,
A. Fernández, Neurocomputing 154, 119-126 (2015), doi 10.1016/j.neucom.2014.11.012, with
their constants, as Kather et al. (2016, doi 10.1038/srep27988) take it. One step of
theirs is not followed: their code turns the picture black and white before it measures;
here the gray levels stay. Borders wrap around.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Windows of 2, 4, 8 and 16 px.
COARSENESS_STEPS = 4
#: Bins of the gradient's direction.
DIRECTIONS = 12
#: Px between the gradients that are compared for lines.
LINE_DISTANCE = 4


def perception_features(gray: np.ndarray) -> np.ndarray:
    """Coarseness, contrast, directionality, line-likeness, roughness.

    Args:
        gray: (H, W) uint8.

    Returns:
        (5,) float64.
    """
    image = gray / 255
    down, right = (ndimage.sobel(image, axis, mode="wrap") for axis in (0, 1))
    return np.array(
        [
            coarseness(image),
            contrast(image),
            directionality(down, right),
            line_likeness(down, right),
            2 * image.std(),
        ]
    )


def coarseness(image: np.ndarray) -> float:
    """Mean size of the window at which neighboring means differ most, over the largest.

    For k = 1 … 4, A_k is the mean over 2^k × 2^k px and E_k(x, y) the difference of the
    two A_k at a distance of 2^(k-1) px to both sides, along each axis.

    Args:
        image: (H, W) float in [0, 1].

    Returns:
        In (0, 1]; 1/8 where nothing differs.
    """
    differences = []
    for k in range(1, COARSENESS_STEPS + 1):
        means = ndimage.uniform_filter(image, 2**k, mode="wrap")
        shift = 2 ** (k - 1)
        both = [np.roll(means, -shift, a) - np.roll(means, shift, a) for a in (0, 1)]
        differences.append(np.abs(both).max(axis=0))
    # Rounding must not decide between windows that differ equally.
    best = np.round(differences, 12).argmax(axis=0) + 1
    return float((2.0**best).mean() / 2**COARSENESS_STEPS)


def contrast(image: np.ndarray) -> float:
    """2 σ / α₄^(1/4), with the kurtosis α₄ = μ₄ / σ⁴; 0 for one gray level.

    Args:
        image: (H, W) float in [0, 1].
    """
    centered = image - image.mean()
    variance = (centered**2).mean()
    if variance < 1e-12:
        return 0.0
    kurtosis = (centered**4).mean() / variance**2
    return float(2 * np.sqrt(variance) / kurtosis**0.25)


def directionality(down: np.ndarray, right: np.ndarray) -> float:
    """Distance of the histogram of gradient directions (12 bins over π) from an even
    one, over the largest there is: 0 no direction, 1 a single one.

    Args:
        down: (H, W) float, gradient along the rows.
        right: (H, W) float, gradient along the columns.

    Returns:
        In [0, 1]; 0 without any gradient.
    """
    there = np.hypot(down, right) > 1e-9
    if not there.any():
        return 0.0
    angle = np.mod(np.arctan2(down[there], right[there]), np.pi)
    bins = np.floor(angle / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    share = np.bincount(bins, minlength=DIRECTIONS) / bins.size
    distance = np.sqrt(((share - 1 / DIRECTIONS) ** 2).sum())
    return float(distance / np.sqrt((DIRECTIONS - 1) / DIRECTIONS))


def line_likeness(down: np.ndarray, right: np.ndarray) -> float:
    """Mean of |cos(a - b)| over pairs of gradient directions a, b that are 4 px apart.

    The directions are cut into 12 over 2 π; the mean is over the four neighbors to one
    side (right, up, and the two diagonals between), each weighing the same.

    Args:
        down: (H, W) float, gradient along the rows; H above 4.
        right: (H, W) float, gradient along the columns; W above 4.

    Returns:
        In [0, 1].
    """
    angle = np.arctan2(down, right)
    step = 2 * np.pi / DIRECTIONS
    bins = np.mod(np.round(angle / step), DIRECTIONS) * step
    d = LINE_DISTANCE
    pairs = (
        (bins[:, :-d], bins[:, d:]),
        (bins[d:, :-d], bins[:-d, d:]),
        (bins[d:, :], bins[:-d, :]),
        (bins[d:, d:], bins[:-d, :-d]),
    )
    return float(np.mean([np.abs(np.cos(a - b)).mean() for a, b in pairs]))
