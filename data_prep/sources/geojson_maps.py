"""Outlines of QuPath, in GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources.geometry import clean_area
from gastric_keras.imaging.images import UnusableImage


def read_shapes(path: Path | str) -> Iterator[tuple[str | None, Any]]:
    """Read the outlines of a region map that QuPath 0.2 to 0.5 exported.

    Detections, cells and points or lines are left out. Of a derived class the name
    is "Tumor: Positive", written so by older versions and joined from newer ones.

    Args:
        path: a Feature, a list of them or a FeatureCollection.

    Yields:
        (class name or None, valid shapely Polygon or MultiPolygon in px of the
        full-resolution picture), in file order.

    Raises:
        UnusableImage: not such a file.
    """
    for feature in _features(path):
        if _is_annotation(feature):
            area = _area(feature.get("geometry"), path)
            if not area.is_empty:
                yield _class_name(feature, path), area


def _features(path: Path | str) -> Iterator[dict[str, Any]]:
    try:
        tree = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_geojson(path, str(error)) from error
    if isinstance(tree, dict) and tree.get("type") == "FeatureCollection":
        tree = tree.get("features")
    features = [tree] if isinstance(tree, dict) else tree
    if not isinstance(features, list):
        raise _no_geojson(path, f"a {type(tree).__name__} at the top")
    for feature in features:
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise _no_geojson(path, f"{_excerpt(feature)} instead of a Feature")
        if not isinstance(feature.get("properties") or {}, dict):
            problem = f"properties {_excerpt(feature['properties'])}"
            raise _no_geojson(path, problem)
        yield feature


def _is_annotation(feature: Mapping[str, Any]) -> bool:
    properties = feature.get("properties") or {}
    # QuPath 0.4 and later write objectType, 0.3 object_type, 0.2 the kind as the id.
    kind = properties.get("objectType") or properties.get("object_type")
    identity = str(feature.get("id", ""))
    if kind is None and identity.endswith("Object"):
        return identity == "PathAnnotationObject"
    return kind in (None, "annotation")


def _class_name(feature: Mapping[str, Any], path: Path | str) -> str | None:
    found = (feature.get("properties") or {}).get("classification")
    name = found
    if isinstance(found, dict):
        # QuPath 0.4 and later list the names of a derived class.
        names = found.get("names")
        name = ": ".join(map(str, names)) if isinstance(names, list) else None
        name = name or found.get("name")
    if name is not None and not isinstance(name, str):
        raise _no_geojson(path, f"classification {_excerpt(found)}")
    return name


def _area(geometry: Any, path: Path | str) -> Any:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape as shape_of

    try:
        # Of NaN clean_area makes the error; shapely would warn first.
        with np.errstate(invalid="ignore"):
            return clean_area(shape_of(geometry))
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
        "GeoJSON as QuPath exports it (Feature, list or FeatureCollection) was "
        f"expected. Received: path={path}: {problem}. Export it again."
    )
