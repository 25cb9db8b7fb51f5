"""Outlines of QuPath, in GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources.geometry import clean_area, ellipse_in
from data_prep.sources.outlines import Outline, Outlines
from gastric_keras.imaging.images import UnusableImage

#: QuPath's types of objects that are no annotations, in the spelling of each version.
_OTHER_OBJECTS = {
    "detection": "detection",
    "pathdetectionobject": "detection",
    "cell": "cell",
    "pathcellobject": "cell",
    "tile": "tile",
    "pathtileobject": "tile",
    "tmacore": "core of a TMA",
    "tma_core": "core of a TMA",
    "tmacoreobject": "core of a TMA",
}
#: The object that holds all others; it stands for the picture.
_ROOT = ("root", "pathrootobject")
#: GeoJSON's types without an area.
_WITHOUT_AREA = {
    "Point": "point",
    "MultiPoint": "point",
    "LineString": "line",
    "MultiLineString": "line",
}


def read_outlines(path: Path | str) -> Outlines:
    """Read the outlines of a region map that QuPath 0.2 to 0.6 exported.

    Annotations count, and so do those inside others, however deep (``childObjects``,
    ``children``, a hierarchy with its ``root``, cores of a TMA). As in QuPath, an
    object of no or an unknown type is an annotation, and ``isEllipse`` makes an
    ellipse that fills the box of the coordinates. Detections, cells, tiles, cores,
    points, lines and outlines on another plane than z=0, t=0 are passed over and
    counted. Of a derived class the name is "Tumor: Positive", written so by older
    versions and joined from newer ones.

    Args:
        path: a Feature, a list of them, a FeatureCollection or a hierarchy.

    Returns:
        The outlines in px of the full-resolution picture as QuPath shows it.

    Raises:
        UnusableImage: not such a file.
    """
    found = Outlines()
    for feature in _features(path):
        properties = feature.get("properties") or {}
        kind = _object_type(feature, properties)
        found.counts_from_bounds |= _is_qupath(properties, kind)
        if kind in _ROOT:
            continue
        other = _OTHER_OBJECTS.get(kind) or _without_place(feature.get("geometry"))
        if other:
            found.passed_over[other] += 1
            continue
        area = _area(feature.get("geometry"), path)
        if area.is_empty:
            found.passed_over["outline without an area"] += 1
            continue
        texts = (properties.get("name"), properties.get("type"))
        found.outlines.append(
            Outline(
                _class_name(properties, path),
                area,
                tuple(text for text in texts if isinstance(text, str)),
            )
        )
    return found


def _features(path: Path | str) -> Iterator[dict[str, Any]]:
    """Every Feature of the file, each before its children."""
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_geojson(path, str(error)) from error
    if isinstance(tree, dict) and isinstance(tree.get("root"), dict):
        tree = tree["root"]
    # A stack and not recursion: children may be nested as deep as the file likes.
    waiting = _listed(tree, path)[::-1]
    while waiting:
        feature = waiting.pop()
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise _no_geojson(path, f"{_excerpt(feature)} instead of a Feature")
        properties = feature.get("properties") or {}
        if not isinstance(properties, dict):
            raise _no_geojson(path, f"properties {_excerpt(properties)}")
        yield feature
        for place in (properties, feature):
            for name in ("children", "childObjects"):
                if place.get(name):
                    waiting += _listed(place[name], path)[::-1]


def _listed(tree: Any, path: Path | str) -> list[Any]:
    if isinstance(tree, dict) and tree.get("type") == "FeatureCollection":
        tree = tree.get("features")
    features = [tree] if isinstance(tree, dict) else tree
    if not isinstance(features, list):
        raise _no_geojson(path, f"a {type(tree).__name__} instead of Features")
    return features


def _object_type(feature: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    # QuPath 0.4 and later write objectType, 0.3 object_type, 0.2 the type as the id.
    kind = properties.get("objectType") or properties.get("object_type")
    identity = feature.get("id")
    if kind is None and isinstance(identity, str) and identity.endswith("Object"):
        kind = identity
    return str(kind or properties.get("type") or "").lower()


def _is_qupath(properties: Mapping[str, Any], kind: str) -> bool:
    known = kind in _OTHER_OBJECTS or kind in _ROOT or "annotation" in kind
    return known or isinstance(properties.get("classification"), dict)


def _without_place(geometry: Any) -> str:
    """Kind of a geometry that marks no area on the plane that is read, else ""."""
    if geometry is None:
        return "object without a place"
    if not isinstance(geometry, dict):
        return ""
    plane = geometry.get("plane")
    if isinstance(plane, dict):
        # c is a channel: it has the same place as all others.
        at = [f"{axis}={plane[axis]}" for axis in "zt" if plane.get(axis)]
        if at:
            return f"outline at {', '.join(at)}"[:60]
    return _WITHOUT_AREA.get(str(geometry.get("type")), "")


def _class_name(properties: Mapping[str, Any], path: Path | str) -> str | None:
    found = properties.get("classification")
    name = found
    if isinstance(found, dict):
        # QuPath 0.4 and later list the names of a derived class.
        names = found.get("names")
        name = ": ".join(map(str, names)) if isinstance(names, list) else None
        name = name or found.get("name")
    if name is not None and not isinstance(name, str):
        raise _no_geojson(path, f"classification {_excerpt(found)}")
    return (name or "").strip() or None


def _area(geometry: Any, path: Path | str) -> Any:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape as shape_of

    try:
        # Of NaN clean_area makes the error; shapely would warn first.
        with np.errstate(invalid="ignore"):
            shape = shape_of(geometry)
            area = clean_area(shape)
            is_ellipse = geometry.get("isEllipse") is True and not shape.is_empty
            return ellipse_in(shape.bounds) if is_ellipse else area
    except (ShapelyError, LookupError, TypeError, ValueError) as error:
        raise _no_geojson(path, f"geometry {_excerpt(geometry)}: {error}") from error
    except (AttributeError, RecursionError) as error:
        raise _no_geojson(path, f"geometry {_excerpt(geometry)}: {error}") from error


def _excerpt(value: Any) -> str:
    try:
        return repr(str(value)[:60])
    except RecursionError:
        return f"a {type(value).__name__} nested too deep"


def _no_geojson(path: Path | str, problem: str) -> UnusableImage:
    return UnusableImage(
        "A .geojson or .json region map must be GeoJSON as QuPath exports it (Feature, "
        f"list or FeatureCollection), got {path}: {problem}. Export it again."
    )
