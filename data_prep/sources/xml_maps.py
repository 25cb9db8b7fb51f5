"""Outlines of ASAP and of Aperio ImageScope, each in its own XML."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.sources.geometry import clean_area
from gastric_keras.imaging.images import UnusableImage

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: A class name, or None where the annotator gave none, and its area.
Shape = tuple[str | None, Any]

#: ASAP's types without an area.
_ASAP_WITHOUT_AREA = ("dot", "pointset", "measurement", "none")
#: Aperio's Region/@Type; its other numbers (arrow, ruler, …) have no area.
_RECTANGLE = ("1", "rectangle")
_ELLIPSE = ("2", "ellipse")
_APERIO_AREAS = ("0", "polygon", "freehand", *_RECTANGLE, *_ELLIPSE)
#: Corners of a quarter of an ellipse; the area is 0.01 % short.
_QUARTER = 64


def read_shapes(path: Path | str) -> list[Shape]:
    """Read the outlines of a region map in XML; its root element tells the format.

    **ASAP** (``ASAP_Annotations``; github.com/computationalpathologygroup/ASAP): the
    class of an ``Annotation`` is the group that it is ``PartOfGroup``; "None" is
    no class. The corners of a ``Spline`` are joined by straight lines. Dots, point
    sets and measurements have no area and are left out. ASAP knows no holes: they are
    drawn as annotations of a group of their own.

    **Aperio ImageScope** (``Annotations``): the class of an ``Annotation`` is its
    ``Name``, else the value of its attribute "Description", else the name of its
    first other attribute, else ``LineColor`` and the number of the color, such as
    "LineColor 65280". Type 0 is an outline, 1 a rectangle, 2 an ellipse that fills
    the box of its two or four vertices; other types have no area and are left out. A
    region with ``NegativeROA="1"`` is a hole in the larger regions of its annotation.
    HALO writes the same with ``V`` for ``Vertex`` and the types in words.

    Outlines of fewer than three corners have no area and are left out.

    Args:
        path: the file; document types and entities are refused, since a file of a
            few bytes can grow without bound by them.

    Returns:
        (class name or None, valid shapely Polygon or MultiPolygon in px of the
        full-resolution picture), in file order.

    Raises:
        UnusableImage: neither format, cut short, or a corner that is no number.
    """
    root = _parse(path)
    readers: dict[str, Callable[[Element], Iterator[Shape]]] = {
        "ASAP_Annotations": _read_asap,
        "Annotations": _read_aperio,
    }
    if root.tag not in readers:
        raise _no_xml(path, f"root element {root.tag!r}")
    try:
        return list(readers[root.tag](root))
    except ValueError as error:
        raise _no_xml(path, str(error)) from error


def _parse(path: Path | str) -> Element:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    try:
        root: Element = parse(str(path), forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        raise _no_xml(path, f"a document type or entity ({error})") from error
    except (OSError, ParseError, LookupError, ValueError) as error:
        raise _no_xml(path, str(error)) from error
    return root


def _no_xml(path: Path | str, problem: str) -> UnusableImage:
    return UnusableImage(
        "XML as ASAP (ASAP_Annotations) or Aperio ImageScope (Annotations) writes it "
        f"was expected. Received: path={path}: {problem}. Export it again."
    )


def _read_asap(root: Element) -> Iterator[Shape]:
    for annotation in root.iterfind("Annotations/Annotation"):
        kind = annotation.get("Type", "Polygon").lower()
        if kind in _ASAP_WITHOUT_AREA:
            continue
        if kind not in ("polygon", "rectangle", "spline"):
            raise ValueError(f"annotation of Type={annotation.get('Type')!r}")
        corners = list(annotation.iterfind("Coordinates/Coordinate"))
        if all(corner.get("Order") for corner in corners):
            corners.sort(key=lambda corner: _number(corner, "Order"))
        area = _polygon([_point(corner) for corner in corners])
        if not area.is_empty:
            group = annotation.get("PartOfGroup", "").strip()
            yield (None if group in ("", "None") else group), area


def _read_aperio(root: Element) -> Iterator[Shape]:
    for annotation in root.iterfind("Annotation"):
        regions: list[Any] = []
        holes: list[Any] = []
        for region in annotation.iterfind("Regions/Region"):
            area = _region(region)
            if area.is_empty:
                continue
            is_hole = region.get("NegativeROA", "0").lower() in ("1", "true")
            (holes if is_hole else regions).append(area)
        name = _aperio_name(annotation)
        for area in _cut(regions, holes):
            if not area.is_empty:
                yield name, area


def _aperio_name(annotation: Element) -> str | None:
    name = annotation.get("Name", "").strip()
    others = []
    for attribute in annotation.iterfind("Attributes/Attribute"):
        key = attribute.get("Name", "").strip()
        if key.lower() == "description":
            name = name or attribute.get("Value", "").strip()
        elif key:
            others.append(key)
    color = annotation.get("LineColor", "").strip()
    return name or next(iter(others), "") or (f"LineColor {color}" if color else None)


def _region(region: Element) -> Any:
    from shapely import Point, Polygon, affinity, box

    kind = region.get("Type", "0").lower()
    if kind not in _APERIO_AREAS:
        return Polygon()
    points = [
        _point(vertex)
        for vertex in region.iterfind("Vertices/*")
        if vertex.tag in ("Vertex", "V")
    ]
    is_box = (kind in _RECTANGLE and len(points) == 2) or (
        kind in _ELLIPSE and len(points) in (2, 4)
    )
    if not is_box:
        return _polygon(points)
    xs, ys = zip(*points)
    frame = box(min(xs), min(ys), max(xs), max(ys))
    if kind in _ELLIPSE:
        frame = affinity.scale(
            Point(frame.centroid).buffer(1, quad_segs=_QUARTER),
            (max(xs) - min(xs)) / 2,
            (max(ys) - min(ys)) / 2,
        )
    return clean_area(frame)


def _cut(regions: list[Any], holes: list[Any]) -> Iterator[Any]:
    from shapely import STRtree, union_all

    tree = STRtree(holes)
    for region in regions:
        # An island in a hole is smaller than the hole, and stays.
        inner = [
            holes[position]
            for position in tree.query(region)
            if holes[position].area < region.area
        ]
        yield clean_area(region.difference(union_all(inner))) if inner else region


def _polygon(points: list[tuple[float, float]]) -> Any:
    from shapely import Polygon

    return clean_area(Polygon(points if len(points) >= 3 else None))


def _point(element: Element) -> tuple[float, float]:
    return _number(element, "X"), _number(element, "Y")


def _number(element: Element, key: str) -> float:
    text = element.get(key)
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{element.tag} with {key}={text!r}, no finite number")
    return number
