"""Phansalkar's local threshold."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from gastric_keras.support.errors import InputError


def threshold_phansalkar(
    image: npt.NDArray[np.float32],
    radius: int = 40,
    k: float = 0.25,
    r: float = 0.5,
    p: float = 2.0,
    q: float = 10.0,
) -> npt.NDArray[np.float32]:
    """Local threshold for dark objects in pictures of low contrast.

    In the original method the threshold of each pixel is::

        T = mu * (1 + p * exp(-q * mu) + k * (sigma / r - 1))

    where mu and sigma are the mean and the standard deviation of the square window
    of side ``2 * radius + 1`` around the pixel. Where mu is small the exponential
    lifts the threshold above Sauvola's, so that faint nuclei in dark surroundings
    are still found. A pixel is object where ``image < T``.

    Args:
        image: (H, W) float in [0, 1], objects dark.
        radius: half-side of the window in px, at least 1; the picture is mirrored
            at its border.
        k: weight of the local contrast.
        r: dynamic range of the standard deviation; 0.5 for a picture in [0, 1].
        p: weight of the exponential.
        q: decay of the exponential.

    Returns:
        (H, W) float32: thresholds.

    Raises:
        InputError: ``image`` is not a plane of floats, or ``radius`` is below 1.

    References:
        Phansalkar et al., Proc. ICCSP 2011, 218-220,
        doi:10.1109/ICCSP.2011.5739305.

    Examples:
        >>> plane = np.full((5, 5), 0.5, np.float32)
        >>> float(threshold_phansalkar(plane, radius=1)[2, 2].round(4))
        0.3817
    """
    _check(image, radius)
    image = image.astype(np.float32, copy=False)
    window = (2 * radius + 1, 2 * radius + 1)
    border = cv2.BORDER_REFLECT
    mean = cv2.blur(image, window, borderType=border)
    variance = cv2.sqrBoxFilter(image, cv2.CV_32F, window, borderType=border)
    variance -= mean * mean
    deviation = cv2.sqrt(np.maximum(variance, 0))
    factor = np.float32(p) * cv2.exp(mean * np.float32(-q))
    factor += np.float32(k / r) * deviation
    factor += np.float32(1 - k)
    return mean * factor


def _check(image: npt.NDArray[np.float32], radius: int) -> None:
    if image.ndim != 2 or image.size == 0 or image.dtype.kind != "f":
        raise InputError(
            "The plane must be floats of shape (height, width), got "
            f"image with shape={image.shape}, dtype={image.dtype}. Give one channel "
            "scaled to [0, 1]."
        )
    if radius < 1:
        raise InputError(
            "radius must be 1 px or more, "
            f"got {radius}. Give the half-side of the window in px."
        )
