"""Whether outlines were written at another scale than that of their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.sources.region_maps import draw_regions

#: Factors between a picture and a copy of it, those that tools offer first.
FACTORS = (2, 4, 8, 16, 32, 64, 3, 5, 6, 10, 20, 40)
#: Outlines that end this near to a part of width and height end there by design.
_EXACT = 0.01
#: Least factor that is looked for, and by how much those of width and height differ.
_LEAST, _ASPECT = 1.5, 0.03
#: Outlines that fit share this much with the tissue, those that do not at most that.
_FITS, _FAILS = 0.85, 0.45

Box = tuple[float, float, float, float]
#: Where the tissue lies, and how many px of the picture one px of it spans.
View = tuple[npt.NDArray[np.bool_], float]


def extent_of(areas: Sequence[Any]) -> Box:
    """Left, top, right and bottom of all outlines, px."""
    from shapely import total_bounds

    left, top, right, bottom = total_bounds(np.array(areas, dtype=object)).tolist()
    return left, top, right, bottom


def scaled(area: Any, factor: float, x: float = 0.0, y: float = 0.0) -> Any:
    """An outline, each corner multiplied and then moved."""
    from shapely.affinity import affine_transform

    return affine_transform(area, (factor, 0, 0, factor, x, y))


def share_of(view: View, areas: Sequence[Any]) -> float | None:
    """Share of the outlines that is tissue; None where they are too small to tell."""
    drawn = _drawn(view, areas)
    return float(view[0][drawn].mean()) if drawn.any() else None


def is_in_shares(areas: Sequence[Any]) -> bool:
    """Whether all outlines lie within one px: as shares of width and height do."""
    left, top, right, bottom = extent_of(areas)
    return max(right - left, bottom - top) <= 1


def exact_factor(areas: Sequence[Any], bounds: Box) -> int | None:
    """Factor of a shrunken copy that the outlines fill to its very edges.

    Args:
        areas: outlines, px of the picture.
        bounds: x, y, width, height of the picture.
    """
    left, top, right, bottom = extent_of(areas)
    x, y, width, height = bounds
    for factor in FACTORS:
        wide, high = width / factor, height / factor
        ends = abs(right - x - wide) / wide, abs(bottom - y - high) / high
        starts = abs(left - x) / wide, abs(top - y) / high
        if max(*ends, *starts) <= _EXACT:
            return factor
    return None


def tissue_factor(view: View, areas: Sequence[Any], bounds: Box) -> float | None:
    """Factor by which small outlines in the corner cover the tissue, and all of it.

    The factor is that between the far ends of the tissue and of the outlines. It
    counts where the grown outlines and the tissue are nearly the same pixels, and the
    outlines as they are and the tissue are not.

    Args:
        view: of the tissue.
        areas: outlines, px of the picture.
        bounds: x, y, width, height of the picture.
    """
    mask, downsample = view
    if not mask.any():
        return None
    _, _, right, bottom = extent_of(areas)
    x, y = bounds[:2]
    if right <= x or bottom <= y:
        return None
    far_x, far_y = (np.flatnonzero(mask.any(axis=axis))[-1] + 1 for axis in (0, 1))
    wide = (far_x * downsample - x) / (right - x)
    high = (far_y * downsample - y) / (bottom - y)
    factor = float(np.sqrt(max(wide, 0) * max(high, 0)))
    if factor < _LEAST or abs(wide - high) > _ASPECT * factor:
        return None
    grown = [scaled(area, factor, x * (1 - factor), y * (1 - factor)) for area in areas]
    is_fit = _overlap(view, grown) >= _FITS and _overlap(view, areas) <= _FAILS
    return factor if is_fit else None


def _drawn(view: View, areas: Sequence[Any]) -> npt.NDArray[np.bool_]:
    mask, downsample = view
    small = [(1, scaled(area, 1 / downsample)) for area in areas]
    return draw_regions(small, (mask.shape[0], mask.shape[1])) > 0


def _overlap(view: View, areas: Sequence[Any]) -> float:
    """Jaccard index of outlines and tissue."""
    drawn = _drawn(view, areas)
    return float((drawn & view[0]).sum() / max(1, (drawn | view[0]).sum()))
