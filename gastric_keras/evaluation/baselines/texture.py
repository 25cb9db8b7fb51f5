"""Numbers that describe one patch without any learning: color, histogram, LBP, Gabor,
HLAC; ``FEATURES`` names them all. Never TensorFlow.

Gray is 0.299 R + 0.587 G + 0.114 B. Colors are as stored, not normalized, and a patch
is measured at its own size: both are what the networks are given.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np
from skimage.feature import local_binary_pattern
from skimage.filters import gabor_kernel

from gastric_keras.evaluation.baselines.cooccurrence import (
    esgiar_features,
    glcm_features,
    haralick_features,
)
from gastric_keras.evaluation.baselines.perception import perception_features

#: Of each channel, in percent.
PERCENTILES = (10, 25, 50, 75, 90)
#: Highest central moment of the gray levels (Kather et al. 2016).
HIGHEST_MOMENT = 11
#: (neighbors, radius in px) of the patterns (Ojala et al. 2002).
LBP_SCALES = ((8, 1), (16, 2), (24, 3))
#: Wavelengths in px and directions of the Gabor filters (Kather et al. 2016).
GABOR_WAVELENGTHS = (2, 4, 6, 8, 10, 12)
GABOR_DIRECTIONS = 6
#: Px between the points of an HLAC mask: the same masks at several resolutions.
HLAC_STEPS = (1, 2, 4)

#: Points of an HLAC mask, (y, x) from its reference pixel, sorted.
Mask = tuple[tuple[int, int], ...]


def gray_of(patch: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (H, W) uint8, ITU-R BT.601 as in MATLAB's rgb2gray."""
    return cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)


def color_statistics(patch: np.ndarray) -> np.ndarray:
    """Mean, deviation and percentiles of each channel: color without any texture.

    Args:
        patch: (H, W, 3) uint8 RGB.

    Returns:
        (21,) float64 in [0, 1]: three means, three deviations, three 10th percentiles…
    """
    pixels = patch.reshape(-1, 3) / 255
    ranks = np.percentile(pixels, PERCENTILES, axis=0)
    return np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), *ranks])


def histogram_moments(gray: np.ndarray) -> np.ndarray:
    """Mean, variance, skewness, kurtosis, and the central moments 5 to 11.

    The moments of lower and of higher order of Kather et al., Sci. Rep. 6:27988 (2016),
    doi 10.1038/srep27988, of gray in [0, 1]. One gray level: skewness and kurtosis 0.

    Args:
        gray: (H, W) uint8.

    Returns:
        (11,) float64.
    """
    # By level and not by pixel: a hundredth of the powers to take.
    share, level = np.bincount(gray.ravel(), minlength=256) / gray.size, np.arange(256)
    mean = share @ level / 255
    orders = range(2, HIGHEST_MOMENT + 1)
    moments = {k: share @ (level / 255 - mean) ** k for k in orders}
    variance = moments[2]
    is_flat = variance < 1e-12
    skewness = 0.0 if is_flat else moments[3] / variance**1.5
    kurtosis = 0.0 if is_flat else moments[4] / variance**2
    return np.array(
        [mean, variance, skewness, kurtosis, *(moments[k] for k in orders if k > 4)]
    )


def lbp_histogram(gray: np.ndarray) -> np.ndarray:
    """Rotation-invariant uniform local binary patterns at three scales, LBP^riu2.

    A pattern holds a 1 for each neighbor at least as bright as the pixel; uniform are
    those with at most two changes around the circle, told apart by their number of
    ones; all others are one bin. T. Ojala, M. Pietikäinen, T. Mäenpää, IEEE TPAMI
    24(7), 971-987 (2002), doi 10.1109/TPAMI.2002.1017623.

    Args:
        gray: (H, W) uint8, more than 6 px a side.

    Returns:
        (54,) float64: 10, 18 and 26 shares, each scale adding up to 1.
    """
    shares = []
    for neighbors, radius in LBP_SCALES:
        patterns = _patterns(gray, neighbors, radius, "uniform")
        shares.append(np.bincount(patterns, minlength=neighbors + 2) / patterns.size)
    return np.concatenate(shares)


def lbp_fourier(gray: np.ndarray) -> np.ndarray:
    """LBP histogram Fourier features, LBP-HF, of 8 neighbors at 1 px.

    The uniform patterns of n = 1 … 7 ones form a row of eight turns each, h(n, r). A
    turn of the picture moves r round; |Σ_r h(n, r) e^(-2πi u r / 8)|, u = 0 … 4, stays.
    T. Ahonen, J. Matas, C. He, M. Pietikäinen, SCIA 2009, 61-70,
    doi 10.1007/978-3-642-02230-2_7.

    Args:
        gray: (H, W) uint8, more than 2 px a side.

    Returns:
        (38,) float64: five magnitudes for each n, then the shares of no ones, of ones
        only, and of all patterns that are not uniform.
    """
    patterns = _patterns(gray, 8, 1, "nri_uniform")
    shares = np.bincount(patterns, minlength=59) / patterns.size
    turns = shares[1:57].reshape(7, 8)
    magnitudes = np.abs(np.fft.rfft(turns, axis=1))
    return np.concatenate([magnitudes.ravel(), shares[[0, 57, 58]]])


