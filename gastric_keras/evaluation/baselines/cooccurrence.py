"""Gray levels side by side: the co-occurrence matrix and what Haralick reads off it.

Symbols: p(i, j) is the share of pixel pairs at one offset whose gray levels are i, j
(from 1 to G as in the paper), p_x its row sums, p_y its column sums; p_{x+y}(k) and
p_{x-y}(k) the shares of pairs with i + j = k and |i - j| = k; logarithms are natural.

R. Haralick, K. Shanmugam, I. Dinstein, IEEE Trans. SMC 3(6), 610-621 (1973),
doi 10.1109/TSMC.1973.4309314.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.feature import graycomatrix, graycoprops

#: Horizontal and vertical, then the two diagonals.
STRAIGHT = (0.0, np.pi / 2)
DIAGONAL = (np.pi / 4, 3 * np.pi / 4)
#: Kather et al., Sci. Rep. 6:27988 (2016), doi 10.1038/srep27988: 1 to 5 px in four
#: directions, MATLAB's default of 8 levels, four properties.
GLCM_LEVELS = 8
GLCM_DISTANCES = (1, 2, 3, 4, 5)
GLCM_PROPERTIES = ("contrast", "correlation", "energy", "homogeneity")
#: Haralick et al.: neighbors, 16 levels.
HARALICK_LEVELS = 16
#: A. N. Esgiar et al., IEEE Trans. Inf. Technol. Biomed. 2(3), 197-203 (1998),
#: doi 10.1109/4233.735785: angular second moment, entropy, contrast, inverse difference
#: moment, dissimilarity and correlation, by scikit-image's names.
ESGIAR_PROPERTIES = (
    "ASM",
    "entropy",
    "contrast",
    "homogeneity",
    "dissimilarity",
    "correlation",
)
#: f1 to f14 in the paper's order.
HARALICK_NAMES = (
    "angular_second_moment",
    "contrast",
    "correlation",
    "variance",
    "inverse_difference_moment",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "information_correlation_1",
    "information_correlation_2",
    "maximal_correlation",
)


def cooccurrence(
    gray: np.ndarray, *, levels: int, distances: Sequence[int]
) -> np.ndarray:
    """Symmetric, normalized co-occurrence matrices.

    Args:
        gray: (H, W) uint8; H and W above the largest distance.
        levels: gray levels that 0 … 255 are cut into evenly, G.
        distances: steps in px along the axis; a diagonal step goes as far along both
            axes, as in the paper.

    Returns:
        (G, G, distances, 4) float64: 0°, 90°, 45°, 135°.
    """
    quantized = (gray.astype(np.uint16) * levels // 256).astype(np.uint8)
    options = {"levels": levels, "symmetric": True, "normed": True}
    steps = np.array(distances, float)
    # scikit-image measures along the diagonal: √2 brings it to the corner pixel.
    return np.concatenate(
        [
            graycomatrix(quantized, steps, STRAIGHT, **options),
            graycomatrix(quantized, steps * np.sqrt(2), DIAGONAL, **options),
        ],
        axis=3,
    )


def glcm_features(gray: np.ndarray) -> np.ndarray:
    """Contrast, correlation, energy, homogeneity at 1 to 5 px, directions averaged.

    The four directions' matrices are averaged before the properties are taken, so that
    a turn by 90° or a mirror changes nothing (Kather et al. 2016).

    Args:
        gray: (H, W) uint8.

    Returns:
        (20,) float64: the five distances of the first property, of the second, …
    """
    matrices = cooccurrence(gray, levels=GLCM_LEVELS, distances=GLCM_DISTANCES)
    return _properties(matrices, GLCM_PROPERTIES)


def esgiar_features(gray: np.ndarray) -> np.ndarray:
    """The six features of Esgiar et al. between neighbors, directions averaged.

    ``dissimilarity = Σ |i - j| p(i, j)``; the others are f1, f9, f2, f5 and f3 of
    Haralick et al. The paper's abstract names the features; the 16 levels are those of
    Haralick et al., and the directions are averaged as in :func:`glcm_features`.

    Args:
        gray: (H, W) uint8.

    Returns:
        (6,) float64, in the order of ``ESGIAR_PROPERTIES``.
    """
    matrices = cooccurrence(gray, levels=HARALICK_LEVELS, distances=(1,))
    return _properties(matrices, ESGIAR_PROPERTIES)


def _properties(matrices: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Each property at each distance, of the mean over the directions."""
    matrices = matrices.mean(axis=3, keepdims=True)
    return np.concatenate([graycoprops(matrices, name)[:, 0] for name in names])


