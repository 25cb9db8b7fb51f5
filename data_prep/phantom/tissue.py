"""One picture of synthetic H&E, with its truth.

A picture is drawn as amounts of hematoxylin and eosin and turned into colour by the
inverse of our own deconvolution. Benign and malignant differ by the size, density,
pleomorphism and order of their nuclei and by the order of their glands; the stain
differs from case to case and says nothing about the class.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from data_prep.phantom.glands import (
    BACKGROUND,
    EPITHELIUM,
    STROMA,
    Gland,
    grade_of,
    paint_classes,
    place_glands,
    polygons,
    split_regions,
)
from gastric_keras.imaging.stain import rgb_from_stains

#: µm per px of every picture of the phantom: a ×20 scan.
MPP = 0.5


@dataclasses.dataclass(frozen=True)
class Stain:
    """What differs from one case's slide to another's, on top of the tissue.

    Attributes:
        hematoxylin: factor on its amounts.
        eosin: factor on its amounts.
        brown: amount of DAB's colour per amount of eosin: a shift of hue.
        blur: deviation of the optics' blur in px.
        noise: deviation of the sensor's noise in grey levels.
    """

    hematoxylin: float = 1.0
    eosin: float = 1.0
    brown: float = 0.0
    blur: float = 0.7
    noise: float = 2.0


@dataclasses.dataclass(frozen=True)
class PhantomImage:
    """A synthetic picture and its truth.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        classes: (H, W) uint8: index into `phantom_glands.CLASSES`.
        labels: (H, W) int32: 0 is background, 1…n are nuclei.
        centers: (n, 2) float64: x, y of each nucleus in px.
        amounts: (H, W, 3) float32: H, E, DAB before the sensor's noise.
        regions: one geometry a class; they share no area and fill the picture.
    """

    image: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    centers: npt.NDArray[np.float64]
    amounts: npt.NDArray[np.float32]
    regions: tuple[BaseGeometry, ...]

    @property
    def count(self) -> int:
        """Number of nuclei."""
        return len(self.centers)


def draw_stain(rng: np.random.Generator, *, variation: float = 1.0) -> Stain:
    """The stain of one case.

    Args:
        rng: where chance comes from.
        variation: 0 is the mean stain, 1 what labs differ by.
    """
    spread = rng.normal(size=3) * variation
    return Stain(
        hematoxylin=float(np.exp(0.20 * spread[0])),
        eosin=float(np.exp(0.22 * spread[1])),
        brown=float(np.clip(0.08 * spread[2], -0.16, 0.16)),
        blur=float(rng.uniform(0.6, 0.6 + 0.4 * variation)),
        noise=2.0,
    )


def draw_region(
    rng: np.random.Generator,
    size: int = 384,
    *,
    severity: float = -1.0,
    stain: Stain = Stain(),
    margin: float = 0.2,
) -> PhantomImage:
    """Draw one picture of glands in stroma.

    Args:
        rng: where chance comes from; equal states, equal pictures.
        size: side in px, at `MPP` µm/px.
        severity: how far from normal, about -2 (benign) to 2 (malignant).
        stain: of the case.
        margin: part of the width that is bare glass at one side; 0 for none.

    Returns:
        The picture and its truth.
    """
    glands = place_glands(rng, size, severity)
    regions = split_regions(rng, size, glands, margin)
    classes = paint_classes(size, regions)
    nuclei = _Nuclei(rng, classes, severity)
    for gland in glands:
        nuclei.line_gland(gland)
    nuclei.fill_stroma()
    amounts = _stain_tissue(rng, classes, nuclei, stain)
    light = rgb_from_stains(amounts).astype(np.float32)
    light += rng.normal(0, stain.noise, light.shape).astype(np.float32)
    return PhantomImage(
        image=np.clip(np.rint(light), 0, 255).astype(np.uint8),
        classes=classes,
        labels=nuclei.labels,
        centers=np.array(nuclei.centers, dtype=np.float64).reshape(-1, 2),
        amounts=amounts,
        regions=regions,
    )


class _Nuclei:
    """Nuclei placed one by one, none over another."""

    def __init__(
        self,
        rng: np.random.Generator,
        classes: npt.NDArray[np.uint8],
        severity: float,
    ) -> None:
        self.rng = rng
        self.classes = classes
        self.grade = grade_of(severity)
        self.labels = np.zeros(classes.shape, np.int32)
        self.centers: list[tuple[float, float]] = []
        self.darkness: list[float] = []
        size = classes.shape[0]
        noise = rng.normal(size=(size // 12 + 3,) * 2).astype(np.float32)
        # Fibers run along one smooth field, which spindle nuclei follow.
        self.direction = cv2.resize(
            cv2.GaussianBlur(noise, (0, 0), 2.5), (size, size), interpolation=2
        )
        self.direction *= np.float32(1.1 / max(float(self.direction.std()), 1e-6))

    def line_gland(self, gland: Gland) -> None:
        """Rows of nuclei along the base, in disorder as the grade grows."""
        grade, rng = self.grade, self.rng
        mean = 4.3 + 2.3 * grade
        row = 2.3 * mean
        rows = 12 if gland.lumen.is_empty else 1 + int(rng.random() < 0.9 * grade)
        for index in range(rows):
            ring = gland.outer.buffer(-(1.45 * mean + index * row))
            for part in polygons(ring):
                at = rng.uniform(0, mean)
                while at < part.exterior.length:
                    self._add_to_ring(part, at, mean)
                    at += mean * rng.uniform(1.7, 2.4 + 0.9 * grade)

    def _add_to_ring(self, part: Polygon, at: float, mean: float) -> None:
        grade, rng = self.grade, self.rng
        point = part.exterior.interpolate(at)
        base = part.exterior.interpolate(at + 1.0)
        across = np.arctan2(base.y - point.y, base.x - point.x) + np.pi / 2
        push = rng.normal(0, 0.6 + 3.2 * grade)
        length = mean * np.exp(rng.normal(0, 0.07 + 0.20 * grade))
        self._add(
            point.x + push * np.cos(across),
            point.y + push * np.sin(across),
            (length * 1.18, length * rng.uniform(0.72 - 0.1 * grade, 0.9)),
            across + rng.normal(0, 0.15 + 0.9 * grade),
            EPITHELIUM,
            rng.uniform(0.62, 0.82),
        )

    def fill_stroma(self) -> None:
        """Spindle nuclei along the fibers, and a few lymphocytes."""
        rng = self.rng
        size = self.classes.shape[0]
        wanted = int((self.classes == STROMA).sum() / 420)
        for x, y in rng.uniform(0, size, (wanted, 2)):
            if rng.random() < 0.2:
                axes = (rng.uniform(3.0, 3.6),) * 2
                self._add(x, y, axes, 0.0, STROMA, rng.uniform(0.8, 0.95))
            else:
                axes = (rng.uniform(5.5, 8.5), rng.uniform(1.9, 2.6))
                angle = float(self.direction[int(y), int(x)]) + rng.normal(0, 0.2)
                self._add(x, y, axes, angle, STROMA, rng.uniform(0.55, 0.75))

    def _add(
        self,
        x: float,
        y: float,
        axes: tuple[float, float],
        angle: float,
        tissue: int,
        darkness: float,
    ) -> bool:
        reach = int(max(axes) * 1.4) + 2
        rows = slice(max(int(y) - reach, 0), max(int(y) + reach + 1, 0))
        columns = slice(max(int(x) - reach, 0), max(int(x) + reach + 1, 0))
        labels = self.labels[rows, columns]
        if not labels.size:
            return False
        v, u = np.ogrid[: labels.shape[0], : labels.shape[1]]
        dx, dy = u + (columns.start + 0.5 - x), v + (rows.start + 0.5 - y)
        along = (dx * np.cos(angle) + dy * np.sin(angle)) / axes[0]
        across = (dy * np.cos(angle) - dx * np.sin(angle)) / axes[1]
        bend = 1 + 0.14 * self.grade * np.cos(
            3 * np.arctan2(across, along) + self.rng.uniform(0, 6.28)
        )
        distance = np.hypot(along, across) / bend
        inside = distance < 1
        # A gap of a pixel or two keeps neighbors apart in the truth.
        free = (labels[distance < 1 + 1.3 / min(axes)] == 0).all()
        home = self.classes[rows, columns][inside]
        if not free or inside.sum() < 12 or not (home == tissue).all():
            return False
        self.centers.append((float(x), float(y)))
        self.darkness.append(darkness)
        labels[inside] = len(self.centers)
        return True


def _stain_tissue(
    rng: np.random.Generator,
    classes: npt.NDArray[np.uint8],
    nuclei: _Nuclei,
    stain: Stain,
) -> npt.NDArray[np.float32]:
    shape = classes.shape
    fine, coarse = _noise(rng, shape, 1.2), _noise(rng, shape, 5.0)
    thickness = 1 + 0.08 * _noise(rng, shape, 40.0)
    fibers = _fibers(rng, nuclei.direction)
    base = np.array([[0.0, 0.10, 0.03], [0.012, 0.24, 0.30]], np.float32)
    h, e = base[0][classes], base[1][classes]
    is_stroma, is_tissue = classes == STROMA, classes != BACKGROUND
    e = e * (1 + np.where(is_stroma, 0.24 * fibers, 0.16 * coarse))
    h = h * (1 + 0.3 * coarse)
    dark = np.array([0.0, *nuclei.darkness], np.float32)[nuclei.labels]
    inside = nuclei.labels > 0
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    # Chromatin: clumps, and a darker membrane; vesicular as the grade grows.
    chromatin = 1 + (0.10 + 0.12 * nuclei.grade) * fine
    chromatin -= 0.16 * nuclei.grade * np.clip((depth - 2) / 3, 0, 1)
    h = np.where(inside, dark * chromatin, h)
    e = np.where(inside, 0.16, e)
    amounts = np.stack([h, e, np.zeros_like(h)], axis=2).astype(np.float32)
    amounts *= np.where(is_tissue, thickness, 1.0)[:, :, None]
    amounts = cv2.GaussianBlur(np.maximum(amounts, 0), (0, 0), stain.blur)
    amounts[:, :, 0] *= stain.hematoxylin
    amounts[:, :, 1] *= stain.eosin
    # Eosin is redder than its vector in D: some of DAB's color corrects that.
    amounts[:, :, 2] = (0.22 + stain.brown) * amounts[:, :, 1]
    return amounts


def _noise(
    rng: np.random.Generator, shape: tuple[int, ...], scale: float
) -> npt.NDArray[np.float32]:
    step = max(1, int(scale / 2))
    small = rng.normal(size=[side // step + 2 for side in shape]).astype(np.float32)
    small = cv2.GaussianBlur(small, (0, 0), scale / step)
    field = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (field - field.mean()) / max(float(field.std()), 1e-6)


def _fibers(
    rng: np.random.Generator, direction: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Streaks along a field of directions: noise averaged along its lines."""
    noise = _noise(rng, direction.shape, 1.0)
    v, u = np.mgrid[: direction.shape[0], : direction.shape[1]].astype(np.float32)
    cos, sin = np.cos(direction), np.sin(direction)
    total = np.zeros_like(noise)
    for step in range(-9, 10, 2):
        total += cv2.remap(
            noise,
            u + step * cos,
            v + step * sin,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
    return total / max(float(total.std()), 1e-6)
