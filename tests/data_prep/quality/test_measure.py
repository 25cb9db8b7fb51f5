"""Figures of a set whose truth is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from data_prep.config.sets import NucleiConfig
from data_prep.quality.measure import (
    OVER_CAP,
    SAMPLE,
    associate,
    figures_of,
    read_sample,
)
from data_prep.quality.verdict import Association, Quality
from gastric_keras.imaging.images import encode_png
from gastric_keras.records.manifest import (
    Manifest,
    Shard,
    read_manifest,
    shard_name,
    write_manifest,
)
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.config_io import to_dict
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of
from tests.helpers.small_sets import write_small_set

CLUSTERS = {
    "silhouette": 0.5,
    "davies_bouldin": 0.8,
    "stability": 1.0,
    "sizes": [50, 50],
}


def change_manifest(folder: Path, **changes: Any) -> None:
    write_manifest(folder, dataclasses.replace(read_manifest(folder), **changes))


def write_records(
    folder: Path, records: list[PatchRecord], classes: tuple[str, ...], **known: Any
) -> Path:
    """A set of one split, train, in one shard."""
    folder.mkdir(parents=True)
    name = shard_name("train", 0, 1)
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for record in records:
            writer.write(serialize(record))
    size = (folder / name).stat().st_size
    labels = [record.label for record in records]
    manifest = Manifest(
        dataset="tissue",
        classes=classes,
        counts={"train": {c: labels.count(i) for i, c in enumerate(classes)}},
        cases={"train": tuple(sorted({record.case_id for record in records}))},
        patch_size=16,
        mpp=0.5,
        dropped={},
        config={},
        shards=(Shard(name, "train", len(records), size, sha256_of(folder / name)),),
    )
    write_manifest(folder, dataclasses.replace(manifest, **known))
    return folder


def _measure(folder: Path, *, sample: int = SAMPLE) -> Quality:
    return figures_of(folder, read_sample(folder, sample=sample))


def gray(level: int) -> bytes:
    return encode_png(np.full((16, 16, 3), level, np.uint8))


# ---- Cramer's V ------------------------------------------------------------------


def test_v_of_a_table_worked_by_hand() -> None:
    # [[30, 10], [10, 30]]: χ² = 20, φ² = 1/4; corrected (1/4 - 1/79) / (1 - 1/79).
    first = [0] * 40 + [1] * 40
    second = [0] * 30 + [1] * 10 + [0] * 10 + [1] * 30
    found = associate(first, second)
    assert found is not None
    assert found.cramers_v == pytest.approx(0.5)
    assert found.corrected == pytest.approx(((1 / 4 - 1 / 79) / (78 / 79)) ** 0.5)


def test_equal_labels_hang_together_wholly() -> None:
    found = associate("aabbcc" * 20, "xxyyzz" * 20)
    assert found == Association(pytest.approx(1.0), pytest.approx(1.0))


def test_correction_takes_the_bias_of_many_cases_away() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 1000).tolist()
    cases = rng.integers(0, 150, 1000).tolist()
    found = associate(classes, cases)
    assert found is not None
    assert found.cramers_v > 0.3
    assert found.corrected < 0.15


def test_a_label_that_never_changes_has_no_association() -> None:
    assert associate("aaaa", "abab") is None


def test_cases_of_one_patch_each_prove_nothing() -> None:
    found = associate("aabb", "wxyz")
    assert found == Association(pytest.approx(1.0), 0.0)


# ---- of a set --------------------------------------------------------------------


@pytest.mark.parametrize("levels", [(60, 200), (200, 60)])
def test_stain_that_gives_the_class_away_is_found(
    tmp_path: Path, levels: tuple[int, int]
) -> None:
    records = [
        PatchRecord(gray(levels[i % 2] + i), i % 2, f"p{i % 5}", "i", i, 0)
        for i in range(40)
    ]
    quality = _measure(write_records(tmp_path / "set", records, ("one", "two")))
    assert quality.hematoxylin_auc == {"one against two": 1.0}
    assert quality.case_association is not None
    assert quality.case_association.corrected == 0.0
    assert quality.source_association is None
    assert len(quality.warnings) == 1
    assert "tells one against two with an AUC of 1.00" in quality.warnings[0]


def test_glass_may_be_known_by_its_lack_of_stain(tmp_path: Path) -> None:
    levels = (250, 100, 100)
    records = [
        PatchRecord(gray(levels[i % 3] - i % 4), i % 3, f"p{i % 5}", "i", i, 0)
        for i in range(60)
    ]
    classes = ("background", "epithelium", "stroma")
    quality = _measure(write_records(tmp_path / "set", records, classes))
    assert quality.hematoxylin_auc["background"] == 1.0
    assert quality.warnings == ()


def test_cases_and_sources_that_say_the_class_are_found(tmp_path: Path) -> None:
    records = [
        PatchRecord(
            gray(100 + i // 2), i % 2, f"{'ab'[i % 2]}/p", f"{'ab'[i % 2]}/i", i, 0
        )
        for i in range(40)
    ]
    sources = {"sources": [{"name": "a"}, {"name": "b"}]}
    folder = write_records(tmp_path / "set", records, ("one", "two"), config=sources)
    quality = _measure(folder)
    assert quality.case_association == Association(1.0, pytest.approx(1.0))
    assert quality.source_association == quality.case_association
    assert quality.largest_cases == {"one": ("a/p", 1.0), "two": ("b/p", 1.0)}
    assert [warning.split(":")[0] for warning in quality.warnings] == [
        "Case a/p gives 100% of class one, more than 50%",
        "Case b/p gives 100% of class two, more than 50%",
        "The class is tied to the case",
        "The class is tied to the source",
    ]


def test_a_cap_does_not_count_as_loss(tmp_path: Path) -> None:
    write_small_set(tmp_path / "set", "tissue", ("a", "b"), per_class={"train": 10})
    change_manifest(tmp_path / "set", dropped={OVER_CAP: 970, "classes mixed": 10})
    assert _measure(tmp_path / "set").share_kept == pytest.approx(0.99)


def nuclei_set(folder: Path) -> Path:
    """Patches of 2 and of 10 nuclei, clustered by what is measured in them."""
    write_small_set(folder, "nuclei", ("few", "many"), per_class={"train": 30})
    change_manifest(folder, config={"nuclei": to_dict(NucleiConfig())})
    look = read_sample(folder)
    assert look.nuclei is not None
    centers = [look.nuclei[look.labels == label].mean(axis=0) for label in (0, 1)]
    notes = {
        "centers": [center.tolist() for center in centers],
        "mean": look.nuclei.mean(axis=0).tolist(),
        "std": look.nuclei.std(axis=0).tolist(),
        "quality": CLUSTERS,
    }
    config = {"nuclei": to_dict(NucleiConfig()), "clustering": notes}
    change_manifest(folder, config=config)
    return folder


def test_nuclei_measured_again_give_the_clusters(tmp_path: Path) -> None:
    folder = nuclei_set(tmp_path / "set")
    quality = _measure(folder)
    assert quality.agreement == 1.0
    assert quality.clusters == CLUSTERS
    config = read_manifest(folder).config
    config["clustering"]["centers"].reverse()
    change_manifest(folder, config=config)
    turned = _measure(folder)
    assert turned.agreement == 0.0
    assert any("Measured again, 0% of the patches" in one for one in turned.warnings)


def test_sources_are_leveled_as_they_were_clustered(tmp_path: Path) -> None:
    small = write_small_set(
        tmp_path / "small", "nuclei", ("few", "many"), per_class={"train": 20}
    )
    records = [
        dataclasses.replace(record, image_id=f"{'ab'[i % 4 // 2]}/{i}")
        for i, record in enumerate(small)
    ]
    config = {
        "sources": [{"name": "a"}, {"name": "b"}],
        "level_sources": True,
        "nuclei": to_dict(NucleiConfig()),
        "clustering": {
            "centers": [[1, 1], [9, 9]],
            "mean": [5.0, 50.0],
            "std": [2.0, 20.0],
            "quality": {**CLUSTERS, "sizes": [20, 20]},
        },
    }
    folder = write_records(
        tmp_path / "set", records, ("few", "many"), dataset="nuclei", config=config
    )
    look = read_sample(folder)
    assert look.nuclei is not None
    for source in "ab":
        own = look.nuclei[look.sources == source]
        assert own.mean(axis=0) == pytest.approx([5, 50])
        assert own.std(axis=0) == pytest.approx([2, 20])


def test_the_sample_is_shared_by_the_splits(tmp_path: Path) -> None:
    write_small_set(
        tmp_path / "set",
        "tissue",
        ("a", "b"),
        per_class={"train": 15, "validation": 5},
        size=16,
    )
    assert _measure(tmp_path / "set", sample=20).sampled == 20
    assert _measure(tmp_path / "set", sample=1).sampled == 2
    quality = _measure(tmp_path / "set")
    assert quality.sampled == 40
    assert quality == _measure(tmp_path / "set")


def test_a_sample_of_none_is_refused(tmp_path: Path) -> None:
    write_small_set(tmp_path / "set", "tissue", ("a", "b"), per_class={"train": 2})
    with pytest.raises(InputError, match="sample must be at least 1 patch, got 0"):
        _measure(tmp_path / "set", sample=0)


def test_a_folder_without_a_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must have a manifest.json, got"):
        _measure(tmp_path)
