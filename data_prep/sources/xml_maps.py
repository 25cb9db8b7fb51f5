"""Outlines of ASAP and of Aperio ImageScope, each in its own XML."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.sources.geometry import clean_area, ellipse_in
from data_prep.sources.outlines import Outline, Outlines
from gastric_keras.imaging.images import UnusableImage

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: ASAP's types without an area.
_ASAP_WITHOUT_AREA = {
    "dot": "point",
    "pointset": "point",
    "measurement": "line",
    "none": "annotation of no type",
}
#: Aperio's Region/@Type, as ImageScope numbers and HALO spells it.
_RECTANGLE = ("1", "rectangle")
_ELLIPSE = ("2", "ellipse")
_APERIO_AREAS = ("0", "polygon", "freehand", *_RECTANGLE, *_ELLIPSE)
_IDLE_HOLE = "hole outside the regions of its layer"
_APERIO_WITHOUT_AREA = {
    "3": "arrow",
    "arrow": "arrow",
    "4": "line",
    "ruler": "line",
    "line": "line",
    "pin": "point",
}


def read_outlines(path: Path | str) -> Outlines:
    """Read the outlines of a region map in XML; its root element tells the format.

    **ASAP** (``ASAP_Annotations``; github.com/computationalpathologygroup/ASAP): the
    class of an ``Annotation`` is the group that it is ``PartOfGroup``; "None" is
    no class. The corners of a ``Spline`` are joined by straight lines. Dots, point
    sets and measurements have no area: they are passed over and counted. ASAP knows no
    holes: they are drawn as annotations of another group.

    **Aperio ImageScope** (``Annotations``): the class of an ``Annotation`` is its
    ``Name``, else the value of its attribute "Description", else the name of its
    first other attribute, else ``LineColor`` and the number of the color, such as
    "LineColor 65280". Type 0 is an outline, 1 a rectangle, 2 an ellipse that fills
    the box of its two or four vertices; other types have no area and are counted. A
    region with ``NegativeROA="1"`` is a hole in the larger regions of its annotation;
    one that lies in none is counted.
    HALO writes the same with ``V`` for ``Vertex`` and the types in words.

    Outlines of fewer than three corners have no area and are counted too.

    Args:
        path: the file; document types and entities are refused, since a file of a
            few bytes can grow without bound by them.

    Returns:
        The outlines in px of the full-resolution slide, counted from its corner.

    Raises:
        UnusableImage: neither format, cut short, or a corner without a number.
    """
    root = _parse(path)
    readers: dict[str, Callable[[Element, Outlines], None]] = {
        "ASAP_Annotations": _read_asap,
        "Annotations": _read_aperio,
    }
    if root.tag not in readers:
        raise _no_xml(path, f"root element {root.tag!r}")
    found = Outlines()
    try:
        readers[root.tag](root, found)
    except ValueError as error:
        raise _no_xml(path, str(error)) from error
    return found


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
        "An .xml region map must be as ASAP (ASAP_Annotations) or Aperio ImageScope "
        f"(Annotations) writes it, got {path}: {problem}. Export it again."
    )


def _read_asap(root: Element, found: Outlines) -> None:
    for annotation in root.iterfind("Annotations/Annotation"):
        kind = annotation.get("Type", "Polygon").lower()
        if kind in _ASAP_WITHOUT_AREA:
            found.passed_over[_ASAP_WITHOUT_AREA[kind]] += 1
            continue
        if kind not in ("polygon", "rectangle", "spline"):
            raise ValueError(f"annotation of Type={annotation.get('Type')!r}")
        corners = list(annotation.iterfind("Coordinates/Coordinate"))
        if all(corner.get("Order") for corner in corners):
            corners.sort(key=lambda corner: _number(corner, "Order"))
        area = _polygon([_point(corner) for corner in corners])
        if area.is_empty:
            found.passed_over["outline without an area"] += 1
            continue
        group = annotation.get("PartOfGroup", "").strip()
        name = None if group in ("", "None") else group
        found.outlines.append(Outline(name, area, _texts(annotation, "Name")))


def _read_aperio(root: Element, found: Outlines) -> None:
    found.mpp = _scale(root)
    for annotation in root.iterfind("Annotation"):
        regions: list[Outline] = []
        holes: list[Any] = []
        name = _aperio_name(annotation)
        for region in annotation.iterfind("Regions/Region"):
            kind = region.get("Type", "0").lower()
            if kind not in _APERIO_AREAS:
                found.passed_over[_APERIO_WITHOUT_AREA.get(kind, "other region")] += 1
                continue
            area = _region(region, kind)
            if area.is_empty:
                found.passed_over["outline without an area"] += 1
            elif region.get("NegativeROA", "0").lower() in ("1", "true"):
                holes.append(area)
            else:
                regions.append(Outline(name, area, _texts(region, "Text")))
        found.outlines += _cut(regions, holes)
        found.passed_over[_IDLE_HOLE] += _count_idle(regions, holes)
    found.passed_over = +found.passed_over


def _texts(element: Element, key: str) -> tuple[str, ...]:
    text = element.get(key, "").strip()
    return (text,) if text else ()


def _scale(root: Element) -> float:
    try:
        mpp = float(root.get("MicronsPerPixel", "0"))
    except ValueError:
        return 0.0
    return mpp if math.isfinite(mpp) and mpp > 0 else 0.0


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


def _region(region: Element, kind: str) -> Any:
    from shapely import box

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
    bounds = min(xs), min(ys), max(xs), max(ys)
    return ellipse_in(bounds) if kind in _ELLIPSE else clean_area(box(*bounds))


def _cut(regions: list[Outline], holes: list[Any]) -> Iterator[Outline]:
    from shapely import STRtree, union_all

    tree = STRtree(holes)
    for region in regions:
        # An island in a hole is smaller than the hole, and stays.
        inner = [
            holes[position]
            for position in tree.query(region.area)
            if holes[position].area < region.area.area
        ]
        if inner:
            area = clean_area(region.area.difference(union_all(inner)))
            region = dataclasses.replace(region, area=area)
        if not region.area.is_empty:
            yield region


def _count_idle(regions: list[Outline], holes: list[Any]) -> int:
    """Holes that lie in no larger region of their layer, and so cut nothing."""
    from shapely import STRtree

    tree = STRtree([region.area for region in regions])
    return sum(
        not any(
            regions[position].area.area > hole.area
            for position in tree.query(hole, predicate="intersects")
        )
        for hole in holes
    )


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
