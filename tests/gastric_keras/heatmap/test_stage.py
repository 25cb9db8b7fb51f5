"""A slide read whole, by a model whose answer is known for each patch."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from shapely.geometry import shape as shape_of

from data_prep.sources.region_maps import read_class_map
from gastric_keras import run
from gastric_keras.heatmap import inference as slide_inference
from gastric_keras.heatmap import stage
from gastric_keras.imaging.normalization import (
    REFERENCE_AMOUNTS,
    STAIN_METHODS,
    fit_stain,
    normalize,
)
from gastric_keras.support.files import locked, read_json
from tests.gastric_keras.imaging.test_normalization import OTHER_STAINS, draw_tissue
from tests.helpers.small_exports import answer_of, write_red_model
from tests.helpers.small_pictures import noise, write_picture, write_slide

SIDE = 16
#: Glass, and tissue from little to much red.
COLORS = np.array(
    [(240, 240, 240), (60, 30, 150), (100, 30, 150), (160, 40, 120), (220, 60, 160)],
    np.uint8,
)
METADATA = {"mpp": 0.25, "patch_size": 32, "name": "small"}
FILES = {"patches.csv", "probability.npy", "heatmap.geojson", "overlay.png"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "export"
    write_red_model(folder / "1")
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_inference, "_BARE_SECONDS", 0.01)


def _draw_blocks() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Kind of each block of 16 px, and the slide: 10 rows and 14 columns of blocks and
    a rim of 6 and 4 px that continues them."""
    kinds = np.zeros((10, 14), int)
    kinds[1:9, 2:] = np.random.default_rng(3).integers(1, len(COLORS), (8, 12))
    # A ring, so that a region has a hole.
    kinds[4:7, 5:8], kinds[5, 6] = 4, 1
    pixels = COLORS[kinds].repeat(SIDE, axis=0).repeat(SIDE, axis=1)
    return kinds, np.pad(pixels, ((0, 6), (0, 4), (0, 0)), mode="edge")


def _run(slide: Path, model: Path, out: Path | None, *more: str) -> int:
    arguments = ["--stage", "heatmap", "--slide", str(slide), "--model", str(model)]
    arguments += ["--out", str(out)] if out else []
    return run.main([*arguments, *more])


