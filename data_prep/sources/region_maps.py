"""Region maps: QuPath GeoJSON, ASAP and Aperio XML, label-mask PNG to one map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config.sources import WhiteConfig
from data_prep.sources.class_names import (
    IGNORE,
    NO_CLASS,
    NOTHING,
    class_number,
)
from data_prep.sources.geometry import draw_polygon, polygons_of
from data_prep.sources.regions import Regions, read_regions
from gastric_keras.imaging.images import MAX_PIXELS, UnusableImage
from gastric_keras.imaging.labels import read_labels
from gastric_keras.support.errors import InputError

#: Region maps that hold outlines; all others are label masks.
OUTLINE_SUFFIXES = (".geojson", ".json", ".xml")

ClassMap = npt.NDArray[np.uint8]


def read_class_map(
    path: Path | str,
    shape: tuple[int, int],
    *,
    classes: Sequence[str],
    labels: Mapping[str, str] | None = None,
    mask_values: Mapping[int, str] | None = None,
    unannotated: str | None = None,
) -> ClassMap:
    """Read the region map of one picture.

    Args:
        path: ``.geojson`` or ``.json`` as QuPath exports it, ``.xml`` of ASAP or
            Aperio ImageScope; else a label mask.
        shape: (H, W) of the picture, px.
        classes: class names, in label order.
        labels: name in the file -> class, ``ignore`` or ``hole``; names that equal
            a class but for capitals need no entry.
        mask_values: value of the label mask -> class or ``ignore``.
        unannotated: class of the pixels that no annotation covers; what is ignored
            is covered, and of no class.

    Returns:
        (H, W) uint8: 0 is not annotated, 1…n are the classes in order.

    Raises:
        UnusableImage: this map is unreadable or has another size.
        InputError: a class or value that no mapping explains.
    """
    if is_label_mask(path):
        drawn, _ = read_label_map(
            path, shape, classes=classes, mask_values=mask_values or {}
        )
    else:
        regions = read_regions(path, classes=classes, labels=labels or {})
        drawn = mark_regions(regions, shape)
    return settle(drawn, unannotated, classes)


def read_label_map(
    path: Path | str,
    shape: tuple[int, int],
    *,
    classes: Sequence[str],
    mask_values: Mapping[int, str],
    bounds: tuple[int, int, int, int] | None = None,
) -> tuple[ClassMap, Counter[str]]:
    """Read a label mask as the class of each pixel.

    Args:
        path: of the mask.
        shape: (H, W) of the picture, px.
        classes: class names, in label order.
        mask_values: value of the mask -> class or ``ignore``.
        bounds: x, y, width, height of the part of a slide that has pixels; a mask of
            its size, as QuPath exports it, is placed there.

    Returns:
        (H, W) uint8, for ``settle``; how many pixels of the mask have each value.

    Raises:
        UnusableImage: this mask is unreadable or has another size.
        InputError: a value that mask_values does not explain.
    """
    # As large as its picture, whose own limit may have been raised.
    limit = max(MAX_PIXELS, shape[0] * shape[1])
    values = read_labels(path, max_pixels=limit, known=mask_values)
    drawn, met = _map_values(values, mask_values, classes=classes, path=path)
    return _at_full_size(drawn, shape, bounds=bounds, path=path), met


def _at_full_size(
    drawn: ClassMap,
    shape: tuple[int, int],
    *,
    bounds: tuple[int, int, int, int] | None,
    path: Path | str,
) -> ClassMap:
    if drawn.shape == tuple(shape):
        return drawn
    x, y, width, height = bounds or (0, 0, 0, 0)
    if drawn.shape != (height, width):
        raise UnusableImage(
            f"A label mask must have the size of its picture, {shape[1]}×{shape[0]} "
            f"px, got {path} of {drawn.shape[1]}×{drawn.shape[0]}. Export it at full "
            "resolution."
        )
    whole = np.full(shape, NOTHING, np.uint8)
    whole[y : y + height, x : x + width] = drawn
    return whole


def settle(
    marked: ClassMap, unannotated: str | None, classes: Sequence[str]
) -> ClassMap:
    """Class map of what was marked: 0 is not annotated, 1…n are the classes.

    Args:
        marked: (H, W) uint8, with ``NO_CLASS`` where no class may be; changed.
        unannotated: class of the pixels that nothing covers; None: they have none.
        classes: class names, in label order.
    """
    if unannotated:
        marked[marked == NOTHING] = class_number(unannotated, classes)
    marked[marked == NO_CLASS] = NOTHING
    return marked


def is_label_mask(path: Path | str) -> bool:
    """Whether a region map is a picture of labels, by its name; else it is outlines."""
    return Path(path).suffix.lower() not in OUTLINE_SUFFIXES


def mark_regions(
    regions: Regions, shape: tuple[int, int], *, offset: tuple[int, int] = (0, 0)
) -> ClassMap:
    """Draw all outlines of a file on an empty map; for :func:`settle`.

    Args:
        regions: of the file.
        shape: (H, W) of the window.
        offset: (x, y) of the window's left top in the picture, px.

    Returns:
        (H, W) uint8 as :func:`draw_regions`, with ``NO_CLASS`` where an outline was
        ignored and no other lies.
    """
    marked = draw_regions(regions.drawn, shape, offset=offset)
    if regions.left_out:
        ignored = [(NO_CLASS, area) for area in regions.left_out]
        is_left_out = draw_regions(ignored, shape, offset=offset) == NO_CLASS
        marked[is_left_out & (marked == NOTHING)] = NO_CLASS
    return marked


def draw_regions(
    regions: Sequence[tuple[int, Any]],
    shape: tuple[int, int],
    *,
    offset: tuple[int, int] = (0, 0),
) -> ClassMap:
    """Draw regions on an empty map; where two overlap, the smaller one shows.

    A gland drawn inside a large stroma region is thus epithelium, whatever the order
    of the file; of two equal areas the later shows. A pixel belongs to a region when
    its center does; holes are not part of their region. Windows of a picture, drawn
    one by one and put together, equal the whole.

    Args:
        regions: (class number, shapely Polygon or MultiPolygon), px of the picture;
            number 0 cuts out.
        shape: (H, W) of the window.
        offset: (x, y) of the window's left top in the picture, px.

    Returns:
        (H, W) uint8: 0 is not annotated.
    """
    class_map = np.zeros(shape, np.uint8)
    inside = _touching([area for _, area in regions], shape, offset)
    # sorted() is stable: equal areas keep the order of the file.
    for index in sorted(inside, key=lambda index: -regions[index][1].area):
        number, area = regions[index]
        polygons = list(polygons_of(area))
        for part in _touching(polygons, shape, offset):
            draw_polygon(class_map, polygons[part], number, offset=offset)
    return class_map


def apply_white_rule(
    class_map: ClassMap,
    image: npt.NDArray[np.uint8],
    rule: WhiteConfig,
    *,
    classes: Sequence[str],
) -> ClassMap:
    """Give the white pixels of some classes to another class.

    Args:
        class_map: (H, W) uint8.
        image: (H, W, 3) uint8 RGB.
        rule: which classes, which class, and what is white.
        classes: class names, in label order.

    Returns:
        (H, W) uint8, a new map.
    """
    import cv2

    # White is bright in every channel: the darkest of the three tells.
    darkest = cv2.blur(image, (rule.smoothing, rule.smoothing)).min(axis=2)
    numbers = [class_number(name, classes) for name in rule.classes]
    is_changed = np.isin(class_map, numbers) & (darkest >= rule.min_value)
    return np.where(is_changed, class_number(rule.becomes, classes), class_map).astype(
        np.uint8
    )


def _map_values(
    values: npt.NDArray[np.int64],
    mapping: Mapping[int, str],
    *,
    classes: Sequence[str],
    path: Path | str,
) -> tuple[ClassMap, Counter[str]]:
    """The class map of a label mask, and how many pixels have each value."""
    found, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    unknown = [str(value) for value in found if int(value) not in mapping]
    if unknown:
        raise InputError(
            "The values of a label mask must be among those of mask_values, "
            f"{', '.join(map(str, sorted(mapping))) or 'where none is mapped'}, got "
            f"{path} with {', '.join(unknown[:8])}. Map them in the config, "
            f"mask_values: {{{unknown[0]}: {classes[0]}}}, or leave them out, "
            f"mask_values: {{{unknown[0]}: {IGNORE}}}."
        )
    # An ignored value is annotated, as of no class.
    numbers = [class_number(mapping[int(v)], classes) or NO_CLASS for v in found]
    class_map = np.array(numbers, np.uint8)[inverse.reshape(values.shape)]
    return class_map, Counter(dict(zip(map(str, found), counts.tolist())))


def _touching(
    areas: Sequence[Any], shape: tuple[int, int], offset: tuple[int, int]
) -> list[int]:
    """Positions of the areas whose bounds meet the window."""
    from shapely import bounds

    if not areas:
        return []
    left, top, right, bottom = bounds(np.array(areas, dtype=object)).T
    (x, y), (height, width) = offset, shape
    meets = (left < x + width) & (right > x) & (top < y + height) & (bottom > y)
    return np.flatnonzero(meets).tolist()
