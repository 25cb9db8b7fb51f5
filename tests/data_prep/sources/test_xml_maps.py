"""Outlines in XML, with shapes whose area is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_prep.sources.region_maps import read_class_map
from data_prep.sources.regions import read_regions
from data_prep.sources.xml_maps import read_outlines
from gastric_keras.imaging.images import UnusableImage
from gastric_keras.support.errors import InputError

CLASSES = ("background", "epithelium", "stroma")
SQUARE = ((0, 0), (4, 0), (4, 4), (0, 4))


def _asap(
    corners: Sequence[tuple[object, object]] = SQUARE,
    group: str = "Stroma",
    kind: str = "Polygon",
) -> str:
    points = "".join(
        f'<Coordinate Order="{order}" X="{x}" Y="{y}"/>'
        for order, (x, y) in enumerate(corners)
    )
    return (
        f'<Annotation Name="a" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>{points}</Coordinates></Annotation>"
    )


def _asap_file(path: Path, *annotations: str) -> Path:
    path.write_text(
        '<?xml version="1.0"?><ASAP_Annotations><Annotations>'
        + "".join(annotations)
        + '</Annotations><AnnotationGroups><Group Name="Stroma" PartOfGroup="None">'
        "<Attributes/></Group></AnnotationGroups></ASAP_Annotations>"
    )
    return path


def _region(
    corners: Sequence[tuple[object, object]] = SQUARE,
    kind: str = "0",
    negative: str = "0",
    tag: str = "Vertex",
) -> str:
    points = "".join(f'<{tag} X="{x}" Y="{y}" Z="0"/>' for x, y in corners)
    return (
        f'<Region Id="1" Type="{kind}" NegativeROA="{negative}"><Attributes/>'
        f"<Vertices>{points}</Vertices></Region>"
    )


def _aperio_file(
    path: Path, *regions: str, head: str = 'Name="Stroma"', attributes: str = ""
) -> Path:
    path.write_text(
        f'<Annotations MicronsPerPixel="0.5"><Annotation Id="1" {head}>'
        f"<Attributes>{attributes}</Attributes><Regions><RegionAttributeHeaders/>"
        + "".join(regions)
        + "</Regions><Plots/></Annotation></Annotations>"
    )
    return path


def _areas(path: Path) -> list[tuple[str | None, float]]:
    return [(one.name, one.area.area) for one in read_outlines(path).outlines]


def test_both_formats_draw_the_same_map(tmp_path: Path) -> None:
    box = ((1, 0), (3, 0), (3, 1), (1, 1))
    for path in (
        _asap_file(tmp_path / "asap.xml", _asap(box)),
        _aperio_file(tmp_path / "aperio.XML", _region(box)),
    ):
        drawn = read_class_map(path, (2, 4), classes=CLASSES)
        assert drawn.tolist() == [[0, 3, 3, 0], [0, 0, 0, 0]]
        (number, area), *others = read_regions(path, classes=CLASSES, labels={}).drawn
        assert (number, area.bounds, others) == (3, (1, 0, 3, 1), [])


def test_asap_groups_are_classes(tmp_path: Path) -> None:
    path = _asap_file(
        tmp_path / "a.xml",
        _asap(group="Tumor"),
        _asap(kind="Rectangle", group="None"),
        _asap(kind="Spline", group=""),
        _asap(kind="Dot", corners=SQUARE[:1]),
        _asap(kind="PointSet"),
        _asap(kind="Measurement", corners=SQUARE[:2]),
    )
    assert _areas(path) == [("Tumor", 16), (None, 16), (None, 16)]
    labels = {"tumor": "epithelium", "unclassified": "ignore"}
    regions = read_regions(path, classes=CLASSES, labels=labels)
    assert [number for number, _ in regions.drawn] == [2]
    assert regions.passed_over == {"point": 2, "line": 1}
    with pytest.raises(InputError) as error:
        read_regions(path, classes=CLASSES, labels={})
    assert f"{path}: A class must be one of" in str(error.value)
    assert ", got 'Tumor'. Map it" in str(error.value)
    assert not isinstance(error.value, UnusableImage), "this must stop the run"


def test_asap_corners_are_joined_in_their_order(tmp_path: Path) -> None:
    points = '<Coordinate Order="{}" X="{}" Y="{}"/>'
    shuffled = [(0, 0, 0), (2, 4, 4), (1, 4, 0), (10, 0, 4)]
    body = "".join(points.format(*point) for point in shuffled)
    text = f'<Annotation Type="Polygon"><Coordinates>{body}</Coordinates></Annotation>'
    assert _areas(_asap_file(tmp_path / "a.xml", text)) == [(None, 16)]
    unordered = text.replace("Order", "Rank")
    # The same points in the order of the file cross: two triangles of 4 px².
    assert _areas(_asap_file(tmp_path / "a.xml", unordered)) == [(None, 8)]


def test_a_group_may_cut_holes(tmp_path: Path) -> None:
    inner = ((1, 1), (3, 1), (3, 3), (1, 3))
    path = _asap_file(tmp_path / "a.xml", _asap(inner, "Exclusion"), _asap())
    drawn = read_class_map(
        path, (4, 4), classes=CLASSES, labels={"exclusion": "hole"}
    ).tolist()
    assert drawn == [[3, 3, 3, 3], [3, 0, 0, 3], [3, 0, 0, 3], [3, 3, 3, 3]]
    whole = read_class_map(
        path, (4, 4), classes=CLASSES, labels={"Exclusion": "ignore"}
    )
    assert whole.min() == 3


@pytest.mark.parametrize(
    ("head", "attributes", "name"),
    [
        ('Name="Gland" LineColor="255"', '<Attribute Name="x" Value="y"/>', "Gland"),
        ('Name=""', '<Attribute Name="Description" Value="Gland"/>', "Gland"),
        ('Name=""', '<Attribute Name="Gland" Value=""/>', "Gland"),
        ('LineColor="65280"', '<Attribute Name="Description" Value=""/>', None),
        ("", "", None),
    ],
)
def test_aperio_names_its_classes_in_several_places(
    tmp_path: Path, head: str, attributes: str, name: str | None
) -> None:
    if "65280" in head:
        name = "LineColor 65280"
    path = _aperio_file(tmp_path / "a.xml", _region(), head=head, attributes=attributes)
    assert _areas(path) == [(name, 16)]


def test_negative_regions_are_holes_of_larger_ones(tmp_path: Path) -> None:
    hole = ((1, 1), (4, 1), (4, 4), (1, 4))
    island = ((2, 2), (3, 2), (3, 3), (2, 3))
    outer = ((0, 0), (5, 0), (5, 5), (0, 5))
    path = _aperio_file(
        tmp_path / "a.xml",
        _region(hole, negative="1"),
        _region(outer),
        _region(island),
    )
    assert _areas(path) == [("Stroma", 25 - 9), ("Stroma", 1)]
    assert read_class_map(path, (5, 5), classes=CLASSES).tolist() == [
        [3, 3, 3, 3, 3],
        [3, 0, 0, 0, 3],
        [3, 0, 3, 0, 3],
        [3, 0, 0, 0, 3],
        [3, 3, 3, 3, 3],
    ]
    alone = _aperio_file(tmp_path / "b.xml", _region(hole, negative="true"))
    assert _areas(alone) == []
    # It cuts nothing, since other layers do not count, and is told.
    idle = {"hole outside the regions of its layer": 1}
    assert read_outlines(alone).passed_over == idle
    beside = _aperio_file(tmp_path / "c.xml", _region(SQUARE), _region(outer, "0", "1"))
    assert read_outlines(path).passed_over == {}
    assert len(_areas(beside)) == 1 and read_outlines(beside).passed_over == idle


def test_rectangles_and_ellipses_of_two_and_four_vertices(tmp_path: Path) -> None:
    corners = ((2, 1), (10, 1), (10, 5), (2, 5))
    for given in (corners, corners[::2]):
        for kind in ("1", "Rectangle"):
            path = _aperio_file(tmp_path / "a.xml", _region(given, kind))
            assert _areas(path) == [("Stroma", 32)]
        for kind in ("2", "Ellipse"):
            path = _aperio_file(tmp_path / "a.xml", _region(given, kind, tag="V"))
            (ellipse,) = (one.area for one in read_outlines(path).outlines)
            assert ellipse.bounds == pytest.approx((2, 1, 10, 5))
            assert ellipse.area == pytest.approx(math.pi * 4 * 2, rel=2e-4)
    turned = ((2, 0), (4, 2), (2, 4), (0, 2))
    path = _aperio_file(tmp_path / "a.xml", _region(turned, "1"))
    assert [area for _, area in _areas(path)] == pytest.approx([8])


def test_what_has_no_area_is_counted(tmp_path: Path) -> None:
    regions = [_region(SQUARE[:count]) for count in range(3)]
    regions += [_region(((0, 0), (2, 2), (4, 4))), _region(kind="3")]
    regions += [_region(((1, 1), (1, 1)), "2"), _region(((1, 1),), "1")]
    found = read_outlines(_aperio_file(tmp_path / "a.xml", *regions))
    assert found.outlines == []
    assert found.passed_over == {"outline without an area": 6, "arrow": 1}
    open_rings = [_asap(SQUARE[:count]) for count in range(3)]
    found = read_outlines(_asap_file(tmp_path / "a.xml", *open_rings))
    assert found.outlines == [] and found.passed_over.total() == 3
    assert not read_class_map(tmp_path / "a.xml", (2, 2), classes=CLASSES).any()


def test_crossed_outlines_keep_their_loops(tmp_path: Path) -> None:
    bow_tie = ((0, 0), (4, 4), (4, 0), (0, 4))
    for path in (
        _asap_file(tmp_path / "a.xml", _asap(bow_tie)),
        _aperio_file(tmp_path / "b.xml", _region(bow_tie)),
    ):
        (area,) = (one.area for one in read_outlines(path).outlines)
        assert area.is_valid and area.area == pytest.approx(8)


BOMB = '<!DOCTYPE a [<!ENTITY b "ten">]><ASAP_Annotations>&b;</ASAP_Annotations>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no element found"),
        ("<ASAP_Annotations><Annotations>", "no element found"),
        (BOMB, "a document type or entity"),
        ('<!DOCTYPE a SYSTEM "file:///etc/hosts"><Annotations/>', "document type"),
        ("<Annotations>&b;</Annotations>", "undefined entity"),
        ('<?xml version="1.0" encoding="none"?><Annotations/>', "unknown encoding"),
        ("<annotation/>", "root element 'annotation'"),
        (_asap(kind="Blob"), "annotation of Type='Blob'"),
        (
            _asap(((0, 0), ("one", 0), (1, 1))),
            "Coordinate with X='one', no finite number",
        ),
        (_asap(((0, 0), ("nan", 0), (1, 1))), "no finite number"),
        (_region(((0, 0), ("inf", 0), (1, 1))), "no finite number"),
        (_region(((0, 0), ("nan", 4)), "2"), "no finite number"),
        (_region().replace("Y=", "Z="), "Vertex with Y=None, no finite number"),
        (_asap().replace('Order="2"', 'Order="x"'), "Order='x', no finite number"),
    ],
)
def test_what_is_neither_format_is_set_aside(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "a.xml"
    if text.startswith("<Annotation "):
        _asap_file(path, text)
    elif text.startswith("<Region"):
        _aperio_file(path, text.replace(' Z="0"', ""))
    else:
        path.write_text(text)
    with pytest.raises(UnusableImage, match="as ASAP .* or Aperio ImageScope") as error:
        read_outlines(path)
    assert f", got {path}: " in str(error.value) and why in str(error.value)


def test_a_missing_file_is_set_aside(tmp_path: Path) -> None:
    with pytest.raises(UnusableImage, match="No such file"):
        read_outlines(tmp_path / "none.xml")
