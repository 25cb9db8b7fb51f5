"""The nuclei set: clusters become labels, and labs do not become clusters."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.config.sets import NucleiSetConfig, SourceConfig, SplitConfig
from data_prep.engine import Engine
from data_prep.measure.nuclei import NucleiMeasurement
from data_prep.measure.population import MEASURES
from data_prep.sets import look
from data_prep.sets.build import BuildOptions, build_nuclei_set
from gastric_keras.records.schema import read_records
from tests.helpers.small_pictures import write_index, write_picture

HERE = BuildOptions(Engine(workers=1))
HALVES = SplitConfig(train=0.5, validation=0.5, test=0.0)


def _measure_by_brightness(image: np.ndarray, config: object) -> NucleiMeasurement:
    """Stands for the segmentation: dark patches have few, large nuclei."""
    value = int(image[0, 0, 0])
    return NucleiMeasurement(
        count=5 + value // 10,
        total_area=1000.0 - value,
        total_area_um2=None,
        labels=np.zeros(image.shape[:2], np.int32),
        tissue_fraction=0.0 if value > 240 else 1.0,
        nuclear_hematoxylin=1.0,
        contrast=1.0,
        unevenness=0.0,
    )


def _write_shades(folder: Path, shades: dict[str, int]) -> SourceConfig:
    rows = []
    for name, shade in shades.items():
        pixels = np.full((8, 8, 3), shade, np.uint8)
        write_picture(folder / f"{name}.png", pixels)
        rows.append({"path": f"{name}.png", "case_id": name})
    index = write_index(folder / "index.csv", rows)
    return SourceConfig(images=str(folder), index=str(index), patch_size=8)


def test_nuclei_patches_are_clustered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "measure_nuclei", _measure_by_brightness)
    shades = {f"few{i}": 10 + i for i in range(6)} | {"glass": 255}
    shades |= {f"many{i}": 200 + i for i in range(6)}
    config = NucleiSetConfig(
        sources=(_write_shades(tmp_path / "in", shades),),
        splits=HALVES,
        artifacts=None,
    )
    manifest = build_nuclei_set(config, tmp_path / "set", options=HERE)
    assert manifest.dropped == {"too little tissue": 1}
    labels = Counter()
    for split in manifest.counts:
        for record in read_records(tmp_path / "set", split):
            labels[record.image_id[:3], record.label] += 1
    assert labels == {("man", 0): 6, ("few", 1): 6}
    clustering = manifest.config["clustering"]
    assert clustering["quality"]["sizes"] == [6, 6]
    assert clustering["centers"][1] == [pytest.approx(6.0), pytest.approx(987.5)]


def test_measures_are_leveled_and_standardized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "measure_nuclei", _measure_by_brightness)
    monkeypatch.setattr(
        look, "measure_population", lambda m, mpp: (m.count * mpp, *range(6))
    )
    sources = tuple(
        dataclasses.replace(_write_shades(tmp_path / name, shades), name=name, mpp=0.5)
        for name, shades in (
            ("dark", {f"d{i}": 10 * i + 10 for i in range(6)}),
            ("pale", {f"p{i}": 10 * i + 150 for i in range(6)}),
        )
    )
    config = NucleiSetConfig(
        sources=sources, splits=HALVES, artifacts=None, task="measures"
    )
    manifest = build_nuclei_set(config, tmp_path / "set", options=HERE)
    assert manifest.quantities == MEASURES and manifest.schema_version == 2
    scaling = manifest.config["standardization"]
    assert [*scaling] == [*MEASURES] and scaling["total_area"] == {"mean": 0, "std": 1}
    records = [r for s in manifest.counts for r in read_records(tmp_path / "set", s)]
    for source in ("dark", "pale"):
        own = [r.quantities for r in records if r.image_id.startswith(source)]
        # Leveled: each source has the mean and the deviation of all.
        np.testing.assert_allclose(np.mean(own, axis=0), np.zeros(7), atol=1e-6)
        assert np.std(own, axis=0)[0] == pytest.approx(1, abs=1e-6)


def test_two_labs_do_not_become_the_two_clusters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "measure_nuclei", _measure_by_brightness)
    dark = {f"d{i}": shade for i, shade in enumerate((10, 12, 30, 32))}
    pale = {f"p{i}": shade for i, shade in enumerate((200, 202, 220, 222))}
    sources = tuple(
        dataclasses.replace(_write_shades(tmp_path / name, shades), name=name)
        for name, shades in (("dark", dark), ("pale", pale))
    )
    found = {}
    for level in (True, False):
        config = NucleiSetConfig(
            sources=sources, splits=HALVES, level_sources=level, artifacts=None
        )
        out = tmp_path / str(level)
        manifest = build_nuclei_set(config, out, options=HERE)
        found[level] = {
            (record.image_id[0], record.label)
            for split in manifest.counts
            for record in read_records(out, split)
        }
    assert found[False] == {("d", 1), ("p", 0)}
    assert found[True] == {("d", 0), ("d", 1), ("p", 0), ("p", 1)}
