"""Pictures that look alike: turned, flipped, compressed again or mildly resized.

Each patch becomes a grey thumbnail; a short fingerprint of it, the same for all eight
flips and right-angle turns, finds the candidates, and the thumbnails decide. The
limits were measured on real patches, see docs/LEAKS.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Array = npt.NDArray[np.float32]

#: Side of a thumbnail, px.
THUMBNAIL = 32
#: A thumbnail whose grey levels deviate less than this is flat: bare glass is like
#: any other bare glass, and what JPEG leaves of it is mostly JPEG.
MIN_DEVIATION = 4.0
#: Candidates lie nearer than this (copies of EBHI patches: 0.10 at most).
RADIUS = 0.15
#: Copies correlate more than this (0.97 at least). Other patches of real pictures reach
#: 0.70, small patches of the phantom, a border and little else, 0.92.
MIN_CORRELATION = 0.95
#: Largest difference of the mean R, G or B; compression moves it by less than 2.
MAX_COLOR = 12.0

#: Frequencies u + v up to this make the fingerprint: 20 numbers.
_HIGHEST = 5
#: Deviation in px of the blur that is taken off before thumbnails are compared:
#: two borders of tissue and glass are alike in the large, never in detail.
_BLUR = 2.0
#: Candidates of one patch; the copy is the first or among the first.
_NEIGHBORS = 8
_CHUNK = 2048
#: Patches that the principal axes are taken of, about.
_AXES_OF = 20_000


class Alike(NamedTuple):
    """Two pictures that look alike: row in one side, row in the other, how much."""

    first: int
    second: int
    correlation: float


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """What the comparison needs of N patches.

    Attributes:
        thumbnails: (N, 32, 32) uint8, grey.
        colors: (N, 3) float32, mean R, G, B in [0, 255].
    """

    thumbnails: npt.NDArray[np.uint8]
    colors: Array

    @cached_property
    def is_flat(self) -> npt.NDArray[np.bool_]:
        """(N,) bool: nearly blank, so that there is no picture to compare."""
        # In chunks: the deviation of all at once takes 16 bytes a pixel, of all.
        chunks = _chunks(self.thumbnails)
        deviations = [np.zeros(0), *(chunk.std(axis=(1, 2)) for chunk in chunks)]
        return np.concatenate(deviations) < MIN_DEVIATION

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """Rows of the pictures that are compared."""
        return np.flatnonzero(~self.is_flat)

    @cached_property
    def prints(self) -> Array:
        """Fingerprints of ``rows``."""
        # In chunks: the rows of all at once are a second copy of the thumbnails.
        parts = [fingerprint(self.thumbnails[rows]) for rows in _chunks(self.rows)]
        return np.concatenate([fingerprint(self.thumbnails[:0]), *parts])

    @cached_property
    def axes(self) -> Array:
        """(20, 20) float32: the fingerprints' principal axes, the longest first.

        A turn of the axes changes no distance. A tree that splits along the longest
        leaves more branches out: a third less time.
        """
        part = self.prints[:: max(1, len(self.prints) // _AXES_OF)]
        moved = (part - part.mean(axis=0)).astype(np.float64)
        return np.linalg.eigh(moved.T @ moved)[1][:, ::-1].astype(np.float32)

    @cached_property
    def tree(self) -> cKDTree:
        """The fingerprints along ``axes``, ready to be searched."""
        from scipy.spatial import cKDTree

        return cKDTree(self.prints @ self.axes, balanced_tree=False)


def no_pictures() -> Pictures:
    """Of no patch at all."""
    return Pictures(
        np.zeros((0, THUMBNAIL, THUMBNAIL), np.uint8), np.zeros((0, 3), np.float32)
    )


def shrink(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB to its grey thumbnail, (32, 32) uint8, of area means."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = (THUMBNAIL, THUMBNAIL)
    return np.rint(cv2.resize(grey, size, interpolation=cv2.INTER_AREA)).astype(
        np.uint8
    )


def mean_color(pixels: npt.NDArray[np.uint8]) -> Array:
    """(H, W, 3) uint8 to (3,) float32."""
    return pixels.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)


def fingerprint(thumbnails: npt.NDArray[np.uint8]) -> Array:
    """Describe pictures by numbers that no flip and no right-angle turn changes.

    Of the 2-D cosine transform c of a square, a flip changes signs only and a
    transposition swaps c_uv and c_vu. So |c_uv| + |c_vu| and ||c_uv| - |c_vu|| stay
    as they are under all eight; the mean (u = v = 0) is left out and the length made
    1, so that brightness and contrast do not count either.

    Args:
        thumbnails: (N, 32, 32) uint8.

    Returns:
        (N, 20) float32, rows of length 1; a blank picture gives zeros.
    """
    from scipy.fft import dctn

    prints = []
    for chunk in _chunks(thumbnails):
        waves = np.abs(dctn(chunk.astype(np.float32), axes=(1, 2), norm="ortho"))
        prints.append(np.stack(list(_invariants(waves)), axis=1))
    if not prints:
        return np.zeros((0, 20), np.float32)
    values = np.concatenate(prints)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return (values / np.maximum(length, 1e-3)).astype(np.float32)


def eight_ways(thumbnails: Array) -> Iterator[Array]:
    """(N, S, S) turned by 0, 90, 180 and 270 degrees, each as it is and mirrored."""
    for quarter in range(4):
        turned = np.rot90(thumbnails, quarter, axes=(1, 2))
        yield turned
        yield turned[:, :, ::-1]


def correlate(
    first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """How alike pictures are in detail, whichever way they are turned.

    Args:
        first: (N, 32, 32) uint8 thumbnails.
        second: the same number.

    Returns:
        (N,) float32: the largest of eight Pearson correlations, without what is
        coarser than a blur of 2 px.
    """
    left, right = _details(first), _details(second)
    best = np.full(len(left), -1, np.float32)
    for turned in eight_ways(right):
        np.maximum(best, np.einsum("nij,nij->n", left, turned), out=best)
    return best


def find_alike(first: Pictures, second: Pictures) -> list[Alike]:
    """Find the patches of two sides that show the same picture.

    Each patch of the second side is compared with its nearest eight of the first only,
    sought ``_CHUNK`` patches at a time so that memory does not grow with the pairs.
    Flat patches take no part. Time: docs/LEAKS.md.

    Args:
        first: one side.
        second: the other.

    Returns:
        Those alike, best first.
    """
    if not len(first.rows) or not len(second.rows):
        return []
    found: list[Alike] = []
    for start in range(0, len(second.rows), _CHUNK):
        distances, places = first.tree.query(
            second.prints[start : start + _CHUNK] @ first.axes,
            k=_NEIGHBORS,
            distance_upper_bound=RADIUS,
            workers=-1,
        )
        which, rank = np.nonzero(np.isfinite(distances))
        left = first.rows[places[which, rank]]
        right = second.rows[start + which]
        found += _look_again(first, second, left, right)
    return sorted(found, key=lambda alike: (-alike.correlation, alike))


def _look_again(
    first: Pictures,
    second: Pictures,
    left: npt.NDArray[np.int64],
    right: npt.NDArray[np.int64],
) -> Iterator[Alike]:
    """Those of the candidates whose colors and thumbnails agree."""
    moved = np.abs(first.colors[left] - second.colors[right]).max(axis=1)
    left, right = left[moved <= MAX_COLOR], right[moved <= MAX_COLOR]
    for start in range(0, len(left), _CHUNK):
        i, j = left[start : start + _CHUNK], right[start : start + _CHUNK]
        best = correlate(first.thumbnails[i], second.thumbnails[j])
        for row in np.flatnonzero(best >= MIN_CORRELATION):
            yield Alike(int(i[row]), int(j[row]), float(best[row]))


def _chunks(rows: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _invariants(waves: Array) -> Iterator[Array]:
    for total in range(1, _HIGHEST + 1):
        for u in range(total // 2 + 1):
            first, second = waves[:, u, total - u], waves[:, total - u, u]
            if u == total - u:
                yield first
            else:
                # Divided by √2, a pair keeps its length.
                yield (first + second) / np.float32(2**0.5)
                yield np.abs(first - second) / np.float32(2**0.5)


def _details(thumbnails: npt.NDArray[np.uint8]) -> Array:
    """(N, 32, 32) float32 without the coarse, mean 0, length 1."""
    from scipy.ndimage import gaussian_filter

    grey = thumbnails.astype(np.float32)
    detail = grey - gaussian_filter(grey, (0, _BLUR, _BLUR), mode="reflect")
    detail -= detail.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.einsum("nij,nij->n", detail, detail))
    return detail / np.maximum(length, 1e-3)[:, None, None]
