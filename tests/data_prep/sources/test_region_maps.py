"""Region maps, with maps of a few pixels worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely import MultiPolygon, Polygon
from shapely import box as box_of

from data_prep.config.sets import WhiteConfig
from data_prep.sources.class_names import class_number
from data_prep.sources.geometry import clean_area
from data_prep.sources.region_maps import (
    apply_white_rule,
    draw_regions,
    is_label_mask,
    read_class_map,
)
from data_prep.sources.regions import read_regions
from gastric_keras.imaging.images import UnusableImage
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import box, feature

CLASSES = ("background", "epithelium", "stroma")


def _read(path: Path, tree: object, shape: tuple[int, int], **options: object) -> list:
    path.write_text(json.dumps(tree))
    return read_class_map(path, shape, classes=CLASSES, **options).tolist()


def test_feature_list_and_collection_give_the_same_map(tmp_path: Path) -> None:
    region = feature("stroma", [box(1, 0, 3, 1)])
    wanted = [[0, 3, 3, 0], [0, 0, 0, 0]]
    collection = {"type": "FeatureCollection", "features": [region]}
    for tree in (region, [region], collection):
        assert _read(tmp_path / "a.geojson", tree, (2, 4)) == wanted


def test_a_pixel_belongs_to_the_region_of_its_center(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    # The centers of row 0 lie at 0.5, 1.5, 2.5, 3.5.
    assert _read(path, feature("stroma", [box(0.6, 0, 2.6, 1)]), (1, 4)) == [
        [0, 3, 3, 0]
    ]
    triangle = [[0, 0], [4, 0], [0, 4], [0, 0]]
    # Row 1 (y = 1.5) reaches to x = 2.5, an edge that belongs to the right-hand side.
    assert _read(path, feature("stroma", [triangle]), (4, 4)) == [
        [3, 3, 3, 0],
        [3, 3, 0, 0],
        [3, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_neighbors_leave_no_gap_and_do_not_overlap(tmp_path: Path) -> None:
    edge = [[3.1, 0], [1.7, 2.3], [4.4, 5]]
    left = feature("epithelium", [[[0, 0], *edge, [0, 5], [0, 0]]])
    right = feature("stroma", [[[6, 0], *edge, [6, 5], [6, 0]]])
    both = _read(tmp_path / "a.geojson", [left, right], (5, 6))
    alone = _read(tmp_path / "a.geojson", left, (5, 6))
    assert np.array(both).min() > 0
    assert (np.array(both) == 2).tolist() == (np.array(alone) == 2).tolist()


def test_holes_are_no_part_of_their_region(tmp_path: Path) -> None:
    ring = feature("stroma", [box(0, 0, 4, 3), box(1, 1, 3, 2)])
    assert _read(tmp_path / "a.geojson", ring, (3, 4)) == [
        [3, 3, 3, 3],
        [3, 0, 0, 3],
        [3, 3, 3, 3],
    ]


def test_multi_polygons_and_what_hangs_over_the_edge(tmp_path: Path) -> None:
    parts = feature("stroma", [[box(-3, -3, 1, 1)], [box(2, 0, 9, 9)]], "MultiPolygon")
    assert _read(tmp_path / "a.geojson", parts, (2, 3)) == [[3, 0, 3], [0, 0, 3]]
    outside = feature("stroma", [box(10, 10, 12, 12)])
    assert _read(tmp_path / "a.geojson", outside, (2, 3)) == [[0] * 3] * 2


def test_the_smaller_of_two_overlapping_regions_shows(tmp_path: Path) -> None:
    large = feature("stroma", [box(0, 0, 4, 1)])
    small = feature("epithelium", [box(1, 0, 3, 1)])
    for order in ([large, small], [small, large]):
        assert _read(tmp_path / "a.geojson", order, (1, 4)) == [[3, 2, 2, 3]]
    twin = feature("background", [box(1, 0, 3, 1)])
    assert _read(tmp_path / "a.geojson", [small, twin], (1, 4)) == [[0, 1, 1, 0]]


def test_crossed_outlines_keep_their_loops(tmp_path: Path) -> None:
    bow_tie = [[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]
    drawn = np.array(
        _read(tmp_path / "a.geojson", feature("stroma", [bow_tie]), (4, 4))
    )
    assert drawn[1, 0] == 3 and drawn[1, 3] == 3 and drawn[0, 1] == 0


def test_classes_are_mapped_ignored_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    gland = feature("Gland", [box(0, 0, 1, 1)])
    assert _read(path, gland, (1, 1), labels={"gland": "epithelium"}) == [[2]]
    assert _read(path, gland, (1, 1), labels={"Gland": "ignore"}) == [[0]]
    assert _read(path, feature("EPITHELIUM", [box(0, 0, 1, 1)]), (1, 1)) == [[2]]
    with pytest.raises(InputError) as error:
        _read(path, gland, (1, 1))
    assert str(error.value) == (
        f"{path}: A class must be one of background, epithelium, stroma, got 'Gland'. "
        "Map it in the config, labels: {Gland: background}, or leave it out, labels: "
        "{Gland: ignore}."
    )
    assert not isinstance(error.value, UnusableImage), "this must stop the run"
    with pytest.raises(InputError, match="'Gland' mapped to 'glands'"):
        _read(path, gland, (1, 1), labels={"Gland": "glands"})
    with pytest.raises(InputError, match="got 'unclassified'"):
        _read(path, feature(None, [box(0, 0, 1, 1)]), (1, 1))


def test_detections_points_and_lines_are_no_regions(tmp_path: Path) -> None:
    cell = feature("Cell", [box(0, 0, 1, 1)], objectType="detection")
    point = feature("stroma", [0.5, 0.5], "Point")
    line = feature("stroma", [[0, 0], [1, 1]], "LineString")
    assert _read(tmp_path / "a.geojson", [cell, point, line], (1, 1)) == [[0]]


def test_unannotated_pixels_may_have_a_class(tmp_path: Path) -> None:
    region = feature("stroma", [box(1, 0, 2, 1)])
    drawn = _read(tmp_path / "a.geojson", region, (1, 3), unannotated="background")
    assert drawn == [[1, 3, 1]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "Expecting property name"),
        ("3", "a int instead of Features"),
        ('[{"type": "Polygon"}]', "instead of a Feature"),
        ('{"type": "Feature", "geometry": 7}', "geometry '7'"),
        (
            '{"type": "Feature", "properties": [1], "geometry": null}',
            "properties '[1]'",
        ),
        (
            '{"type": "Feature", "properties": {"classification": 7}, "geometry": '
            '{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}}',
            "classification '7'",
        ),
        (
            '{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", '
            '"coordinates": [[[0, 0], [NaN, 0], [9, 9], [0, 0]]]}}',
            "not a finite number",
        ),
        (
            '{"type": "Feature", "properties": {"classification": {"name": "stroma"}}, '
            '"geometry": {"type": "Polygon", "coordinates": [[[0]]]}}',
            "geometry",
        ),
    ],
)
def test_what_is_no_geojson_is_set_aside(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(UnusableImage, match="GeoJSON as QuPath exports") as error:
        read_class_map(
            tmp_path / "a.geojson",
            (2, 2),
            classes=CLASSES,
            labels={"unclassified": "stroma"},
        )
    assert why in str(error.value)


def test_label_masks_map_values(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 255, 7]], np.uint8)).save(path)
    mapping = {0: "stroma", 255: "epithelium", 7: "ignore"}
    drawn = read_class_map(path, (1, 3), classes=CLASSES, mask_values=mapping)
    assert drawn.tolist() == [[3, 2, 0]] and drawn.dtype == np.uint8
    with pytest.raises(InputError) as error:
        read_class_map(path, (1, 3), classes=CLASSES, mask_values={0: "stroma"})
    assert "among those of mask_values, 0, got" in str(error.value)
    assert f"{path} with 7, 255. " in str(error.value)
    assert "mask_values: {7: ignore}" in str(error.value)
    with pytest.raises(
        UnusableImage, match="size of its picture, 3×2 px, got .* of 3×1"
    ):
        read_class_map(path, (2, 3), classes=CLASSES, mask_values=mapping)


def test_white_pixels_of_stroma_become_background() -> None:
    class_map = np.array([[3, 3, 2, 0]], np.uint8)
    image = np.array([[[240, 230, 220], [240, 230, 219], [255] * 3, [255] * 3]])
    rule = WhiteConfig(("stroma",), "background", min_value=220, smoothing=1)
    drawn = apply_white_rule(class_map, image.astype(np.uint8), rule, classes=CLASSES)
    assert drawn.tolist() == [[1, 3, 2, 0]]


def test_the_filter_keeps_single_pale_pixels() -> None:
    class_map = np.full((9, 9), 3, np.uint8)
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 255
    for smoothing, white in ((1, 1), (3, 0)):
        rule = WhiteConfig(("stroma",), "background", smoothing=smoothing)
        drawn = apply_white_rule(class_map, image, rule, classes=CLASSES)
        assert (drawn == 1).sum() == white


def test_class_number_counts_from_one() -> None:
    assert [class_number(name, CLASSES) for name in CLASSES] == [1, 2, 3]


@pytest.mark.parametrize(
    "classification",
    [
        {"name": "Tumor: Positive", "colorRGB": -3670016},
        {"names": ["Tumor", "Positive"], "color": [200, 0, 0]},
        "Tumor: Positive",
    ],
)
def test_derived_classes_of_any_version_have_one_name(
    tmp_path: Path, classification: object
) -> None:
    region = feature(None, [box(0, 0, 1, 1)], classification=classification)
    for labels in ({"tumor: positive": "epithelium"}, {"Tumor: Positive": "2"}):
        if "2" in labels.values():
            with pytest.raises(InputError, match="got 'Tumor: Positive'"):
                _read(tmp_path / "a.geojson", region, (1, 1), labels=labels)
        else:
            drawn = _read(tmp_path / "a.geojson", region, (1, 1), labels=labels)
            assert drawn == [[2]]


def test_classes_of_every_qupath_version_are_read(tmp_path: Path) -> None:
    geometry = {"type": "Polygon", "coordinates": [box(0, 0, 1, 1)]}
    old = {"name": "Stroma", "colorRGB": -6895466}
    new = {"name": "Stroma", "color": [150, 200, 150]}
    annotations: list[tuple[str, dict[str, object]]] = [
        ("PathAnnotationObject", {"classification": old, "isLocked": False}),
        ("1f2e", {"object_type": "annotation", "classification": old}),
        ("1f2e", {"objectType": "annotation", "classification": new}),
        ("1f2e", {"classification": {"names": ["Stroma"], "color": [1, 2, 3]}}),
    ]
    others: list[tuple[str, dict[str, object]]] = [
        ("PathDetectionObject", {"classification": old}),
        ("PathCellObject", {"classification": old}),
        ("1f2e", {"object_type": "detection", "classification": old}),
        ("1f2e", {"objectType": "tile", "classification": new}),
    ]
    for wanted, entries in ((3, annotations), (0, others)):
        for identity, properties in entries:
            tree = {
                "type": "Feature",
                "id": identity,
                "geometry": geometry,
                "properties": properties,
            }
            assert _read(tmp_path / "a.geojson", tree, (1, 1)) == [[wanted]]


def test_collections_keep_their_areas(tmp_path: Path) -> None:
    parts = [
        {"type": "Polygon", "coordinates": [box(0, 0, 1, 1)]},
        {"type": "MultiPolygon", "coordinates": [[box(2, 0, 3, 1)]]},
        {"type": "LineString", "coordinates": [[0, 0], [9, 9]]},
    ]
    tree = feature("stroma", [])
    tree["geometry"] = {"type": "GeometryCollection", "geometries": parts}
    assert _read(tmp_path / "a.geojson", tree, (1, 3)) == [[3, 0, 3]]


def test_holes_of_multi_polygons_stay_open(tmp_path: Path) -> None:
    parts = [[box(0, 0, 3, 3), box(1, 1, 2, 2)], [box(4, 0, 5, 1)]]
    assert _read(
        tmp_path / "a.geojson", feature("stroma", parts, "MultiPolygon"), (3, 5)
    ) == [[3, 3, 3, 0, 3], [3, 0, 3, 0, 0], [3, 3, 3, 0, 0]]


def test_regions_mapped_to_hole_cut_out_of_others(tmp_path: Path) -> None:
    large = feature("stroma", [box(0, 0, 4, 1)])
    small = feature("Artifact", [box(1, 0, 3, 1)])
    for labels, wanted in (
        ({"artifact": "hole"}, [[3, 0, 0, 3]]),
        ({"artifact": "ignore"}, [[3, 3, 3, 3]]),
    ):
        tree = [small, large]
        assert _read(tmp_path / "a.geojson", tree, (1, 4), labels=labels) == wanted


def test_windows_put_together_equal_the_whole() -> None:
    rng = np.random.default_rng(0)
    regions: list = []
    for number in range(40):
        center, corners = rng.uniform(-10, 80, 2), rng.integers(3, 12)
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        spokes = np.stack([np.cos(angles), np.sin(angles)], 1)
        ring = center + spokes * rng.uniform(2, 25, (corners, 1))
        regions.append((number % 4, clean_area(Polygon(ring))))
    # Corners on pixel centers: every tie must fall alike in every window.
    regions.append((1, Polygon([(8.5, 8.5), (40.5, 8.5), (24.5, 40.5)])))
    regions.append((2, MultiPolygon([box_of(1, 1, 5, 5), box_of(60, 60, 99, 99)])))
    regions = [(number, area) for number, area in regions if not area.is_empty]
    whole = draw_regions(regions, (70, 75))
    assert set(np.unique(whole)) == {0, 1, 2, 3}
    for step in (7, 16, 33):
        stitched = np.zeros_like(whole)
        for y in range(0, 70, step):
            for x in range(0, 75, step):
                window = stitched[y : y + step, x : x + step]
                window[:] = draw_regions(regions, window.shape, offset=(x, y))
        assert (stitched == whole).all()


def test_regions_beside_the_window_cost_nothing() -> None:
    regions = [(1, box_of(x, 0, x + 1, 1)) for x in range(20)]
    drawn = draw_regions(regions, (1, 3), offset=(18, 0))
    assert drawn.tolist() == [[1, 1, 0]]
    assert not draw_regions(regions, (1, 3), offset=(20, 0)).any()
    assert not draw_regions(regions, (1, 3), offset=(0, 1)).any()
    assert draw_regions([], (1, 3)).tolist() == [[0, 0, 0]]


def test_outlines_and_masks_are_told_by_their_names() -> None:
    for name in ("a.geojson", "a.JSON", "a.xml"):
        assert not is_label_mask(name)
    assert is_label_mask("a.png") and is_label_mask("a.tif")


@pytest.mark.shared
def test_geojson_and_masks_of_real_regions_agree(shared_data: Path) -> None:
    folder = shared_data / "regions"
    for stem in ("testA_1", "testA_10", "testA_24"):
        path = folder / "labels" / f"{stem}.png"
        values = {0: "background", 1: "epithelium", 2: "stroma"}
        shape = np.asarray(Image.open(path)).shape
        mask = read_class_map(path, shape, classes=CLASSES, mask_values=values)
        drawn = read_class_map(
            folder / "geojson" / f"{stem}.geojson",
            shape,
            classes=CLASSES,
            unannotated="background",
        )
        # The outlines are simplified; the worst of the 165 agrees to 0.966.
        assert (mask == drawn).mean() > 0.96


def test_an_outline_of_noise_is_refused_before_it_takes_minutes(
    tmp_path: Path,
) -> None:
    corners = (np.random.default_rng(0).random((3000, 2)) * 60).tolist()
    path = tmp_path / "map.geojson"
    path.write_text(json.dumps(feature("Stroma", [[*corners, corners[0]]])))
    with pytest.raises(InputError) as error:
        read_regions(path, classes=("stroma",), labels={})
    assert "outlines that cross themselves more than 1000 times" in str(error.value)


@pytest.mark.parametrize("where", ["geometry", "properties"])
def test_what_is_nested_too_deep_is_no_geojson(tmp_path: Path, where: str) -> None:
    deep = "[" * 900 + "]" * 900
    entry = {"geometry": f'{{"type": "Polygon", "coordinates": {deep}}}'}.get(
        where, deep
    )
    path = tmp_path / "map.geojson"
    path.write_text(f'{{"type": "Feature", "properties": {{}}, "{where}": {entry}}}')
    with pytest.raises(InputError, match="GeoJSON as QuPath exports it"):
        read_regions(path, classes=("stroma",), labels={})
