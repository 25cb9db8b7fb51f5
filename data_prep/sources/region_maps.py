"""Region maps: QuPath GeoJSON, ASAP and Aperio XML, label-mask PNG to one map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config.sources import WhiteConfig
from data_prep.sources import geojson_maps as geojson_annotations
from data_prep.sources import xml_maps as xml_annotations
from data_prep.sources.geometry import draw_polygon, polygons_of
from gastric_keras.imaging.images import MAX_PIXELS, UnusableImage
from gastric_keras.imaging.labels import read_labels
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import snippet

#: Written in a mapping instead of a class: leave these regions out.
IGNORE = "ignore"
#: Written in a mapping instead of a class: cut these regions out of the others.
HOLE = "hole"
#: The name under which regions without a classification are mapped.
UNCLASSIFIED = "unclassified"
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
        unannotated: class of the pixels that no annotation covers.

    Returns:
        (H, W) uint8: 0 is not annotated, 1…n are the classes in order.

    Raises:
        UnusableImage: this map is unreadable or has another size.
        InputError: a class or value that no mapping explains.
    """
    if is_label_mask(path):
        # As large as its picture, whose own limit may have been raised.
        limit = max(MAX_PIXELS, shape[0] * shape[1])
        values = read_labels(path, max_pixels=limit)
        class_map = _map_values(values, mask_values or {}, classes=classes, path=path)
    else:
        regions = read_regions(path, classes=classes, labels=labels or {})
        class_map = draw_regions(regions, shape)
    if class_map.shape != tuple(shape):
        raise UnusableImage(
            f"A label mask of {shape[1]}×{shape[0]} px like its picture was expected. "
            f"Received: path={path}, size={class_map.shape[1]}×{class_map.shape[0]}. "
            "Export it at full resolution."
        )
    if unannotated is not None:
        class_map[class_map == 0] = class_number(unannotated, classes)
    return class_map


def class_number(
    name: str, classes: Sequence[str], labels: Mapping[str, str] | None = None
) -> int:
    """Number of a class, 1…n, by its name in the data; 0 where it is ignored.

    Raises:
        InputError: no class of that name and no mapping to one.
    """
    known = {entry.lower(): number for number, entry in enumerate(classes, start=1)}
    mapping = {key.strip().lower(): value for key, value in (labels or {}).items()}
    name = name.strip()
    mapped = mapping.get(name.lower(), name)
    if mapped == IGNORE:
        return 0
    if mapped.lower() not in known:
        raise InputError(
            f"A class among {', '.join(classes)} was expected. Received: "
            f"class={name!r}"
            + (f" mapped to {mapped!r}. " if mapped != name else ". ")
            + f"Map it in the config, {snippet(labels={name: classes[0]})}, or leave "
            f"it out, {snippet(labels={name: IGNORE})}."
        )
    return known[mapped.lower()]


def is_label_mask(path: Path | str) -> bool:
    """Whether a region map is a picture of labels, by its name; else it is outlines."""
    return Path(path).suffix.lower() not in OUTLINE_SUFFIXES


def read_regions(
    path: Path | str, *, classes: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[int, Any]]:
    """Read the outlines of a region map: QuPath's GeoJSON, ASAP's or Aperio's XML.

    Points and lines, which have no area, are left out. What else is read of each
    format: :func:`data_prep.geojson_annotations.read_shapes`,
    :func:`data_prep.xml_annotations.read_shapes`.

    Args:
        path: ``.xml``; all else is read as GeoJSON: a Feature, a list of them or a
            FeatureCollection.
        classes: class names, in label order.
        labels: name in the file -> class, ``ignore``, or ``hole``, which cuts out
            of the regions that it lies in.

    Returns:
        (class number, valid shapely Polygon or MultiPolygon, px) in file order; a
        hole is number 0.

    Raises:
        UnusableImage: not such a file.
        InputError: an unknown class; the message says in which file.
    """
    is_xml = Path(path).suffix.lower() == ".xml"
    shapes = (xml_annotations if is_xml else geojson_annotations).read_shapes(path)
    holes = {name.lower() for name, value in labels.items() if value == HOLE}
    regions = []
    for found, area in shapes:
        name = found or UNCLASSIFIED
        if name.lower() in holes:
            regions.append((0, area))
            continue
        try:
            number = class_number(name, classes, labels)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if number:
            regions.append((number, area))
    return regions


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
) -> ClassMap:
    found, inverse = np.unique(values, return_inverse=True)
    unknown = [str(value) for value in found if int(value) not in mapping]
    if unknown:
        raise InputError(
            "A label mask with the values "
            f"{', '.join(map(str, sorted(mapping))) or '(none mapped)'} was expected. "
            f"Received: path={path}, values={', '.join(unknown[:8])}. Map them in the "
            f"config, mask_values: {{{unknown[0]}: {classes[0]}}}, or leave them out, "
            f"mask_values: {{{unknown[0]}: {IGNORE}}}."
        )
    numbers = [class_number(mapping[int(value)], classes) for value in found]
    return np.array(numbers, np.uint8)[inverse.reshape(values.shape)]


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
