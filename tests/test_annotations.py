"""Region maps, with maps of a few pixels worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.annotations import apply_white_rule, class_number, read_class_map
from data_prep.config import WhiteConfig
from data_prep.images import UnusableImage
from gastric_keras.errors import InputError
from tests.small_pictures import box, feature

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
        f"{path}: A class among background, epithelium, stroma was expected. Received: "
        "class='Gland'. Map it in the config, labels: {Gland: background}, or leave "
        "it out, labels: {Gland: ignore}."
    )
    assert not isinstance(error.value, UnusableImage), "this must stop the run"
    with pytest.raises(InputError, match="'Gland' mapped to 'glands'"):
        _read(path, gland, (1, 1), labels={"Gland": "glands"})
    with pytest.raises(InputError, match="class='unclassified'"):
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
        ("3", "a int at the top"),
        ('[{"type": "Polygon"}]', "instead of a Feature"),
        ('{"type": "Feature", "geometry": null}', "geometry 'None'"),
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
    assert "values 0 was expected" in str(error.value)
    assert "values=7, 255" in str(error.value)
    assert "mask_values: {7: ignore}" in str(error.value)
    with pytest.raises(UnusableImage, match="3×2 px like its picture.*size=3×1"):
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
