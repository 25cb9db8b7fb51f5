"""Stain of a picture brought to a published reference: Reinhard and Macenko.

Both methods are one affine map of logarithms of light, fitted once per slide and then
applied to each of its patches, so that the patches of one slide stay alike. data_prep
and the heatmap use this module; ``serving.stain`` computes the same in TensorFlow.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.slides import Picture
from gastric_keras.support.errors import require

#: How `normalization` can bring a stain to the reference.
STAIN_METHODS = ("reinhard", "macenko")
#: Side in px of the view that the stain of a picture or slide is fitted on.
FIT_SIDE = 1024

Matrix = npt.NDArray[np.float64]

#: Least number of tissue pixels: 1 % of them still are ten.
LEAST_PIXELS = 1000
#: Light of bare glass and least density of tissue, natural logarithm: Macenko's
#: implementations by Veta and by Schaub, whose reference comes with them.
GLASS = 240.0
LEAST_DENSITY = 0.15
#: Least density of green of what counts as tissue for the mean and deviation.
PALE_DENSITY = 0.06
#: Percentiles of angle and amount that count as the extremes.
EXTREMES = (1, 99)
#: Hematoxylin and eosin (columns) by R, G, B, and the 99th percentile of their amounts.
REFERENCE_STAINS = np.array([[0.5626, 0.2159], [0.7201, 0.8012], [0.4062, 0.5581]])
REFERENCE_AMOUNTS = np.array([1.9705, 1.0308])
#: Mean and deviation in l, α, β of tissue of TCGA-A2-A3XS-DX1, as HistomicsTK has them:
#: Amgad et al., Bioinformatics 35:3461 (2019), doi:10.1093/bioinformatics/btz083.
REFERENCE_MEAN = np.array([8.74108109, -0.12440419, 0.0444982])
REFERENCE_STD = np.array([0.6135447, 0.10989545, 0.0286032])

#: Reinhard's equations 4 and 6: cones L, M, S from R, G, B; l, α, β from their logs.
LMS_FROM_RGB = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
)
LAB_FROM_LOG = np.diag(1 / np.sqrt([3, 6, 2])) @ [[1, 1, 1], [1, 1, -2], [1, -1, 0]]
LOG_FROM_LAB = np.linalg.inv(LAB_FROM_LOG)
RGB_FROM_LMS = np.linalg.inv(LMS_FROM_RGB)

#: One more keeps 0 finite, as in the implementations that the reference is of.
DENSITY_OF_BYTE = -np.log((np.arange(256, dtype=np.float32) + 1) / np.float32(GLASS))

#: A map that stretches an axis by more than this was fitted to no H&E, and would turn
#: the noise of the camera into color.
MOST_GAIN = 6.0
#: Least sine between the two stains, and least share of a stain in any channel:
#: glass and ink give two equal stains, or one that emits light.
LEAST_SINE = 0.08
LEAST_SHARE = -0.1
#: Densities between which a pixel turns from glass, which stays as it is, to tissue.
GLASS_TO_TISSUE = (0.03, 0.15)


@dataclasses.dataclass(frozen=True)
class StainFit:
    """What a slide needs to look like the reference.

    Attributes:
        method: "reinhard" or "macenko".
        matrix: 3 rows of 4: the affine map of the logarithms of L, M, S (Reinhard)
            or of the optical densities of R, G, B (Macenko), the shift last.
    """

    method: str
    matrix: tuple[tuple[float, ...], ...]


def fit_stain(pixels: npt.NDArray[np.uint8], method: str) -> StainFit | None:
    """Measure the stain of a slide.

    Args:
        pixels: (H, W, 3) or (N, 3) uint8, RGB: a picture, or pixels drawn from all
            over a slide; some 100,000 are plenty.
        method: "reinhard" matches mean and deviation in l, α, β; "macenko" finds the
            two stains and matches both and their amounts.

    Returns:
        The map; None where the stain cannot be told: fewer than 1,000 pixels of tissue,
        one color only, two stains that are one, or a stretch of more than 6.

    Raises:
        InputError: another shape, dtype or method.

    References:
        Reinhard et al., IEEE Comput. Graph. Appl. 21:34 (2001),
        doi:10.1109/38.946629; Macenko et al., ISBI 2009,
        doi:10.1109/ISBI.2009.5193250.
    """
    require(
        method in STAIN_METHODS,
        f"method must be one of {', '.join(STAIN_METHODS)}",
        "Change normalization in the config of the set.",
        method=method,
    )
    pixels = np.asarray(pixels)
    _check(pixels, ranks=(2, 3))
    pixels = pixels.reshape(-1, 3)
    fit = _fit_macenko if method == "macenko" else _fit_reinhard
    matrix = fit(pixels)
    if matrix is None or not np.isfinite(matrix).all():
        return None
    return StainFit(method, tuple(tuple(row) for row in matrix.tolist()))


def fit_picture(picture: Picture, method: str) -> StainFit | None:
    """Measure the stain of a picture or slide on a small view of all of it.

    Args:
        picture: the picture.
        method: ``reinhard`` or ``macenko``.

    Returns:
        None where no fit is found: the picture then stays as it is.
    """
    return fit_stain(picture.overview(FIT_SIDE), method)


def normalize(patch: npt.NDArray[np.uint8], fit: StainFit) -> npt.NDArray[np.uint8]:
    """Give a patch the stain of the reference.

    Glass keeps its color; from there to tissue the change sets in gradually, so that
    it draws no edges.

    Args:
        patch: (H, W, 3) uint8, RGB, of the slide that was fitted.
        fit: from `fit_stain`.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        InputError: ``patch`` is not (H, W, 3) uint8.
    """
    _check(np.asarray(patch), ranks=(3,))
    matrix = np.array(fit.matrix, np.float32)
    density = cv2.LUT(patch, DENSITY_OF_BYTE)
    if fit.method == "macenko":
        light = GLASS * _exp(-cv2.transform(density, matrix)) - 1
    else:
        cones = cv2.transform(np.maximum(patch, 1).astype(np.float32), LMS_FROM_RGB)
        light = cv2.transform(_exp(cv2.transform(cv2.log(cones), matrix)), RGB_FROM_LMS)
    start, end = GLASS_TO_TISSUE
    mean = cv2.transform(density, np.full((3, 3), 1 / 3, np.float32))
    share = np.clip((mean - start) / (end - start), 0, 1)
    mixed = share * np.clip(light, 0, 255) + (1 - share) * patch
    return np.rint(mixed).astype(np.uint8)


def _check(pixels: npt.NDArray[np.uint8], *, ranks: tuple[int, ...]) -> None:
    spelled = {2: "(N, 3)", 3: "(height, width, 3)"}
    require(
        pixels.ndim in ranks
        and pixels.shape[-1] == 3
        and pixels.size > 0
        and pixels.dtype == np.uint8,
        f"pixels must be RGB of shape {' or '.join(spelled[rank] for rank in ranks)} "
        "and dtype uint8",
        "Read them with gastric_keras.imaging.read_image.",
        shape=pixels.shape,
        dtype=str(pixels.dtype),
    )


def _exp(logarithm: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # At e^7 a byte is full whatever the other channels hold, and nothing overflows.
    return cv2.exp(np.clip(logarithm, -7, 7))


def _fit_reinhard(pixels: npt.NDArray[np.uint8]) -> Matrix | None:
    # The deviations of the reference are wide, so its tissue had its pale parts too.
    tissue = pixels[DENSITY_OF_BYTE[pixels[:, 1]] >= PALE_DENSITY]
    if len(tissue) < LEAST_PIXELS:
        return None
    lab = np.log(np.maximum(tissue, 1) @ LMS_FROM_RGB.T) @ LAB_FROM_LOG.T
    mean, std = lab.mean(axis=0), lab.std(axis=0)
    if (std * MOST_GAIN < REFERENCE_STD).any():
        return None
    turn = LOG_FROM_LAB @ np.diag(REFERENCE_STD / std) @ LAB_FROM_LOG
    shift = LOG_FROM_LAB @ REFERENCE_MEAN - turn @ LOG_FROM_LAB @ mean
    return np.column_stack([turn, shift])


def _fit_macenko(pixels: npt.NDArray[np.uint8]) -> Matrix | None:
    density = DENSITY_OF_BYTE[pixels].astype(np.float64)
    density = density[(density >= LEAST_DENSITY).all(axis=1)]
    if len(density) < LEAST_PIXELS:
        return None
    stains = _find_stains(density)
    if stains is None:
        return None
    to_amounts = np.linalg.pinv(stains)
    amounts = np.percentile(density @ to_amounts.T, EXTREMES[1], axis=0)
    if (amounts * MOST_GAIN < REFERENCE_AMOUNTS).any():
        return None
    turn = REFERENCE_STAINS @ np.diag(REFERENCE_AMOUNTS / amounts) @ to_amounts
    return np.column_stack([turn, np.zeros(3)])


def _find_stains(density: Matrix) -> Matrix | None:
    """(3, 2) unit densities of hematoxylin and eosin: the ends of the fan of angles."""
    _, axes = np.linalg.eigh(np.cov(density.T))
    plane = axes[:, [2, 1]]
    # eigh leaves the sign open; tissue must lie ahead, where angles do not wrap.
    plane[:, 0] *= 1 if (density @ plane[:, 0]).mean() >= 0 else -1
    along = density @ plane
    angles = np.percentile(np.arctan2(along[:, 1], along[:, 0]), EXTREMES)
    stains = plane @ np.array([np.cos(angles), np.sin(angles)])
    # Hematoxylin takes the more red of the two.
    stains = stains[:, np.argsort(-stains[0])]
    sine = np.linalg.norm(np.cross(stains[:, 0], stains[:, 1]))
    if sine < LEAST_SINE or (stains < LEAST_SHARE).any():
        return None
    return stains
