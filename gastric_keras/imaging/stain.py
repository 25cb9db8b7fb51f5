"""Optical density and colour deconvolution of hematoxylin, eosin and DAB."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gastric_keras.support.errors import InputError

#: Amounts of H, E, DAB (rows) from the optical densities of R, G, B (columns):
#: Qu et al. 2018, doi:10.1155/2018/8961781.
STAINS_FROM_OD = np.array(
    [[1.88, -0.07, -0.60], [-1.02, 1.13, -0.48], [-0.55, -0.13, 1.57]],
    dtype=np.float32,
)
OD_FROM_STAINS = np.linalg.inv(STAINS_FROM_OD.astype(np.float64)).astype(np.float32)

#: I_0 of an 8-bit picture: the intensity of bare glass.
WHITE = 255.0

# A pixel of 0 has no finite density; it counts as the darkest grey above it.
_OD_OF_BYTE = -np.log10(np.maximum(np.arange(256), 1) / WHITE).astype(np.float32)
# The density of every byte times D's row of hematoxylin, one column a channel:
# three look-ups and two sums replace logarithm and matrix product.
_HEMATOXYLIN_OF_BYTE = (_OD_OF_BYTE[:, None] * STAINS_FROM_OD[0]).reshape(1, 256, 3)


def check_image(image: npt.NDArray[Any]) -> None:
    """Refuse what is not a picture.

    Args:
        image: (H, W, 3) uint8, RGB, at least 1 px a side.

    Raises:
        InputError: another rank, number of channels or dtype, or no pixels.
    """
    shape = getattr(image, "shape", None)
    dtype = getattr(image, "dtype", None)
    if (
        shape is None
        or len(shape) != 3
        or shape[2] != 3
        or 0 in shape
        or dtype != np.uint8
    ):
        raise InputError(
            "The image must be RGB of shape (height, width, 3) and dtype uint8, "
            f"got shape={shape}, dtype={dtype}. Read it with "
            "gastric_keras.imaging.read_image, or convert it first."
        )


def optical_density(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Optical density ``OD = -log10(I / 255)`` of each channel.

    The logarithm is decimal, so an OD of 1 lets a tenth of the light through.
    ``skimage.color.rgb2hed`` uses the same words for another scale: it divides by
    ``log(1e-6)``.

    Args:
        image: (H, W, 3) uint8, RGB. A value of 0 counts as 1.

    Returns:
        (H, W, 3) float32 in [0, 2.41].

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.
    """
    check_image(image)
    return cv2.LUT(image, _OD_OF_BYTE)


def separate_stains(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Amounts of hematoxylin, eosin and DAB: ``C = D · OD``.

    ``D`` is :data:`STAINS_FROM_OD`, the paper's matrix, which is the inverse of
    Ruifrok and Johnston's stain vectors.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        (H, W, 3) float32: amounts of H, E, DAB, in units of optical density. Noise
        and foreign colours make some of them negative.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.

    References:
        Qu et al., J. Healthc. Eng. 2018, doi:10.1155/2018/8961781;
        Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23:291 (2001).

    Examples:
        >>> white = np.full((1, 1, 3), 255, np.uint8)
        >>> bool((separate_stains(white) == 0).all())
        True
    """
    return cv2.transform(optical_density(image), STAINS_FROM_OD)


def rgb_from_stains(amounts: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The picture that has these amounts of stain: inverse of `separate_stains`.

    ``I = 255 · 10^(-D⁻¹ · C)``, rounded and clipped to a byte.

    Args:
        amounts: (H, W, 3) float: H, E, DAB.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: ``amounts`` is not (H, W, 3).
    """
    if amounts.ndim != 3 or amounts.shape[2] != 3:
        raise InputError(
            "Stain amounts must have the shape (height, width, 3), "
            f"got shape={amounts.shape}. Stack H, E and DAB."
        )
    density = cv2.transform(amounts.astype(np.float32), OD_FROM_STAINS)
    light = WHITE * np.exp(density * np.float32(-np.log(10)))
    return np.clip(np.rint(light), 0, WHITE).astype(np.uint8)


def hematoxylin(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The first channel of `separate_stains` alone, in a third of its time.

    Args:
        image: (H, W, 3) uint8, RGB.

    Returns:
        (H, W) float32: amount of hematoxylin, in units of optical density.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8.
    """
    check_image(image)
    return cv2.transform(
        cv2.LUT(image, _HEMATOXYLIN_OF_BYTE), np.ones((1, 3), np.float32)
    )


def hematoxylin_transmittance(
    image: npt.NDArray[np.uint8], *, unit: float = 1.0
) -> npt.NDArray[np.float32]:
    """Light that hematoxylin alone would let through: ``10^(-H / unit)``.

    Nuclei are dark in it, as Phansalkar's threshold wants them.

    Args:
        image: (H, W, 3) uint8, RGB.
        unit: amount of hematoxylin that leaves a tenth of the light, > 0.

    Returns:
        (H, W) float32 in [0, 1]; negative amounts count as none.

    Raises:
        InputError: ``image`` is not (H, W, 3) uint8, or ``unit`` is not positive.
    """
    if not unit > 0:
        raise InputError(
            f"unit must be above 0, got {unit}. "
            "Give an amount above 0; 1.0 is the paper's."
        )
    return transmittance_from_amount(hematoxylin(image), unit=unit)


def transmittance_from_amount(
    amount: npt.NDArray[np.float32], *, unit: float = 1.0
) -> npt.NDArray[np.float32]:
    """``10^(-max(amount, 0) / unit)``: see `hematoxylin_transmittance`."""
    return cv2.exp(np.maximum(amount, 0) * np.float32(-np.log(10) / unit))
