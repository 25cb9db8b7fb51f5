"""Slides with bounds: outlines to a set to a model to a heatmap to outlines."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from shapely import union_all
from shapely.geometry import shape as shape_of

from data_prep.config.sets import SourceConfig, SplitConfig, TissueSetConfig
from data_prep.engine import Engine
from data_prep.sets.build import BuildOptions, build_tissue_set
from data_prep.sets.found import Part
from data_prep.sets.look import find_tissue
from data_prep.sources.pictures import ImageSource
from gastric_keras import run
from gastric_keras.imaging.images import decode_image
from gastric_keras.imaging.slides import open_picture
from gastric_keras.records.schema import read_records
from gastric_keras.support.files import read_json
from tests.helpers.small_exports import write_red_model
from tests.helpers.small_pictures import box, feature, write_index, write_scn

SIDE = 16
CORNER = (331, 173)
#: Red glands in blue stroma, in patches.
GLANDS = ((2, 2, 6, 5), (9, 1, 12, 9), (3, 7, 7, 10))
HEIGHT, WIDTH = 12 * SIDE, 15 * SIDE


def _pixels(seed: int) -> npt.NDArray[np.uint8]:
    pixels = np.full((HEIGHT, WIDTH, 3), (40, 20, 160), np.uint8)
    for left, top, right, bottom in np.array(GLANDS) * SIDE:
        pixels[top:bottom, left:right] = (230, 20, 60)
    noise = np.random.default_rng(seed).integers(0, 20, pixels.shape, np.uint8)
    return pixels + noise


def _outlines() -> list[dict]:
    glands = [
        feature("Malignant", [box(*(float(edge * SIDE) for edge in gland))])
        for gland in GLANDS
    ]
    stroma = feature("Benign", [box(0, 0, WIDTH, HEIGHT)])
    stroma["properties"]["childObjects"] = glands
    return [stroma]


def test_outlines_come_back_where_they_were_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for number in range(2):
        parts = [(*CORNER, _pixels(number))]
        write_scn(folder / f"s{number}.scn", parts, (768, 512))
        (folder / f"s{number}.geojson").write_text(json.dumps(_outlines()))
    rows = [{"path": f"s{number}.scn", "case_id": str(number)} for number in range(2)]
    write_index(folder / "index.csv", rows)

    config = TissueSetConfig(
        sources=(
            SourceConfig(
                images=str(folder),
                annotations=str(folder),
                index=str(folder / "index.csv"),
            ),
        ),
        classes=("benign", "malignant"),
        patch_size=SIDE,
        artifacts=None,
        splits=SplitConfig(train=0.5, validation=0.5),
    )
    options = BuildOptions(engine=Engine(workers=1))
    manifest = build_tissue_set(config, tmp_path / "set", options=options)
    total = sum((right - left) * (bottom - top) for left, top, right, bottom in GLANDS)
    for split in ("train", "validation"):
        assert manifest.counts[split] == {
            "benign": 12 * 15 - total,
            "malignant": total,
        }
        for record in read_records(tmp_path / "set", split):
            is_red = (
                decode_image(record.image, name=record.image_id)[..., 0].mean() > 128
            )
            assert is_red == bool(record.label)

    model = write_red_model(tmp_path / "export" / "1").parent
    out = tmp_path / "heatmap"
    arguments = ["--slide", str(folder / "s0.scn"), "--model", str(model)]
    arguments += ["--out", str(out), "--set", f"side={SIDE}", "--set", "tiles=true"]
    assert run.main(["--stage", "heatmap", *arguments]) == 0

    found = json.loads((out / "heatmap.geojson").read_text())["features"]
    regions = [f for f in found if f["properties"]["objectType"] == "annotation"]
    area = union_all([shape_of(region["geometry"]) for region in regions])
    glands = union_all(
        [
            shape_of(gland["geometry"])
            for gland in _outlines()[0]["properties"]["childObjects"]
        ]
    )
    assert area.intersection(glands).area / area.union(glands).area >= 0.95
    tiles = [f for f in found if f["properties"]["objectType"] == "tile"]
    corners = {shape_of(tile["geometry"]).bounds[:2] for tile in tiles}
    assert min(corners) == (0, 0) and len(corners) == 12 * 15
    # In the table they are px of the slide, as OpenSlide reads them.
    with open(out / "patches.csv", newline="") as stream:
        places = {(int(row["x"]), int(row["y"])) for row in csv.DictReader(stream)}
    assert min(places) == CORNER and len(places) == len(tiles)
    summary = read_json(out / "summary.json")
    assert summary["size"] == [768, 512]
    assert summary["bounds"] == [*CORNER, WIDTH, HEIGHT]
    assert np.load(out / "probability.npy").shape == (12, 15)

    # What the product wrote is a region map like any other, tiles passed over.
    (folder / "s1.geojson").write_text((out / "heatmap.geojson").read_text())
    source = SourceConfig(images=str(folder), unannotated="benign")
    again = find_tissue(
        dataclasses.replace(config, sources=(source,)),
        Part(
            ImageSource(folder / "s1.scn", "a", "a", annotation=folder / "s1.geojson")
        ),
    )
    with open_picture(folder / "s1.scn") as slide:
        for ref in again.refs:
            is_red = slide.read(ref.x, ref.y, SIDE, SIDE)[..., 0].mean() > 128
            assert is_red == bool(ref.label)
    assert len(again.refs) == 12 * 15
    assert again.outlines["passed over: tile"] == len(tiles)