def _patterns(gray: np.ndarray, neighbors: int, radius: int, method: str) -> np.ndarray:
    patterns = local_binary_pattern(gray, neighbors, radius, method)
    # At the border the neighbors lie outside, where scikit-image takes them for black.
    inner = patterns[radius:-radius, radius:-radius]
    return inner.astype(np.int64).ravel()


def _gabor_bank() -> tuple[tuple[np.ndarray, ...], ...]:
    angles = np.arange(GABOR_DIRECTIONS) * np.pi / GABOR_DIRECTIONS
    return tuple(
        tuple(gabor_kernel(1 / wavelength, theta=angle) for angle in angles)
        for wavelength in GABOR_WAVELENGTHS
    )


_GABOR_BANK = _gabor_bank()


def gabor_magnitudes(gray: np.ndarray) -> np.ndarray:
    """Mean magnitude of Gabor filters of six wavelengths, averaged over six directions.

    Bandwidth one octave, as Kather et al. (2016), doi 10.1038/srep27988; borders repeat
    the outermost pixel.

    Args:
        gray: (H, W) uint8.

    Returns:
        (6,) float64, one a wavelength of 2, 4 … 12 px.
    """
    image = gray / 255

    def magnitude(kernel: np.ndarray) -> float:
        parts = (
            cv2.filter2D(image, -1, part, borderType=cv2.BORDER_REPLICATE)
            for part in (kernel.real, kernel.imag)
        )
        return float(np.hypot(*parts).mean())

    return np.array([np.mean([magnitude(k) for k in row]) for row in _GABOR_BANK])


def _hlac_masks() -> tuple[Mask, ...]:
    """The 35 sets of up to three points, with repetition, that a 3×3 window around one
    of them holds; of those that a shift makes equal, the first."""
    window = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    masks: dict[tuple, Mask] = {}
    for order in range(3):
        for others in itertools.combinations_with_replacement(window, order):
            points = sorted([(0, 0), *others])
            top, left = points[0]
            place = tuple((y - top, x - left) for y, x in points)
            masks.setdefault(place, tuple(points))
    return tuple(masks.values())


HLAC_MASKS = _hlac_masks()


def hlac_features(gray: np.ndarray) -> np.ndarray:
    """Higher-order local autocorrelation, order 0 to 2, of darkness at three steps.

    ``x(a_1 … a_N) = mean_r f(r) f(r + a_1) … f(r + a_N)``, N = 0, 1, 2, over the pixels
    r whose mask lies in the patch; f = 1 - gray, so that tissue counts and glass does
    not. 35 masks for gray levels (25 when f is 0 or 1). N. Otsu, T. Kurita, *A new
    scheme for practical flexible and intelligent vision systems*, IAPR Workshop on
    Computer Vision, 431-435 (1988).

    Args:
        gray: (H, W) uint8, more than 8 px a side.

    Returns:
        (105,) float64 in [0, 1]: 35 masks with 1 px between their points, with 2, 4.
    """
    darkness = 1 - gray / 255
    return np.concatenate([_hlac(darkness, step) for step in HLAC_STEPS])


def _hlac(values: np.ndarray, step: int) -> np.ndarray:
    height, width = (side - 2 * step for side in values.shape)
    views: dict[tuple[int, ...], np.ndarray] = {
        (y, x): values[step * (1 + y) :, step * (1 + x) :][:height, :width]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    }
    return np.array(
        [np.mean(np.prod([views[at] for at in mask], axis=0)) for mask in HLAC_MASKS]
    )


#: name -> function of the gray patch; ``color`` stands apart, it needs all channels.
GRAY_FEATURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "moments": histogram_moments,
    "glcm": glcm_features,
    "esgiar": esgiar_features,
    "haralick": haralick_features,
    "lbp": lbp_histogram,
    "lbp_fourier": lbp_fourier,
    "perception": perception_features,
    "gabor": gabor_magnitudes,
    "hlac": hlac_features,
}
FEATURES = ("color", *GRAY_FEATURES)


def measure(patch: np.ndarray) -> dict[str, np.ndarray]:
    """All features of one patch.

    Args:
        patch: (H, W, 3) uint8 RGB, more than 8 px a side.

    Returns:
        name of ``FEATURES`` -> (length,) float32.
    """
    gray = gray_of(patch)
    found = {"color": color_statistics(patch)}
    found |= {name: function(gray) for name, function in GRAY_FEATURES.items()}
    return {name: values.astype(np.float32) for name, values in found.items()}