def haralick_features(gray: np.ndarray) -> np.ndarray:
    """The fourteen features between neighbors: mean and range over the directions.

    Args:
        gray: (H, W) uint8.

    Returns:
        (28,) float64: fourteen means, then fourteen ranges, in the order of
        ``HARALICK_NAMES``; a turn by 90° or a mirror changes nothing.
    """
    matrices = cooccurrence(gray, levels=HARALICK_LEVELS, distances=(1,))
    each = np.stack([haralick(matrices[:, :, 0, k]) for k in range(4)])
    return np.concatenate([each.mean(axis=0), np.ptp(each, axis=0)])


def haralick(p: np.ndarray) -> np.ndarray:
    """Haralick's f1 to f14 of one co-occurrence matrix.

    f7 is the variance about f6 (the paper prints f8 there, a known misprint); f10 is
    the variance of k under p_{x-y}. f14² is the second largest eigenvalue of
    Q(i, j) = Σ_k p(i, k) p(j, k) / (p_x(i) p_y(k)), which is the second singular value
    of p(i, j) / √(p_x(i) p_y(j)), squared.

    Args:
        p: (G, G) float ≥ 0, sum 1.

    Returns:
        (14,) float64, see ``HARALICK_NAMES``. A patch of one gray level has
        correlation 1, as in scikit-image, and 0 in f12 to f14.
    """
    levels = np.arange(1, len(p) + 1)
    i, j = levels[:, None], levels[None, :]
    p_x, p_y = p.sum(axis=1), p.sum(axis=0)
    p_sum = np.bincount((i + j).ravel(), p.ravel())
    p_difference = np.bincount(np.abs(i - j).ravel(), p.ravel())
    mean_x, mean_y = levels @ p_x, levels @ p_y
    sum_average, sum_variance = _moments(p_sum)
    _, difference_variance = _moments(p_difference)
    entropy = _entropy(p)
    return np.array(
        [
            (p**2).sum(),
            ((i - j) ** 2 * p).sum(),
            _correlation(p, i - mean_x, j - mean_y),
            ((i - mean_x) ** 2 * p).sum(),
            (p / (1 + (i - j) ** 2)).sum(),
            sum_average,
            sum_variance,
            _entropy(p_sum),
            entropy,
            difference_variance,
            _entropy(p_difference),
            *_information(p, p_x, p_y, entropy),
            _maximal_correlation(p, p_x, p_y),
        ]
    )


def _moments(p: np.ndarray) -> tuple[float, float]:
    k = np.arange(p.size)
    mean = k @ p
    return float(mean), float((k - mean) ** 2 @ p)


def _entropy(p: np.ndarray) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def _correlation(p: np.ndarray, from_x: np.ndarray, from_y: np.ndarray) -> float:
    spread = np.sqrt((from_x**2 * p).sum() * (from_y**2 * p).sum())
    return float((from_x * from_y * p).sum() / spread) if spread > 1e-12 else 1.0


def _information(
    p: np.ndarray, p_x: np.ndarray, p_y: np.ndarray, entropy: float
) -> tuple[float, float]:
    """f12 = (HXY - HXY1) / max(HX, HY), f13 = √(1 - exp(-2 (HXY2 - HXY)))."""
    independent = np.outer(p_x, p_y)
    seen = p > 0
    cross = float(-(p[seen] * np.log(independent[seen])).sum())
    largest = max(_entropy(p_x), _entropy(p_y))
    first = (entropy - cross) / largest if largest > 1e-12 else 0.0
    gained = max(_entropy(independent) - entropy, 0.0)
    return first, float(np.sqrt(1 - np.exp(-2 * gained)))


def _maximal_correlation(p: np.ndarray, p_x: np.ndarray, p_y: np.ndarray) -> float:
    # Levels that do not occur would divide by zero and add nothing.
    rows, columns = p_x > 0, p_y > 0
    scaled = p[np.ix_(rows, columns)] / np.sqrt(np.outer(p_x[rows], p_y[columns]))
    values = np.linalg.svd(scaled, compute_uv=False)
    return float(values[1]) if values.size > 1 else 0.0
