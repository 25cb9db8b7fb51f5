"""A picture that regions are read from, whatever its file is."""

from __future__ import annotations

import abc
from types import TracebackType

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.images import resize


class Picture(abc.ABC):
    """A picture or slide that is open for reading; close it, or use ``with``.

    Attributes:
        shape: (H, W) at full resolution, px.
        mpp: µm per px at full resolution; 0 where the file does not say.
        impossible_mpp: what the file says where no microscope has that scale; else 0.
        is_slide: whether regions are read from the file as they are asked for.
        data: bytes of an ordinary picture's file; None for a slide.
        orientation: 1 to 8: how EXIF said to turn what the file stores; 1 is upright.
        notes: what was assumed of its pixels, see ``stored``.
    """

    shape: tuple[int, int]
    orientation: int = 1
    notes: tuple[str, ...] = ()
    mpp: float = 0.0
    impossible_mpp: float = 0.0
    is_slide: bool = False
    data: bytes | None = None

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """x, y, width, height in px of the part that has pixels."""
        return 0, 0, self.shape[1], self.shape[0]

    def filled(self) -> tuple[npt.NDArray[np.float64], float] | None:
        """Where in its bounds a slide has pixels; None where everywhere.

        Returns:
            (h, w) share of each cell in [0, 1], and how many px one cell spans.
        """
        return None

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
        """Close the file."""

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
        pixels: (H, W, 3) uint8, RGB, upright.
        data: bytes of its file.
        orientation: how they were turned.
        notes: what was assumed of them.
    """

    def __init__(
        self,
        pixels: npt.NDArray[np.uint8],
        *,
        data: bytes | None = None,
        orientation: int = 1,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.pixels = pixels
        self.shape = (pixels.shape[0], pixels.shape[1])
        self.data = data
        self.orientation = orientation
        self.notes = notes

    def read(
        self, x: int, y: int, width: int, height: int, *, size: int | None = None
    ) -> npt.NDArray[np.uint8]:
        region = self.pixels[y : y + height, x : x + width]
        return region if size is None else resize(region, size)

    def overview(self, max_side: int) -> npt.NDArray[np.uint8]:
        return shrink(self.pixels, overview_shape(self.shape, max_side))


def scaled(length: int, factor: float) -> int:
    """A length at another scale, px; at least 1."""
    return max(1, round(length / factor))


def overview_shape(shape: tuple[int, int], max_side: int) -> tuple[int, int]:
    """(h, w) of a picture whose longer side is at most max_side."""
    factor = max(1.0, max(shape) / max_side)
    return scaled(shape[0], factor), scaled(shape[1], factor)


def shrink(
    pixels: npt.NDArray[np.uint8], shape: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """Shrink (H, W) or (H, W, C) uint8 by the mean of areas to a shape of (h, w)."""
    import cv2

    if pixels.shape[:2] == shape:
        return pixels
    shrunk = cv2.resize(pixels, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)
