"""A set that was cut short, or made elsewhere, has the bytes of one that was not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_prep import engine
from data_prep.config.sets import (
    SourceConfig,
    SplitConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.engine import Engine
from data_prep.sets import build as sets
from data_prep.sets.build import BuildOptions, build_target_set, build_tissue_set
from gastric_keras.records.schema import read_records
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import box, feature, write_target_folder

HALVES = SplitConfig(train=0.5, validation=0.5, test=0.0)
HERE = BuildOptions(Engine(workers=1))


def _config(folder: Path) -> TargetSetConfig:
    source = SourceConfig(images=str(folder), index=str(folder / "index.csv"))
    return TargetSetConfig(
        sources=(source,), patch_size=8, splits=HALVES, records_per_shard=20
    )


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _cut_short_after(number: int) -> Callable[..., None]:
    done = []

    def write(path: Path, content: bytes) -> None:
        if len(done) == number:
            raise KeyboardInterrupt
        done.append(path)
        engine_write(path, content)

    engine_write = engine.write_atomic
    return write


@pytest.mark.parametrize("number", [0, 3, 16, 20])
def test_a_cut_short_build_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    config = _config(write_target_folder(tmp_path / "in"))
    build_target_set(config, tmp_path / "whole", options=HERE)
    with monkeypatch.context() as patch:
        # Sixteen pictures are sixteen bundles in each of the two passes.
        patch.setattr(engine, "write_atomic", _cut_short_after(number))
        with pytest.raises(KeyboardInterrupt):
            build_target_set(config, tmp_path / "broken", options=HERE)
    assert not (tmp_path / "broken").exists()
    count: list[Any] = []
    with monkeypatch.context() as patch:
        write = engine.write_atomic
        patch.setattr(
            engine, "write_atomic", lambda *args: (count.append(1), write(*args))
        )
        build_target_set(config, tmp_path / "broken", options=HERE)
    assert len(count) == 32 - number, "nothing is done twice"
    assert _bytes(tmp_path / "broken") == _bytes(tmp_path / "whole")
    assert not (tmp_path / ".broken.partial").exists()


def test_a_build_killed_before_its_name_is_given_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(write_target_folder(tmp_path / "in"))
    build_target_set(config, tmp_path / "whole", options=HERE)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sets, "take_name", stop)
        with pytest.raises(KeyboardInterrupt):
            build_target_set(config, tmp_path / "broken", options=HERE)
    build_target_set(config, tmp_path / "broken", options=HERE)
    assert _bytes(tmp_path / "broken") == _bytes(tmp_path / "whole")


def test_beam_makes_the_same_set(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    folder = write_target_folder(tmp_path / "in")
    build_target_set(_config(folder), tmp_path / "local", options=HERE)
    beam = BuildOptions(Engine(runner="DirectRunner"))
    build_target_set(_config(folder), tmp_path / "beam", options=beam)
    assert _bytes(tmp_path / "beam") == _bytes(tmp_path / "local")
    (folder / "c0_0.png").write_bytes(b"no picture")
    strict = BuildOptions(Engine(runner="DirectRunner"), strict=True)
    with pytest.raises(InputError, match="c0_0.png"):
        build_target_set(_config(folder), tmp_path / "none", options=strict)


@pytest.mark.shared
def test_a_slide_in_bands_is_the_slide_in_one(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openslide", reason="the slides extra is not installed")
    slides = tmp_path / "in"
    slides.mkdir()
    name = "CMU-1-Small-Region"
    (slides / f"{name}.svs").symlink_to(shared_data / "slides" / f"{name}.svs")
    regions = [
        feature("Stroma", [box(0, 0, 2220, 1500)]),
        feature("Epithelium", [box(0, 1500, 1500, 2967)]),
        feature("Background", [box(1500, 1500, 2220, 2967)]),
    ]
    (slides / f"{name}.geojson").write_text(json.dumps(regions))
    config = TissueSetConfig(
        sources=(SourceConfig(images=str(slides), case_pattern="(CMU-1)"),),
        patch_um=128.0,
        stored_size=128,
        splits=SplitConfig(train=1.0, validation=0.0, test=0.0),
    )
    manifest = build_tissue_set(config, tmp_path / "one", options=HERE)
    # 128 µm are 257 px of 0.499 µm; stored at 128 px a pixel shows 1 µm.
    assert manifest.mpp == pytest.approx(1.0, rel=0.01)
    assert manifest.count("train") > 50
    monkeypatch.setattr("data_prep.sets.view._PART_PIXELS", 1_200_000)
    build_tissue_set(config, tmp_path / "bands", options=HERE)
    one = list(read_records(tmp_path / "one", "train"))
    assert one == list(read_records(tmp_path / "bands", "train"))
    assert {record.x % 257 for record in one} == {0}