def _rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / "patches.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_patch_of_a_slide_has_its_answer_and_place(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds, pixels = _draw_blocks()
    slide = write_slide(tmp_path / "a.tif", pixels)
    out = tmp_path / "out"
    few = ["--set", "batch_size=7", "--set", "readers=3"]
    assert _run(slide, model, out, "--set", f"side={SIDE}", *few) == 0
    assert {p.name for p in out.iterdir()} == FILES | {"summary.json", ".lock"}

    rows = _rows(out)
    # 11 × 15 patches with those that end at the rim.
    summary = read_json(out / "summary.json")
    found = summary["patches"]
    assert found["in_grid"] == 11 * 15
    assert found["read"] == len(rows) == found["in_grid"] - found["background"]
    for row in rows:
        x, y = int(row["x"]), int(row["y"])
        patch = pixels[y : y + SIDE, x : x + SIDE]
        assert patch.shape == (SIDE, SIDE, 3) and int(row["width"]) == SIDE
        probability = answer_of(patch)
        assert float(row["malignant_probability"]) == pytest.approx(
            probability, abs=0.01
        )
        assert row["label"] == ("malignant" if probability >= 0.5 else "benign")
        assert float(row["tissue"]) >= 0.25
    assert found["called_positive"] == sum(r["label"] == "malignant" for r in rows)
    # Every block of tissue was read, none of the glass that lies far from it.
    places = {(int(row["y"]) // SIDE, int(row["x"]) // SIDE) for row in rows}
    assert {(int(y), int(x)) for y, x in zip(*np.nonzero(kinds))} <= places
    assert (0, 0) not in places and (5, 0) not in places

    said = capsys.readouterr().out
    assert "165 patches of 16 px" in said and "less than 25% tissue" in said
    assert "patches/s" in said and "of the model's bare inference" in said
    speed = summary["speed"]
    share = speed["patches_per_second"] / speed["bare_patches_per_second"]
    assert speed["share_of_bare"] == pytest.approx(share)


def test_the_geojson_is_the_truth_to_the_pixel(model: Path, tmp_path: Path) -> None:
    kinds, pixels = _draw_blocks()
    slide = write_picture(tmp_path / "a.png", pixels[:160, :224])
    options = ("--set", f"side={SIDE}", "--set", "level=0.4")
    assert _run(slide, model, tmp_path / "out", *options) == 0
    truth = np.array([[answer_of(COLORS[[k]]) >= 0.4 for k in row] for row in kinds])
    truth &= kinds > 0
    assert 10 < truth.sum() < 90
    values = np.load(tmp_path / "out" / "probability.npy")
    np.testing.assert_array_equal(values >= 0.4, truth)
    np.testing.assert_array_equal(np.isnan(values), kinds == 0)

    path = tmp_path / "out" / "heatmap.geojson"
    # By data_prep's reader, as a region map of QuPath.
    drawn = read_class_map(path, (160, 224), classes=("malignant",))
    np.testing.assert_array_equal(drawn, truth.repeat(SIDE, 0).repeat(SIDE, 1))
    features = json.loads(path.read_text())["features"]
    areas = [shape_of(feature["geometry"]) for feature in features]
    assert all(area.is_valid and area.geom_type == "Polygon" for area in areas)
    assert sum(area.area for area in areas) == truth.sum() * SIDE**2
    assert any(area.interiors for area in areas)
    assert len({feature["id"] for feature in features}) == len(features)
    for feature, area in zip(features, areas):
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert properties["classification"] == {
            "name": "malignant",
            "color": [213, 94, 0],
        }
        left, top, right, bottom = (int(each) // SIDE for each in area.bounds)
        inside = values[top:bottom, left:right]
        highest = properties["measurements"]["highest malignant probability"]
        assert 0.4 <= highest <= np.nanmax(inside)


def test_tiles_carry_the_probability_and_are_no_regions(
    model: Path, tmp_path: Path
) -> None:
    _, pixels = _draw_blocks()
    slide = write_picture(tmp_path / "a.png", pixels)
    maps = []
    for name, tiles in (("with", "true"), ("without", "false")):
        out = tmp_path / name
        assert (
            _run(slide, model, out, "--set", "side=16", "--set", f"tiles={tiles}") == 0
        )
        maps.append(
            read_class_map(
                out / "heatmap.geojson", pixels.shape[:2], classes=("malignant",)
            )
        )
    np.testing.assert_array_equal(*maps)
    features = json.loads((tmp_path / "with" / "heatmap.geojson").read_text())[
        "features"
    ]
    tiles_found = [f for f in features if f["properties"]["objectType"] == "tile"]
    rows = _rows(tmp_path / "with")
    for tile, row in zip(tiles_found, rows, strict=True):
        x, y = int(row["x"]), int(row["y"])
        assert shape_of(tile["geometry"]).bounds == (x, y, x + SIDE, y + SIDE)
        properties = tile["properties"]
        assert properties["classification"]["name"] == row["label"]
        measured = properties["measurements"]["malignant probability"]
        assert measured == pytest.approx(float(row["malignant_probability"]))


def test_a_finished_heatmap_stands_until_something_differs(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, pixels = _draw_blocks()
    slide = write_picture(tmp_path / "a.png", pixels)
    options = ("--set", "side=16")
    assert _run(slide, model, None, *options) == 0
    # Beside the export of the run, not in it, where TF Serving looks.
    out = model.parent / "heatmaps" / "a.png"
    before = (out / "summary.json").stat().st_mtime_ns
    capsys.readouterr()
    assert _run(slide, model / "1", None, *options) == 0
    assert f"heatmap: finished, see {out}" in capsys.readouterr().out
    assert (out / "summary.json").stat().st_mtime_ns == before
    for more in (["--set", "stride=0.5"], ["--force", "--set", "stride=0.5"]):
        assert _run(slide, model, None, *options, *more) == 0
        assert "finished" not in capsys.readouterr().out
        after = (out / "summary.json").stat().st_mtime_ns
        assert after > before
        before = after
    assert read_json(out / "summary.json")["stride"] == 8


def test_a_slide_that_is_damaged_leaves_no_whole_heatmap(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = noise(0, 512, 256)
    pixels[..., 1] //= 3
    slide = write_slide(tmp_path / "a.tif", pixels)
    out = tmp_path / "out"
    assert _run(slide, model, out, "--set", "side=32") == 0
    # The overview comes from the small level at the end, so that only the patches meet
    # the damage.
    data = bytearray(slide.read_bytes())
    tag = _offsets_of_tiles(slide)
    data[tag : tag + 8] = (2**32 - 1).to_bytes(4, "little") * 2
    slide.write_bytes(data)
    capsys.readouterr()
    # The tissue is looked for on the level below.
    assert _run(slide, model, out, "--set", "side=32") == 2
    said = capsys.readouterr().err
    assert (
        "whole slide must be readable" in said
        and "a.tif" in said
        and "Traceback" not in said
    )
    assert not (out / "summary.json").exists()


def _offsets_of_tiles(slide: Path) -> int:
    """Where the file says where the tiles of its first level begin."""
    import tifffile

    with tifffile.TiffFile(slide) as stream:
        return int(stream.pages[0].tags["TileOffsets"].valueoffset)


@pytest.mark.parametrize("method", STAIN_METHODS)
def test_a_slide_is_normalized_as_the_training_patches_were(
    method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = METADATA | {"normalization": method, "patch_size": SIDE}
    told = write_red_model(tmp_path / "export" / "1", metadata=metadata)
    pixels = draw_tissue(OTHER_STAINS, 0.7 * REFERENCE_AMOUNTS)
    slide = write_picture(tmp_path / "a.png", pixels)
    assert _run(slide, told, tmp_path / "out", "--set", f"side={SIDE}") == 0
    fit = fit_stain(pixels, method)
    assert fit is not None
    wanted = normalize(pixels, fit)
    for row in _rows(tmp_path / "out"):
        x, y = int(row["x"]), int(row["y"])
        patch = wanted[y : y + SIDE, x : x + SIDE]
        assert float(row["malignant_probability"]) == pytest.approx(
            answer_of(patch), abs=0.01
        )
    assert read_json(tmp_path / "out" / "summary.json")["is_normalized"]
    assert f"stain normalized by {method}" in capsys.readouterr().out


def test_a_slide_of_unknown_stain_is_read_as_it_is_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = METADATA | {"normalization": "macenko", "patch_size": SIDE}
    told = write_red_model(tmp_path / "export" / "1", metadata=metadata)
    pixels = np.full((64, 64, 3), (120, 60, 140), np.uint8)
    slide = write_picture(tmp_path / "a.png", pixels)
    options = ("--set", f"side={SIDE}", "--set", "min_tissue=0")
    assert _run(slide, told, tmp_path / "out", *options) == 0
    assert "Warning: the model was trained on patches" in capsys.readouterr().err
    row = _rows(tmp_path / "out")[0]
    assert float(row["malignant_probability"]) == pytest.approx(
        answer_of(pixels), abs=0.01
    )


def test_the_scales_give_the_side(model: Path, tmp_path: Path) -> None:
    _, pixels = _draw_blocks()
    told = write_red_model(tmp_path / "run" / "export" / "1", metadata=METADATA)
    slide = write_slide(tmp_path / "a.tif", pixels, mpp=(0.5, 0.5))
    # 32 px of 0.25 µm in training are 16 px of 0.5 µm.
    assert _run(slide, told, tmp_path / "out") == 0
    summary = read_json(tmp_path / "out" / "summary.json")
    assert (summary["side"], summary["mpp"]) == (16, 0.5)
    assert summary["made_of"]["model"]["metadata"] == METADATA
    # What the user says wins.
    scales = ("--set", "slide_mpp=0.2", "--set", "model_mpp=0.4")
    assert _run(slide, told, tmp_path / "out", *scales) == 0
    summary = read_json(tmp_path / "out" / "summary.json")
    assert (summary["side"], summary["mpp"]) == (64, 0.2)


@pytest.mark.parametrize(
    "options, message",
    [
        ((), "model_mpp=0.0, slide_mpp=0.0. Set what is 0 with --set model_mpp=0.5"),
        (("--set", "slide_mpp=0.5"), "model_mpp=0.0, slide_mpp=0.5."),
        (("--set", "side=500"), "as one patch, got size='228×166'"),
        (("--set", "side=100000"), "as large as one patch, got"),
        (("--set", "sides=16"), "--set: unknown key sides: it must be one of side,"),
        (("--set", "side=0"), "--set: side must be at least 1, got 0."),
        (("--set", "batch_size=0"), "--set: batch_size must be at least 1, got 0."),
        (("--set", "stride=0.0"), "stride must be in (0, 1], got 0.0."),
        (("--set", "level=1.5"), "level must be in (0, 1], got 1.5."),
        (("--set", "min_tissue=2"), "min_tissue must be in [0, 1], got 2.0."),
        (("--set", "slide_mpp=0"), "slide_mpp must be in (0, 100], got 0.0."),
        (("--set", "overlay_side=99"), "overlay_side must be in [200, 2600], got 99."),
    ],
)
def test_a_mistake_is_told_and_leaves_no_heatmap(
    model: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, pixels = _draw_blocks()
    slide = write_picture(tmp_path / "a.png", pixels)
    assert _run(slide, model, tmp_path / "out", *options) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said
    assert not (tmp_path / "out" / "summary.json").exists()


def test_what_is_no_slide_or_holds_no_tissue_is_told(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    glass = write_picture(tmp_path / "glass.png", np.full((64, 64, 3), 240, np.uint8))
    (tmp_path / "a.svs").write_bytes(b"no slide")
    (tmp_path / "b.png").write_bytes(b"no picture")
    wrong = {
        glass: "must have 25% tissue, got patches=16, most_tissue=0.0",
        tmp_path / "a.svs": "a.svs",
        tmp_path / "b.png": "must be a whole PNG, JPEG, BMP, TIFF or DICOM file",
        tmp_path / "none.png": "A picture must be a file",
    }
    for slide, message in wrong.items():
        assert _run(slide, model, tmp_path / "out", "--set", "side=16") == 2
        said = capsys.readouterr().err
        assert message in said and "Traceback" not in said
    # Glass is read when that is asked for.
    asked = ("--set", "side=16", "--set", "min_tissue=0")
    assert _run(glass, model, tmp_path / "out", *asked) == 0
    assert len(_rows(tmp_path / "out")) == 16


def test_a_model_that_answers_nan_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_red_model(tmp_path / "1", slope=np.nan)
    slide = write_picture(tmp_path / "a.png", _draw_blocks()[1])
    assert _run(slide, broken, tmp_path / "out", "--set", "side=16") == 2
    assert "for each patch, got not_finite=" in capsys.readouterr().err


def test_slide_and_model_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = {
        "needs a slide, got no --slide. Name the slide with": ["--model", "m"],
        "needs an exported model, got no --model. Name its": ["--slide", "s"],
    }
    for message, arguments in wanted.items():
        assert run.main(["--stage", "heatmap", *arguments]) == 2
        assert f"Stage heatmap {message}" in capsys.readouterr().err


def test_many_slides_are_read_by_one_model(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, pixels = _draw_blocks()
    slides = [write_picture(tmp_path / f"{i}.png", pixels[i:]) for i in range(2)]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    loads: list[Path] = []
    load = stage.load_exported
    monkeypatch.setattr(
        stage, "load_exported", lambda path: (loads.append(path), load(path))[1]
    )
    out, paths = tmp_path / "out", [slides[0], broken, slides[1]]
    arguments = ["--model", str(model), "--out", str(out), "--set", "side=16"]
    named = ["--stage", "heatmap", "--slide", *map(str, paths)]
    assert run.main([*named, *arguments]) == 2
    said = capsys.readouterr().err
    assert "Each of 3 slides must be read, got 1 that failed, first" in said
    assert "finished slides are kept" in said and loads == [model]
    assert _run(slides[1], model, tmp_path / "alone", "--set", "side=16") == 0
    for name in FILES:
        held = (out / "1.png" / name).read_bytes()
        assert held == (tmp_path / "alone" / name).read_bytes()
    assert _rows(out / "0.png") != _rows(out / "1.png")
    assert not (out / "broken.png" / "summary.json").exists()
    twice = ["--stage", "heatmap", "--slide", "a/x.svs", "b/x.svs", *arguments]
    assert run.main(twice) == 2
    assert "names of their own, got slide=['x.svs']" in capsys.readouterr().err


def test_a_folder_in_use_is_left_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, pixels = _draw_blocks()
    slide = write_picture(tmp_path / "a.png", pixels)
    with locked(tmp_path / ".lock", folder="", way_out=""):
        assert _run(slide, model, tmp_path, "--set", "side=16") == 2
    assert "name another folder with --out" in capsys.readouterr().err


@pytest.mark.shared
def test_real_slides_are_read_whole(
    model: Path, shared_data: Path, tmp_path: Path
) -> None:
    pytest.importorskip("openslide", reason="the slides extra is not installed")
    for slide in sorted((shared_data / "slides").glob("*.svs")):
        out = tmp_path / slide.name
        assert _run(slide, model, out, "--set", "side=224") == 0
        summary = read_json(out / "summary.json")
        width, height = summary["size"]
        assert summary["patches"]["in_grid"] == -(-width // 224) * -(-height // 224)
        assert 20 < summary["patches"]["read"] < summary["patches"]["in_grid"]
        features = json.loads((out / "heatmap.geojson").read_text())["features"]
        assert len(features) == summary["regions"] > 0
        areas = [shape_of(feature["geometry"]) for feature in features]
        assert all(area.is_valid for area in areas)
        drawn = read_class_map(
            out / "heatmap.geojson", (height, width), classes=("malignant",)
        )
        assert drawn.sum() == sum(area.area for area in areas)
