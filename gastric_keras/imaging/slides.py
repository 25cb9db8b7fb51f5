"""One way to read regions out of pictures and whole slides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.colors import to_rgb
from gastric_keras.imaging.images import SUFFIXES as PICTURE_SUFFIXES
from gastric_keras.imaging.images import decode, read_bytes, resize
from gastric_keras.imaging.picture import (
    ArrayPicture,
    Picture,
    overview_shape,
    scaled,
    shrink,
)
from gastric_keras.imaging.pillow import MAX_PIXELS, UnusableImage
from gastric_keras.imaging.scale import is_possible
from gastric_keras.imaging.slide_checks import (
    bounds_of,
    check_levels,
    check_upright,
    damaged,
    import_openslide,
    mpp_of,
)
from gastric_keras.imaging.stored import of_profile

if TYPE_CHECKING:
    from openslide import OpenSlide

#: Formats that are slides whatever they hold.
SLIDE_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
#: Pictures and whole slides.
SUFFIXES = (*PICTURE_SUFFIXES, *SLIDE_SUFFIXES)
#: Formats that hold ordinary pictures or slides.
_PERHAPS_SLIDES = (".tif", ".tiff", ".dcm")

#: A level's factor is seldom whole (2.0005 where 2 is meant).
_LEVEL_SLACK = 1.005
#: Most pixels of a slide in memory at once for its overview.
_BAND_PIXELS = 2**24
#: Longer side of the view that tells where a slide has pixels.
_FILLED_SIDE = 2048


class SlidePicture(Picture):
    """A whole slide, read by OpenSlide region by region.

    Colors are the stored ones: a color profile of the scanner is not applied.

    Args:
        path: the slide; of a DICOM series any one of its files.
        max_pixels: most pixels that one region may have.

    Raises:
        UnusableImage: no slide, damaged, or its pixels are not square.
        InputError: OpenSlide is not installed.
    """

    is_slide = True

    def __init__(self, path: Path | str, *, max_pixels: int = MAX_PIXELS) -> None:
        openslide = import_openslide(path)
        self.path = path
        self.max_pixels = max_pixels
        try:
            self._slide: OpenSlide = openslide.OpenSlide(path)
        except (openslide.OpenSlideError, OSError) as error:
            raise damaged(path, error) from error
        self.shape = self._slide.dimensions[::-1]
        self._bounds = bounds_of(self._slide)
        try:
            check_levels(self._slide, path)
            check_upright(self._slide, path)
            given = mpp_of(self._slide, path)
        except UnusableImage:
            self.close()
            raise
        if is_possible(given):
            self.mpp = given
        else:
            self.impossible_mpp = given
        profile = getattr(self._slide, "color_profile", None)
        self.notes = of_profile(profile.tobytes()) if profile else ()

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        return self._bounds

    def read(
        self, x: int, y: int, width: int, height: int, *, size: int | None = None
    ) -> npt.NDArray[np.uint8]:
        factor = 1.0 if size is None else min(width, height) / size
        level, factor = self._level(factor)
        shape = scaled(width, factor), scaled(height, factor)
        pixels = to_rgb(self._read_level(level, (x, y), shape))
        return pixels if size is None else resize(pixels, size)

    def overview(self, max_side: int) -> npt.NDArray[np.uint8]:
        shape = overview_shape(self.shape, max_side)
        bands = self._bands((0, 0, *self.shape[::-1]), shape)
        return np.concatenate([shrink(to_rgb(band), to) for band, to in bands])

    def filled(self) -> tuple[npt.NDArray[np.float64], float] | None:
        size = self.bounds[:1:-1]
        bands = self._bands(self.bounds, overview_shape(size, _FILLED_SIDE))
        alpha = np.concatenate([shrink(band[..., 3], to) for band, to in bands])
        if alpha.min() == 255:
            return None
        return alpha / 255, max(size) / max(alpha.shape)

    def _bands(
        self, window: tuple[int, int, int, int], shape: tuple[int, int]
    ) -> Iterator[tuple[npt.NDArray[np.uint8], tuple[int, int]]]:
        """A part of the slide in bands of RGBA, each with the (h, w) to shrink it to.

        A slide without a pyramid would not fit in memory as a whole.
        """
        left, above, wide, high = window
        level, factor = self._level(high / shape[0])
        # Of the whole slide exactly the level's own size.
        width, height = self._slide.level_dimensions[level]
        width = max(1, round(width * wide / self.shape[1]))
        height = max(1, round(height * high / self.shape[0]))
        rows = max(1, int(shape[0] * _BAND_PIXELS / (width * height)))
        for first in range(0, shape[0], rows):
            last = min(first + rows, shape[0])
            top, bottom = (round(row * height / shape[0]) for row in (first, last))
            corner = (left, above + round(top * factor))
            band = self._read_level(level, corner, (width, bottom - top))
            yield band, (last - first, shape[1])

    def close(self) -> None:
        self._slide.close()

    def _level(self, factor: float) -> tuple[int, float]:
        level = self._slide.get_best_level_for_downsample(factor * _LEVEL_SLACK)
        return level, self._slide.level_downsamples[level]

    def _read_level(
        self, level: int, corner: tuple[int, int], size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        from openslide import OpenSlideError

        if size[0] * size[1] > self.max_pixels:
            raise UnusableImage(
                f"A region must have at most {self.max_pixels} pixels, got "
                f"path={self.path}, size={size[0]}×{size[1]}. Give a patch size, since "
                "a slide is too large to be one patch, or raise max_pixels."
            )
        try:
            return np.asarray(self._slide.read_region(corner, level, size))
        except (OpenSlideError, OSError) as error:
            raise damaged(self.path, error) from error


def open_picture(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Open a picture or slide.

    Args:
        path: any file that ``read_image`` of :mod:`gastric_keras.imaging.images` reads,
            or a slide.
        max_pixels: most pixels of a picture, or of one region of a slide.

    Raises:
        UnusableImage: neither of them, damaged, or too large.
        InputError: a slide, and OpenSlide is not installed.
    """
    if is_slide(path):
        return SlidePicture(path, max_pixels=max_pixels)
    data = read_bytes(path)
    found = decode(data, name=str(path), max_pixels=max_pixels)
    return ArrayPicture(
        found.pixels, data=data, orientation=found.orientation, notes=found.notes
    )


def is_slide(path: Path | str) -> bool:
    """Whether a file is read as a slide.

    By its suffix; a TIFF or DICOM file where OpenSlide knows it as one. A tiled TIFF
    of one level counts only where it is too large to be decoded whole.
    """
    suffix = Path(path).suffix.lower()
    if suffix in SLIDE_SUFFIXES:
        return True
    if suffix not in _PERHAPS_SLIDES:
        return False
    try:
        import openslide
    except ImportError:
        return False
    try:
        vendor = openslide.OpenSlide.detect_format(path)
        if vendor != "generic-tiff":
            return vendor is not None
        with openslide.OpenSlide(path) as slide:
            width, height = slide.dimensions
            return slide.level_count > 1 or width * height > MAX_PIXELS
    except openslide.OpenSlideError:
        # What is wrong with it is said by the reader of pictures.
        return False
