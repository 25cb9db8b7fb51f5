"""Region maps: QuPath GeoJSON and label-mask PNG to one map of classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config import WhiteConfig
from data_prep.images import UnusableImage, read_labels
from gastric_keras.errors import InputError

#: Written in a mapping instead of a class: leave these regions out.
IGNORE = "ignore"
#: The name under which regions without a classification are mapped.
UNCLASSIFIED = "unclassified"

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
        path: ``.geojson`` or ``.json`` as QuPath exports it; else a label mask.
        shape: (H, W) of the picture, px.
        classes: class names, in label order.
        labels: name in the GeoJSON -> class or ``ignore``; names that equal a class
            but for capitals need no entry.
        mask_values: value of the label mask -> class or ``ignore``.
        unannotated: class of the pixels that no annotation covers.

    Returns:
        (H, W) uint8: 0 is not annotated, 1…n are the classes in order.

    Raises:
        UnusableImage: this map is unreadable or has another size.
        InputError: a class or value that no mapping explains.
    """
    if Path(path).suffix.lower() in (".geojson", ".json"):
        class_map = draw_regions(
            read_geojson(path, classes=classes, labels=labels or {}), shape
        )
    else:
        class_map = _map_values(
            read_labels(path), mask_values or {}, classes=classes, path=path
        )
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
    mapping = {key.lower(): value for key, value in (labels or {}).items()}
    mapped = mapping.get(name.lower(), name)
    if mapped == IGNORE:
        return 0
    if mapped.lower() not in known:
        raise InputError(
            f"A class among {', '.join(classes)} was expected. Received: "
            f"class={name!r}"
            + (f" mapped to {mapped!r}. " if mapped != name else ". ")
            + f"Map it in the config, labels: {{{name}: {classes[0]}}}, or leave it "
            f"out, labels: {{{name}: {IGNORE}}}."
        )
    return known[mapped.lower()]


def read_geojson(
    path: Path | str, *, classes: Sequence[str], labels: Mapping[str, str]
) -> list[tuple[int, Any]]:
    """Read QuPath's annotations: a Feature, a list of them or a FeatureCollection.

    Detections and cells are no region maps and are left out, as are points and
    lines, which have no area.

    Args:
        path: the file.
        classes: class names, in label order.
        labels: name in the file -> class or ``ignore``.

    Returns:
        (class number, valid shapely Polygon or MultiPolygon) in file order.

    Raises:
        UnusableImage: not GeoJSON.
        InputError: an unknown class; the message says in which file.
    """
    regions = []
    for feature in _features(path):
        properties = feature.get("properties") or {}
        if properties.get("objectType", "annotation") != "annotation":
            continue
        name = (properties.get("classification") or {}).get("name") or UNCLASSIFIED
        try:
            number = class_number(name, classes, labels)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if not number:
            continue
        shape = _area(feature.get("geometry"), path)
        if not shape.is_empty:
            regions.append((number, shape))
    return regions


def draw_regions(
    regions: Sequence[tuple[int, Any]], shape: tuple[int, int]
) -> ClassMap:
    """Draw regions on an empty map; where two overlap, the smaller one shows.

    A gland drawn inside a large stroma region is thus epithelium, whatever the order
    of the file; of two equal areas the later shows. A pixel belongs to a region when
    its center does; holes are not part of their region.

    Args:
        regions: (class number, shapely Polygon or MultiPolygon), px.
        shape: (H, W).

    Returns:
        (H, W) uint8: 0 is not annotated.
    """
    class_map = np.zeros(shape, np.uint8)
    # sorted() is stable: equal areas keep the order of the file.
    for number, region in sorted(regions, key=lambda item: -item[1].area):
        for polygon in _polygons(region):
            rings = [np.asarray(polygon.exterior.coords)]
            rings += [np.asarray(ring.coords) for ring in polygon.interiors]
            _fill(class_map, rings, number)
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


def _features(path: Path | str) -> Iterator[dict[str, Any]]:
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _no_geojson(path, str(error)) from error
    if isinstance(tree, dict) and tree.get("type") == "FeatureCollection":
        tree = tree.get("features")
    features = [tree] if isinstance(tree, dict) else tree
    if not isinstance(features, list):
        raise _no_geojson(path, f"a {type(tree).__name__} at the top")
    for feature in features:
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise _no_geojson(path, f"{str(feature)[:60]!r} instead of a Feature")
        yield feature


def _area(geometry: Any, path: Path | str) -> Any:
    from shapely import Polygon, make_valid, union_all
    from shapely.errors import ShapelyError
    from shapely.geometry import shape as shape_of

    try:
        area = shape_of(geometry)
    except (ShapelyError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_geojson(path, f"geometry {str(geometry)[:60]!r}: {error}") from error
    if not area.is_valid:
        # Hand-drawn outlines cross themselves; their loops are kept.
        area = make_valid(area)
    polygons = list(_polygons(area))
    if len(polygons) == 1:
        return polygons[0]
    return union_all(polygons) if polygons else Polygon()


def _polygons(area: Any) -> Iterator[Any]:
    if area.geom_type == "Polygon":
        yield area
    for part in getattr(area, "geoms", ()):
        yield from _polygons(part)


def _no_geojson(path: Path | str, problem: str) -> UnusableImage:
    return UnusableImage(
        "GeoJSON as QuPath exports it (Feature, list or FeatureCollection) was "
        f"expected. Received: path={path}: {problem}. Export it again."
    )


def _fill(class_map: ClassMap, rings: Sequence[npt.NDArray[Any]], number: int) -> None:
    """Even-odd scan-line fill of one polygon by the centers of the pixels.

    Neighbors that share an edge neither overlap nor leave a gap, which the fills of
    cv2 and Pillow, fat by half a pixel, do not hold.
    """
    height, width = class_map.shape
    start = np.concatenate([ring[:-1, :2] for ring in rings])
    end = np.concatenate([ring[1:, :2] for ring in rings])
    low = np.minimum(start[:, 1], end[:, 1])
    high = np.maximum(start[:, 1], end[:, 1])
    # Rows whose center line y + 0.5 an edge crosses: low <= y + 0.5 < high.
    first = np.clip(np.ceil(low - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(high - 0.5), 0, height).astype(np.int64)
    rows_of_edge = last - first
    if not rows_of_edge.any():
        return
    edge = np.repeat(np.arange(len(first)), rows_of_edge)
    step = np.arange(len(edge)) - np.repeat(
        rows_of_edge.cumsum() - rows_of_edge, rows_of_edge
    )
    rows = first[edge] + step
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
    columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(np.int64)
    top, bottom = rows.min(), rows.max() + 1
    left = columns.min()
    toggles = np.zeros((bottom - top, columns.max() - left + 1), np.uint8)
    np.bitwise_xor.at(toggles, (rows - top, columns - left), 1)
    inside = np.bitwise_xor.accumulate(toggles, axis=1)[:, :-1].astype(bool)
    class_map[top:bottom, left : columns.max()][inside] = number
