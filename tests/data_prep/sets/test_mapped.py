"""Region maps on slides with bounds, and what is told of outlines."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from shapely import box as box_of

from data_prep.config.sets import SourceConfig, TissueSetConfig
from data_prep.engine import Engine
from data_prep.sets import view as views
from data_prep.sets.build import BuildOptions, build_tissue_set
from data_prep.sets.card import describe
from data_prep.sets.found import Found, joined
from data_prep.sets.look import find_tissue
from data_prep.sets.patches import NO_PIXELS
from data_prep.sets.told import tell_maps
from data_prep.sources.outline_places import turn_regions
from data_prep.sources.pictures import ImageSource
from data_prep.sources.region_maps import draw_regions
from data_prep.sources.regions import Regions
from gastric_keras.imaging.orientation import turn_upright
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import (
    box,
    feature,
    noise,
    write_index,
    write_picture,
    write_scn,
    write_tissue_folder,
)

CLASSES = ("epithelium", "stroma")


def _tissue(seed: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    pixels = noise(seed, height, width)
    pixels[..., 1] //= 3
    return pixels


def _image(folder: Path, features: list, name: str = "a.scn") -> ImageSource:
    path = folder / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return ImageSource(folder / name, "a", "a", annotation=path)


def _config(folder: Path, **options: object) -> TissueSetConfig:
    source = SourceConfig(images=str(folder), **options)  # type: ignore[arg-type]
    return TissueSetConfig(
        sources=(source,), classes=CLASSES, patch_size=32, artifacts=None
    )


def _look(config: TissueSetConfig, image: ImageSource) -> Found:
    found = [find_tissue(config, part) for part in views.parts_of(config, image)]
    whole = found[0]
    for part in found[1:]:
        whole = joined(whole, part)
    return whole


def test_no_patch_is_cut_between_the_scanned_parts(tmp_path: Path) -> None:
    parts = [(64, 48, _tissue(0, 128, 192)), (192, 240, _tissue(1, 96, 128))]
    write_scn(tmp_path / "a.scn", parts, (512, 512))
    image = _image(tmp_path, [feature("Stroma", [box(0, 0, 256, 288)])])
    found = _look(_config(tmp_path), image)
    inside = {
        (x, y)
        for left, top, pixels in parts
        for x in range(left, left + pixels.shape[1] - 31, 32)
        for y in range(top, top + pixels.shape[0] - 31, 32)
    }
    assert {ref[:2] for ref in found.refs} == inside
    assert found.dropped == {NO_PIXELS: 8 * 9 - len(inside)}
    unannotated = _look(_config(tmp_path, unannotated="stroma"), image)
    assert unannotated.refs == found.refs


def test_the_bands_of_a_slide_with_bounds_equal_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scn(tmp_path / "a.scn", [(70, 33, _tissue(0, 256, 192))], (512, 512))
    halves = [feature("Stroma", [box(0, 0, 192, 128)])]
    halves += [feature("Epithelium", [box(0, 128, 192, 256)])]
    image = _image(tmp_path, [*halves, feature("Stroma", [1, 1], "Point")])
    whole = _look(_config(tmp_path), image)
    assert len(whole.refs) == 6 * 8
    assert min(whole.refs)[:2] == (70, 33)
    assert {ref.label for ref in whole.refs if ref.y < 33 + 128} == {1}
    monkeypatch.setattr(views, "_PART_PIXELS", 32 * 512 * 3)
    assert len(views.parts_of(_config(tmp_path), image)) == 3
    banded = _look(_config(tmp_path), image)
    assert banded == whole
    assert banded.outlines == {
        "read": 2,
        "passed over: point": 1,
        "counted from the bounds of their slide": 2,
    }
    assert banded.warnings == ["a.geojson: 1 point passed over"]


def test_a_scale_that_a_file_names_is_compared(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", _tissue(0, 64, 64))
    path = tmp_path / "a.xml"
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in box(0, 0, 64, 64)[:4])
    path.write_text(
        '<Annotations MicronsPerPixel="1.0"><Annotation Name="Stroma"><Regions>'
        f"<Region><Vertices>{corners}</Vertices></Region></Regions></Annotation>"
        "</Annotations>"
    )
    image = ImageSource(tmp_path / "a.png", "a", "a", annotation=path)
    (said,) = _look(_config(tmp_path, mpp=0.25), image).warnings
    assert "1 µm/px, its picture 0.25" in said and "multiplied by 4" in said
    assert _look(_config(tmp_path, mpp=1.0), image).warnings == []


def test_what_was_passed_over_is_said_and_stands_in_the_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    path = folder / "r2.geojson"
    tree = json.loads(path.read_text())
    cell = feature("Stroma", [box(0, 0, 9, 9)], objectType="detection")
    tree["features"] += [cell, cell, feature("Stroma", [[0, 0], [9, 9]], "LineString")]
    tree["features"].append(feature(None, [box(0, 0, 2, 2)]))
    tree["features"][-1]["properties"]["name"] = "Stroma"
    path.write_text(json.dumps(tree))
    source = SourceConfig(
        images=str(folder), annotations=str(folder), index=str(folder / "index.csv")
    )
    config = TissueSetConfig(sources=(source,), patch_size=8, artifacts=None)
    options = BuildOptions(engine=Engine(workers=1))
    manifest = build_tissue_set(config, tmp_path / "set", options=options)
    said = capsys.readouterr().err
    assert "Warning: r2.geojson: 2 detections, 1 line passed over\n" in said
    assert "Warning: r2.geojson: 1 outline without a class read as its name" in said
    ledger = manifest.config["ledger"]
    assert ledger["read"]["outlines, read"] == 19
    assert ledger["left_out"] == {
        "outlines, passed over: detection": 2,
        "outlines, passed over: line": 1,
    }
    assert ledger["assumed"] == {
        "cases of one picture: no two pictures are of one patient": 6,
        "columns of index.csv not used: geojson": 1,
        "outlines, outline without a class read as its name, Stroma": 1,
        "pictures of unknown scale: one scale in each source": 6,
    }
    assert len(ledger["warnings"]) == 2
    assert "left out: 2 × outlines, passed over: detection" in describe(manifest)


def test_a_picture_without_outlines_is_never_given_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    write_picture(folder / "bare.png", noise(9, 16, 24))
    cell = feature("Stroma", [box(0, 0, 24, 16)], objectType="cell")
    (folder / "bare.geojson").write_text(json.dumps([cell]))
    rows = [{"path": f"r{case}.png", "case_id": str(case)} for case in range(6)]
    write_index(folder / "index.csv", [*rows, {"path": "bare.png", "case_id": "9"}])
    source = SourceConfig(
        images=str(folder),
        annotations=str(folder),
        index=str(folder / "index.csv"),
        unannotated="stroma",
    )
    config = TissueSetConfig(sources=(source,), patch_size=8, artifacts=None)
    options = BuildOptions(engine=Engine(workers=1))
    manifest = build_tissue_set(config, tmp_path / "set", options=options)
    assert list(manifest.set_aside) == ["bare.png"]
    reason = manifest.set_aside["bare.png"]
    assert "bare.geojson: no outline of a class of the set (1 cell passed" in reason
    assert "Outline what is stroma too" in reason


def test_an_origin_is_one_of_three() -> None:
    with pytest.raises(InputError) as error:
        SourceConfig(annotation_origin="corner")
    assert str(error.value) == (
        "annotation_origin must be one of auto, bounds, slide, got 'corner'. auto goes "
        "by the tool that drew the outlines."
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_outlines_turn_with_their_picture(orientation: int) -> None:
    stored = np.zeros((6, 9), np.uint8)
    stored[1:3, 2:8] = 1
    stored[3:5, 5:6] = 2
    areas = [(1, box_of(2, 1, 8, 3)), (2, box_of(5, 3, 6, 5))]
    upright = turn_upright(stored, orientation)
    regions = Regions(areas, [], Counter(), Counter())
    turned = turn_regions(regions, upright.shape, orientation)
    np.testing.assert_array_equal(draw_regions(turned.drawn, upright.shape), upright)


def test_a_map_that_changed_is_read_again(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", _tissue(0, 64, 64))
    config = _config(tmp_path)
    for name, label in (("Epithelium", 0), ("Stroma", 1)):
        image = _image(tmp_path, [feature(name, [box(0, 0, 64, 64)])], "a.png")
        assert {ref.label for ref in _look(config, image).refs} == {label}


def test_values_of_label_masks_are_counted_and_absent_ones_named(
    tmp_path: Path,
) -> None:
    # Written 0 and 255 where the config says 0 and 1: the second class is lost.
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, 32:] = 255
    picture = write_picture(tmp_path / "0.png", _tissue(0, 64, 64))
    values = {0: "epithelium", 1: "stroma", 255: "ignore"}
    source = SourceConfig(images=str(tmp_path), mask_values=values)
    config = TissueSetConfig(sources=(source,), classes=CLASSES, patch_size=32)
    annotation = write_picture(tmp_path / "mask.png", mask)
    image = ImageSource(picture, "0", "0", annotation=annotation)
    found = _look(config, image)
    assert found.mask_values == {"0": 2048, "255": 2048}
    ledger = Ledger()
    tell_maps(config, [(image, found)], ledger)
    assert ledger.left_out == {"pixels of label masks, value 255: ignore": 2048}
    assert +ledger.read == {"pixels of label masks, value 0: epithelium": 2048}
    (warning,) = ledger.warnings
    assert "has the value 1 (stroma) of mask_values; found: 0, 255." in warning
