"""One way to read regions out of pictures and whole slides."""

from __future__ import annotations

import abc
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.colors import over_white
from gastric_keras.imaging.images import decode_image, read_bytes, resize
from gastric_keras.imaging.pillow import MAX_PIXELS, UnusableImage
from gastric_keras.imaging.scale import is_possible
from gastric_keras.imaging.slide_checks import check_levels, mpp_of
from gastric_keras.support.errors import InputError

if TYPE_CHECKING:
    from openslide import OpenSlide

#: Formats that are slides whatever they hold.
SLIDE_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
#: Formats that hold ordinary pictures or slides.
_PERHAPS_SLIDES = (".tif", ".tiff", ".dcm")

#: A level's factor is seldom whole (2.0005 where 2 is meant).
_LEVEL_SLACK = 1.005
#: Most pixels of a slide in memory at once for its overview.
_BAND_PIXELS = 2**24


class Picture(abc.ABC):
    """A picture or slide that is open for reading; close it, or use ``with``.

    Attributes:
        shape: (H, W) at full resolution, px.
        mpp: µm per px at full resolution; 0 where the file does not say.
        impossible_mpp: what the file says where no microscope has that scale; else 0.
        is_slide: whether regions are read from the file as they are asked for.
        data: bytes of an ordinary picture's file; None for a slide.
    """

    shape: tuple[int, int]
    mpp: float = 0.0
    impossible_mpp: float = 0.0
    is_slide: bool = False
    data: bytes | None = None

    @abc.abstractmethod
    def read(
        self, x: int, y: int, width: int, height: int, *, size: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Read a region that lies inside the picture.

        Args:
            x: left edge at full resolution, px.
            y: top edge at full resolution, px.
            width: of the region at full resolution, px.
            height: of the region at full resolution, px.
            size: side of the result, px; None keeps the full resolution.

        Returns:
            (height, width, 3) or (size, size, 3) uint8, RGB.

        Raises:
            UnusableImage: the slide is damaged there, or the region is too large.
        """

    @abc.abstractmethod
    def overview(self, max_side: int) -> npt.NDArray[np.uint8]:
        """The whole picture, shrunk by the mean of areas.

        Args:
            max_side: longer side of the result, px; a smaller picture stays.

        Returns:
            (h, w, 3) uint8, RGB.
        """

    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Picture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ArrayPicture(Picture):
    """An ordinary picture, decoded whole.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        data: bytes of its file.
    """

    def __init__(
        self, pixels: npt.NDArray[np.uint8], *, data: bytes | None = None
    ) -> None:
        self.pixels = pixels
        self.shape = (pixels.shape[0], pixels.shape[1])
        self.data = data

    def read(
        self, x: int, y: int, width: int, height: int, *, size: int | None = None
    ) -> npt.NDArray[np.uint8]:
        region = self.pixels[y : y + height, x : x + width]
        return region if size is None else resize(region, size)

    def overview(self, max_side: int) -> npt.NDArray[np.uint8]:
        return _shrink(self.pixels, _overview_shape(self.shape, max_side))


class SlidePicture(Picture):
    """A whole slide, read by OpenSlide region by region.

    Colors are the stored ones: a color profile of the scanner is not applied.

    Args:
        path: the slide; of a DICOM series any one of its files.
        max_pixels: most pixels that one region may have.

    Raises:
        UnusableImage: no slide, damaged, or its pixels are no squares.
        InputError: OpenSlide is not installed.
    """

    is_slide = True

    def __init__(self, path: Path | str, *, max_pixels: int = MAX_PIXELS) -> None:
        openslide = _openslide(path)
        self.path = path
        self.max_pixels = max_pixels
        try:
            self._slide: OpenSlide = openslide.OpenSlide(path)
        except (openslide.OpenSlideError, OSError) as error:
            raise _damaged(path, error) from error
        width, height = self._slide.dimensions
        self.shape = (height, width)
        try:
            check_levels(self._slide, path)
            given = mpp_of(self._slide, path)
        except UnusableImage:
            self.close()
            raise
        if is_possible(given):
            self.mpp = given
        else:
            self.impossible_mpp = given

    def read(
        self, x: int, y: int, width: int, height: int, *, size: int | None = None
    ) -> npt.NDArray[np.uint8]:
        factor = 1.0 if size is None else min(width, height) / size
        level, factor = self._level(factor)
        pixels = self._read_level(
            level, (x, y), (_scaled(width, factor), _scaled(height, factor))
        )
        return pixels if size is None else resize(pixels, size)

    def overview(self, max_side: int) -> npt.NDArray[np.uint8]:
        shape = _overview_shape(self.shape, max_side)
        level, factor = self._level(self.shape[0] / shape[0])
        width, height = self._slide.level_dimensions[level]
        # A slide without a pyramid would not fit in memory: it is read in bands.
        rows = max(1, int(shape[0] * _BAND_PIXELS / (width * height)))
        bands = []
        for first in range(0, shape[0], rows):
            last = min(first + rows, shape[0])
            top, bottom = (round(row * height / shape[0]) for row in (first, last))
            band = self._read_level(
                level, (0, round(top * factor)), (width, bottom - top)
            )
            bands.append(_shrink(band, (last - first, shape[1])))
        return np.concatenate(bands)

    def close(self) -> None:
        self._slide.close()

    def _level(self, factor: float) -> tuple[int, float]:
        level = self._slide.get_best_level_for_downsample(factor * _LEVEL_SLACK)
        return level, self._slide.level_downsamples[level]

    def _read_level(
        self, level: int, corner: tuple[int, int], size: tuple[int, int]
    ) -> npt.NDArray[np.uint8]:
        import cv2
        from openslide import OpenSlideError

        if size[0] * size[1] > self.max_pixels:
            raise UnusableImage(
                f"A region of at most {self.max_pixels} pixels was expected. Received: "
                f"path={self.path}, size={size[0]}×{size[1]}. Give a patch size, since "
                "a slide is too large to be one patch, or raise max_pixels."
            )
        try:
            rgba = np.asarray(self._slide.read_region(corner, level, size))
        except (OpenSlideError, OSError) as error:
            raise _damaged(self.path, error) from error
        if rgba[..., 3].min() == 255:
            # Ten times as fast as a copy of rgba[..., :3].
            return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
        return over_white(rgba)


def open_picture(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Open a picture or slide.

    Args:
        path: any file that :func:`~gastric_keras.imaging.images.read_image` reads, or
            a slide.
        max_pixels: most pixels of a picture, or of one region of a slide.

    Raises:
        UnusableImage: neither, damaged, or too large.
        InputError: a slide, and OpenSlide is not installed.
    """
    if is_slide(path):
        return SlidePicture(path, max_pixels=max_pixels)
    data = read_bytes(path)
    pixels = decode_image(data, name=str(path), max_pixels=max_pixels)
    return ArrayPicture(pixels, data=data)


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


def _scaled(length: int, factor: float) -> int:
    return max(1, round(length / factor))


def _overview_shape(shape: tuple[int, int], max_side: int) -> tuple[int, int]:
    factor = max(1.0, max(shape) / max_side)
    return _scaled(shape[0], factor), _scaled(shape[1], factor)


def _shrink(
    pixels: npt.NDArray[np.uint8], shape: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    import cv2

    if pixels.shape[:2] == shape:
        return pixels
    shrunk = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)


def _openslide(path: Path | str) -> Any:
    try:
        import openslide
    except ImportError as error:
        raise InputError(
            "OpenSlide was expected, to read a slide. Received: "
            f"path={path} ({error}). Install the slides extra: "
            "pip install -c constraints.txt -e '.[slides]'."
        ) from error
    return openslide


def _damaged(path: Path | str, error: Exception) -> UnusableImage:
    return UnusableImage(
        "A whole slide that OpenSlide can read was expected. Received: "
        f"path={path} ({type(error).__name__}: {error}). Copy it again from its "
        "source."
    )
