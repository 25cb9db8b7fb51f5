"""Region maps that several pictures share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.config.sets import SourceConfig, TissueSetConfig
from data_prep.config.sources import ColumnsConfig
from data_prep.sources.pictures import read_sources
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import (
    box,
    feature,
    noise,
    write_index,
    write_picture,
)


def _write(root: Path, *names: str, identity: str = "") -> None:
    one = {**feature("Stroma", [box(0, 0, 32, 32)]), "id": identity}
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".png":
            write_picture(path, noise(0))
        else:
            path.write_text(
                json.dumps({"type": "FeatureCollection", "features": [one]})
            )


def _read(source: SourceConfig) -> Ledger:
    ledger = Ledger()
    config = TissueSetConfig(
        sources=(source,), classes=("epithelium", "stroma"), patch_size=32
    )
    read_sources(config, "annotation", allow_ungrouped=True, ledger=ledger)
    return ledger


def test_a_map_found_by_a_name_that_two_folders_have_is_refused(
    tmp_path: Path,
) -> None:
    _write(tmp_path, "images/a/x.png", "images/b/x.png", "maps/x.geojson")
    source = SourceConfig(
        images=str(tmp_path / "images"), annotations=str(tmp_path / "maps")
    )
    with pytest.raises(InputError, match="x.geojson for a/x.png, b/x.png"):
        _read(source)
    (tmp_path / "maps/x.geojson").unlink()
    _write(tmp_path, "maps/a/x.geojson", "maps/b/x.geojson")
    assert _read(source).warnings == []


def test_a_map_that_the_index_names_twice_is_told(tmp_path: Path) -> None:
    _write(tmp_path, "a.png", "b.png", "a.geojson")
    rows = [{"path": name, "map": "a.geojson"} for name in ("a.png", "b.png")]
    source = SourceConfig(
        images=str(tmp_path),
        index=str(write_index(tmp_path / "index.csv", rows)),
        columns=ColumnsConfig(case="", annotation="map"),
    )
    (warning,) = _read(source).warnings
    assert "one region map for 2 pictures" in warning and "a.png, b.png" in warning


def test_copies_of_outlines_are_told_and_equal_boxes_are_not(tmp_path: Path) -> None:
    source = SourceConfig(images=str(tmp_path))
    _write(tmp_path, "a.png", "b.png", "a.geojson", "b.geojson")
    assert _read(source).warnings == []
    identity = "5d3b5a9e-6c1b-4a53-9a0a-5f0c7c9b8a11"
    _write(tmp_path, "a.geojson", "b.geojson", identity=identity)
    (warning,) = _read(source).warnings
    assert "2 pictures with the same outlines" in warning and "a.png, b.png" in warning
