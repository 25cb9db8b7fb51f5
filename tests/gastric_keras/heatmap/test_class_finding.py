"""A slide read by a model of three classes whose answer is known for each patch."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from shapely.geometry import shape as shape_of

from data_prep.sources.region_maps import read_class_map
from gastric_keras import run
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap import inference
from gastric_keras.heatmap.class_finding import class_colors
from gastric_keras.heatmap.finding import check_options
from gastric_keras.heatmap.overlay import draw_class_overlay
from gastric_keras.heatmap.overlay_frame import Caption
from gastric_keras.heatmap.probability_map import ProbabilityMap, outline_cells
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.helpers.small_exports import COLORS, color_export, raw_colors_of
from tests.helpers.small_pictures import write_picture

SIDE = 16
#: Glass, and tissue of each class.
KINDS = np.array([(240, 240, 240), (160, 30, 90), (60, 140, 40), (60, 30, 150)])
FILES = {"patches.csv", "probability.npy", "heatmap.geojson", "overlay.png"}


@pytest.fixture
def model() -> Path:
    return color_export().parent


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_BARE_SECONDS", 0.01)


def _run(slide: Path, model: Path, out: Path, *options: str) -> int:
    arguments = ["--stage", "heatmap", "--slide", str(slide), "--model", str(model)]
    sets = [word for each in ("side=16", *options) for word in ("--set", each)]
    return run.main([*arguments, "--out", str(out), *sets])


def test_each_class_has_its_map_and_its_regions(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = np.zeros((6, 8), int)
    kinds[1:5, 1:7] = np.random.default_rng(1).integers(1, 4, (4, 6))
    pixels = KINDS[kinds].repeat(SIDE, 0).repeat(SIDE, 1).astype(np.uint8)
    slide = write_picture(tmp_path / "a.png", pixels)
    out = tmp_path / "out"
    assert _run(slide, model, out, "tiles=true") == 0
    assert {p.name for p in out.iterdir()} == FILES | {"summary.json", ".lock"}
    values = np.load(out / "probability.npy")
    assert values.shape == (6, 8, 3) and values.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(values[..., 0]), kinds == 0)
    called = np.where(kinds > 0, np.nan_to_num(values).argmax(axis=-1) + 1, 0)
    np.testing.assert_array_equal(called, kinds)
    with open(out / "patches.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        x, y = int(row["x"]), int(row["y"])
        raw = [float(row[f"raw_{name}_probability"]) for name in COLORS]
        wanted = raw_colors_of(pixels[y : y + SIDE, x : x + SIDE])
        np.testing.assert_allclose(raw, wanted, atol=0.01)
        assert row["label"] == COLORS[kinds[y // SIDE, x // SIDE] - 1]
    # By data_prep's reader, as a region map of QuPath.
    drawn = read_class_map(out / "heatmap.geojson", kinds.shape, classes=COLORS)
    assert drawn.shape == kinds.shape
    features = json.loads((out / "heatmap.geojson").read_text())["features"]
    tiles = [f for f in features if f["properties"]["objectType"] == "tile"]
    regions = [f for f in features if f["properties"]["objectType"] == "annotation"]
    assert len(tiles) == len(rows)
    assert set(tiles[0]["properties"]["measurements"]) == {
        f"{name} probability" for name in COLORS
    }
    for place, name in enumerate(COLORS, start=1):
        mine = [f for f in regions if f["properties"]["classification"]["name"] == name]
        area = sum(shape_of(f["geometry"]).area for f in mine)
        assert area == (kinds == place).sum() * SIDE**2
        color = list(class_colors(3)[place - 1])
        assert all(f["properties"]["classification"]["color"] == color for f in mine)
        mean = mine[0]["properties"]["measurements"][f"mean {name} probability"]
        assert 1 / 3 < mean <= 1
    summary = read_json(out / "summary.json")
    numbers = {name: int((kinds == i).sum()) for i, name in enumerate(COLORS, 1)}
    assert summary["patches"]["called"] == numbers
    assert sum(summary["regions"].values()) == len(regions)
    assert summary["classes"] == list(COLORS) and "threshold" not in summary
    said = capsys.readouterr().out
    assert f"red {numbers['red']} ({numbers['red'] / len(rows):.0%})" in said
    # Another picture of the same answers.
    before = {name: (out / name).read_bytes() for name in FILES}
    assert _run(slide, model, out, "tiles=true", "map_class=green") == 0
    for name in FILES:
        assert ((out / name).read_bytes() == before[name]) is (name != "overlay.png")


def test_options_that_do_not_fit_the_classes_are_told(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, message in (
        ("level=0.4", "level must be null with 3 classes, got 0.4."),
        ("map_class=gray", "null or one of red, green, blue, got 'gray'."),
    ):
        assert _run(tmp_path / "none.png", model, tmp_path / "out", option) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    two = replace(load_exported(model), scored_classes=("malignant",))
    with pytest.raises(InputError, match="null with a model of two classes, got 'red'"):
        check_options(HeatmapConfig(map_class="red"), two)


def test_each_place_has_the_color_of_its_call() -> None:
    values = np.full((2, 3, 3), np.nan, np.float32)
    values[0, :2] = [(0.6, 0.2, 0.2), (0.1, 0.1, 0.8)]
    values[1, 1:] = [(0.3, 0.4, 0.3), (0.4, 0.4, 0.2)]
    maps = ProbabilityMap(values, 300, (600, 900))
    glass = (200, 210, 220)
    png = draw_class_overlay(
        np.full((600, 900, 3), glass, np.uint8),
        maps,
        [outline_cells(maps, np.zeros((2, 3), bool))] * 3,
        names=["red 50%", "green 25%", "a\u202ename of many letters that is wrapped"],
        colors=class_colors(3),
        caption=Caption("slide.svs", "4 patches", 0),
        opacity=1.0,
    )
    drawn = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    # Equal ones are the first of them.
    for color, cells in zip((*class_colors(3), glass), (2, 1, 1, 2), strict=True):
        assert _count(drawn, color) == pytest.approx(cells * 300**2, rel=0.05)


def _count(picture: npt.NDArray[np.uint8], color: tuple[int, ...]) -> int:
    near = np.abs(picture.astype(int) - np.asarray(color)).max(axis=2) <= 3
    return int(near.sum())


@pytest.mark.parametrize("number", [3, 7, 8, 40])
def test_no_two_classes_have_one_color(number: int) -> None:
    colors = class_colors(number)
    assert len(set(colors)) == number
    assert all(0 <= each <= 255 for color in colors for each in color)
