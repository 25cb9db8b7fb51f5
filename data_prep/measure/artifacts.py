"""Patches that show glass, ink or blur instead of tissue in focus."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config.measures import ArtifactConfig
from gastric_keras.imaging.stain import check_image

BLANK = "blank"
PEN = "pen mark"
BLUR = "out of focus"

# Green light that bare glass lets through, of 255, as in `nuclei`.
_GLASS = 215
# Ink is judged by means over blocks of this many px: single dark nuclei and red cells
# of ordinary stain have the hues of ink, areas of that size have not.
_INK_BLOCK = 8
# Scales in px of the three Gaussians of the sharpness, an octave apart. The finest is
# no pixel itself: noise and JPEG would pass for detail.
_FINE, _MIDDLE, _COARSE = 0.7, 1.4, 2.8
# Finer scans hold no more detail than this, and their middle band would be blur.
_FOCUS_MPP = 0.5
# With less tissue than this there is nothing to focus on.
_FOCUS_TISSUE = 0.1
# Variance of the middle band, in gray levels²: a picture with less has no detail at
# any scale, and a ratio of rounding errors says nothing.
_LEAST_DETAIL = 1e-2


def artifact_reason(
    patch: npt.NDArray[np.uint8],
    config: ArtifactConfig = ArtifactConfig(),
    *,
    mpp: float = 0.0,
) -> str | None:
    """Why a patch shows no tissue that can be read, or None to keep it.

    Args:
        patch: (H, W, 3) uint8, RGB.
        config: the limits; 0 (for the pen 1) switches a check off.
        mpp: µm per px of the patch; 0.0 is not known, and then focus is judged at
            the patch's own scale.

    Returns:
        The first that holds of "blank", "pen mark", "out of focus"; else None.

    Raises:
        InputError: ``patch`` is not (H, W, 3) uint8.

    Examples:
        >>> artifact_reason(np.full((64, 64, 3), 250, np.uint8))
        'blank'
    """
    check_image(patch)
    if config.min_tissue > 0 and nonglass_share(patch) < config.min_tissue:
        return BLANK
    if config.max_pen < 1 and pen_share(patch) > config.max_pen:
        return PEN
    if config.min_sharpness > 0 and sharpness(patch, mpp=mpp) < config.min_sharpness:
        return BLUR
    return None


def nonglass_share(patch: npt.NDArray[np.uint8]) -> float:
    """Part of the pixels that are darker in green than glass, in [0, 1].

    Args:
        patch: (H, W, 3) uint8, RGB.
    """
    # Both stains take green, and a tint of the lamp hardly touches it.
    green = patch[..., 1]
    return np.count_nonzero(green < _GLASS) / green.size


def pen_share(patch: npt.NDArray[np.uint8]) -> float:
    """Part of the patch in the hues of felt pens, in [0, 1].

    The rules ask for what hematoxylin and eosin cannot give over a whole block:
    green above red (both stains take green most), a blue in which green is well above
    red, a red bright in red and almost black in green and blue, and neutral black.
    Thin red ink over tissue has the color of strong eosin and passes, and so does blue
    ink over dark nuclei: a miss is the cheaper fault.

    Args:
        patch: (H, W, 3) uint8, RGB.
    """
    height, width = patch.shape[:2]
    size = (math.ceil(width / _INK_BLOCK), math.ceil(height / _INK_BLOCK))
    blocks = cv2.resize(patch, size, interpolation=cv2.INTER_AREA).astype(np.int16)
    red, green, blue = np.moveaxis(blocks.reshape(-1, 3), 1, 0)
    highest = np.maximum(np.maximum(red, green), blue)
    lowest = np.minimum(np.minimum(red, green), blue)
    is_green = (green > red + 20) & (green >= blue - 20) & (green < 150)
    is_blue = (blue > red + 60) & (green > red + 25) & (green < 140)
    others = np.maximum(green, blue)
    is_red = (red > 120) & (red > others + 100) & (others < 70)
    is_black = (highest < 45) & (highest < lowest + 20)
    return float((is_green | is_blue | is_red | is_black).mean())


def sharpness(patch: npt.NDArray[np.uint8], *, mpp: float = 0.0) -> float:
    """Detail of the finest octave over that of the next: high in focus.

    ``var(G₁ - G₂) / var(G₂ - G₃)`` of the green channel, where ``Gᵢ`` is the picture
    smoothed by a Gaussian of 0.7, 1.4 and 2.8 px. A variance of the Laplacian, the
    usual measure (Pertuz et al. 2013), grows with the square of the stain and with
    the number of nuclei, so that a pale stroma in focus counts as blur; a ratio of
    two bands of the same picture does not change with contrast, and little with
    content.

    Args:
        patch: (H, W, 3) uint8, RGB.
        mpp: µm per px; scans finer than 0.5 are judged at 0.5. 0.0 is not known.

    Returns:
        A ratio of at least 0; infinity where there is no detail to judge by, or
        less than a tenth of tissue.

    References:
        Pertuz et al., Pattern Recognit. 46:1415 (2013),
        doi:10.1016/j.patcog.2012.11.011.
    """
    if nonglass_share(patch) < _FOCUS_TISSUE:
        return math.inf
    plane = cv2.extractChannel(patch, 1)
    if 0 < mpp < _FOCUS_MPP:
        factor = mpp / _FOCUS_MPP
        height, width = plane.shape
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        plane = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    fine = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), _FINE)
    middle = cv2.GaussianBlur(fine, (0, 0), math.sqrt(_MIDDLE**2 - _FINE**2))
    coarse = cv2.GaussianBlur(middle, (0, 0), math.sqrt(_COARSE**2 - _MIDDLE**2))
    detail = _variance(middle - coarse)
    return _variance(fine - middle) / detail if detail > _LEAST_DETAIL else math.inf


def _variance(plane: npt.NDArray[np.float32]) -> float:
    return float(cv2.meanStdDev(plane)[1][0, 0]) ** 2
