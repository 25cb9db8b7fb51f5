"""The three builds, on pictures whose truth is plain, and on the real ones."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.config.sets import (
    ColumnsConfig,
    PatchRules,
    SourceConfig,
    SplitConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.engine import Engine
from data_prep.sets.build import (
    OVER_CAP,
    BuildOptions,
    build_target_set,
    build_tissue_set,
)
from gastric_keras.imaging.images import decode_image
from gastric_keras.imaging.stored import TURNED
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.schema import read_records
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import (
    box,
    feature,
    noise,
    write_picture,
    write_target_folder,
    write_tissue_folder,
)

HERE = BuildOptions(Engine(workers=1))
HALVES = SplitConfig(train=0.5, validation=0.5, test=0.0)


def _tissue(folder: Path, **options: object) -> TissueSetConfig:
    source = SourceConfig(
        images=str(folder),
        index=str(folder / "index.csv"),
        columns=ColumnsConfig(annotation="geojson"),
    )
    defaults: dict = {"sources": (source,), "patch_size": 8, "splits": HALVES}
    # Pictures of noise are no tissue, and say so.
    defaults["artifacts"] = None
    return TissueSetConfig(**{**defaults, **options})


def _target(folder: Path, **options: object) -> TargetSetConfig:
    source = SourceConfig(images=str(folder), index=str(folder / "index.csv"))
    defaults: dict = {"sources": (source,), "patch_size": 16, "splits": HALVES}
    return TargetSetConfig(**{**defaults, **options})


def test_tissue_patches_have_the_class_of_their_region(tmp_path: Path) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    config = _tissue(folder, stride=4)
    manifest = build_tissue_set(config, tmp_path / "set", options=HERE)
    # Three columns of each picture are pure, two lie across a border; three rows.
    by_class = {"background": 9, "epithelium": 9, "stroma": 9}
    assert manifest.counts == {"train": by_class, "validation": by_class}
    assert manifest.dropped == {"classes mixed": 6 * 6}
    assert (manifest.dataset, manifest.patch_size) == ("tissue", 8)
    assert not set(manifest.cases["train"]) & set(manifest.cases["validation"])
    for record in read_records(tmp_path / "set", "train"):
        assert record.x == 8 * record.label
        pixels = noise(int(record.image_id[1]), 16, 24)
        wanted = pixels[record.y : record.y + 8, record.x : record.x + 8]
        np.testing.assert_array_equal(decode_image(record.image, name=""), wanted)
    assert manifest.config["stride"] == 4
    assert read_manifest(tmp_path / "set") == manifest


def test_a_set_of_shares_keeps_mixed_patches(tmp_path: Path) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    config = _tissue(folder, stride=4, task="shares")
    manifest = build_tissue_set(config, tmp_path / "set", options=HERE)
    assert manifest.dropped == {} and manifest.quantities == config.classes
    assert read_manifest(tmp_path / "set") == manifest
    plain = build_tissue_set(
        _tissue(folder, stride=4), tmp_path / "plain", options=HERE
    )
    assert plain.quantities == () and plain.schema_version == 1
    pure = {}
    for split in manifest.counts:
        for record in read_records(tmp_path / "set", split):
            # Borders at x = 8 and 16; a patch is 8 px wide.
            wanted = [
                max(0, min(record.x + 8, 8 * i + 8) - max(record.x, 8 * i)) / 8
                for i in range(3)
            ]
            assert record.quantities == pytest.approx(wanted)
            if max(wanted) == 1:
                key = (record.image_id, record.x, record.y)
                pure[key] = dataclasses.replace(record, quantities=())
    # What is clear has the bytes that a set of classes has.
    for split in plain.counts:
        for record in read_records(tmp_path / "plain", split):
            assert pure.pop((record.image_id, record.x, record.y)) == record
    assert not pure
    quality = json.loads((tmp_path / "set" / "quality.json").read_text())
    assert [*quality["quantities"]] == [*config.classes]
    plain_quality = json.loads((tmp_path / "plain" / "quality.json").read_text())
    assert "quantities" not in plain_quality


def test_a_set_of_shares_has_no_rule_of_purity() -> None:
    rules = PatchRules(min_purity=0.8)
    with pytest.raises(InputError, match="rules must not set min_purity or class_puri"):
        TissueSetConfig(task="shares", rules=rules)
    TissueSetConfig(task="shares", rules=PatchRules(min_coverage=0.5))


def _turn_by_exif(folder: Path, orientation: int) -> None:
    """Store the first picture turned, and say so in EXIF."""
    path = folder / "r0.png"
    upright = decode_image(path.read_bytes(), name="")
    # 6 is undone by a quarter turn to the right, so it is stored turned to the left.
    stored = np.rot90(upright) if orientation == 6 else np.rot90(upright, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)


def test_a_region_map_of_a_turned_picture_asks_for_its_frame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    _turn_by_exif(folder, 3)
    config = _tissue(folder)
    manifest = build_tissue_set(config, tmp_path / "a", options=HERE)
    assert list(manifest.set_aside) == ["r0.png"]
    assert "EXIF orientation=3. Give map_frame" in manifest.set_aside["r0.png"]

    def labels(frame: str, name: str) -> dict[tuple[int, int], int]:
        source = dataclasses.replace(config.sources[0], map_frame=frame)
        turned = dataclasses.replace(config, sources=(source,))
        found = build_tissue_set(turned, tmp_path / name, options=HERE)
        assert found.set_aside == {}
        assert found.config["assumed"] == {TURNED: ["r0.png"]}
        records = [
            record
            for split in ("train", "validation")
            for record in read_records(tmp_path / name, split)
            if record.image_id == "r0.png"
        ]
        return {(record.x, record.y): record.label for record in records}

    upright = labels("upright", "b")
    assert upright[0, 0] == 0 and upright[16, 0] == 2
    assert f"Warning: 1 picture: {TURNED}; first r0.png." in capsys.readouterr().err
    # Drawn on the stored pixels, the first stripe is the last of the upright ones.
    stored = labels("stored", "c")
    assert stored[0, 0] == 2 and stored[16, 0] == 0


def test_a_map_of_stored_pixels_is_turned_by_a_quarter(tmp_path: Path) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    _turn_by_exif(folder, 6)
    # Stored 16 wide and 24 high: three stripes, one below the other.
    regions = [
        feature(name, [box(0, top, 16, top + 8)])
        for name, top in (("Background", 0), ("Epithelium", 8), ("Stroma", 16))
    ]
    collection = {"type": "FeatureCollection", "features": regions}
    (folder / "r0.geojson").write_text(json.dumps(collection))
    config = _tissue(folder)
    source = dataclasses.replace(config.sources[0], map_frame="stored")
    config = dataclasses.replace(config, sources=(source,))
    manifest = build_tissue_set(config, tmp_path / "set", options=HERE)
    assert manifest.set_aside == {}
    for split in ("train", "validation"):
        for record in read_records(tmp_path / "set", split):
            if record.image_id == "r0.png":
                # Turned to the right, the lowest stripe is the leftmost.
                assert record.label == 2 - record.x // 8


def test_a_frame_that_is_not_known_is_refused() -> None:
    with pytest.raises(InputError, match="map_frame must be stored, upright or null"):
        SourceConfig(map_frame="turned")


def test_sources_of_two_scales_are_stored_at_one(tmp_path: Path) -> None:
    fine = write_tissue_folder(tmp_path / "fine")
    coarse = write_tissue_folder(tmp_path / "coarse")
    first = dataclasses.replace(_tissue(fine).sources[0], name="fine", mpp=0.5)
    second = dataclasses.replace(
        _tissue(coarse).sources[0], name="coarse", mpp=1.0, patch_size=4
    )
    config = _tissue(fine, sources=(first, second), stored_size=8)
    manifest = build_tissue_set(config, tmp_path / "set", options=HERE)
    assert (manifest.patch_size, manifest.mpp) == (8, 0.5)
    assert sum(map(manifest.count, manifest.counts)) == 6 * 6 + 6 * 24


def test_mixed_scales_without_a_stored_size_are_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    sources = tuple(
        dataclasses.replace(
            _tissue(write_tissue_folder(tmp_path / name)).sources[0], name=name, mpp=mpp
        )
        for name, mpp in (("a", 0.5), ("b", 1.0))
    )
    config = _tissue(tmp_path, sources=sources)
    manifest = build_tissue_set(config, tmp_path / "set", options=HERE)
    assert manifest.mpp == 0.0
    assert (
        "Warning: the pictures differ in mpp or patch_size" in capsys.readouterr().err
    )


def test_target_patches_carry_the_label_of_their_picture(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    config = _target(folder, subsets={"small": 3})
    manifest = build_target_set(config, tmp_path / "set", options=HERE)
    by_class = {"benign": 16, "malignant": 16}
    assert manifest.counts == {"train": by_class, "validation": by_class}
    assert manifest.subsets == {"small": 3} and manifest.is_grouped
    for record in read_records(tmp_path / "set", "train"):
        assert record.label == int(record.case_id[4:]) % 2
    with pytest.raises(InputError, match="subset small.*benign=16"):
        config = _target(folder, subsets={"small": 17})
        build_target_set(config, tmp_path / "none", options=HERE)


def test_caps_keep_the_first_by_rank(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    everything = build_target_set(_target(folder), tmp_path / "all", options=HERE)
    config = _target(folder, max_per_class={"train": 5})
    manifest = build_target_set(config, tmp_path / "set", options=HERE)
    assert manifest.counts["train"] == {"benign": 5, "malignant": 5}
    assert manifest.counts["validation"] == everything.counts["validation"]
    assert manifest.dropped == {OVER_CAP: 22}
    full = list(read_records(tmp_path / "all", "train"))
    kept = list(read_records(tmp_path / "set", "train"))
    for label in (0, 1):
        assert [r for r in kept if r.label == label] == [
            r for r in full if r.label == label
        ][:5]


def test_unreadable_pictures_are_set_aside_or_stop_a_strict_run(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    (folder / "c0_0.png").write_bytes(b"torn")
    manifest = build_target_set(_target(folder), tmp_path / "set", options=HERE)
    assert list(manifest.set_aside) == ["c0_0.png"]
    assert "whole PNG, JPEG, BMP, TIFF or DICOM" in manifest.set_aside["c0_0.png"]
    assert sum(map(manifest.count, manifest.counts)) == 60
    strict = BuildOptions(Engine(workers=1), strict=True)
    with pytest.raises(InputError, match="c0_0.png"):
        build_target_set(_target(folder), tmp_path / "none", options=strict)
    assert not (tmp_path / "none").exists()


def test_nothing_kept_lists_the_reasons(tmp_path: Path) -> None:
    folder = write_tissue_folder(tmp_path / "in")
    config = _tissue(folder, patch_size=16, rules=PatchRules(0.9, 0.9))
    with pytest.raises(InputError) as error:
        build_tissue_set(config, tmp_path / "set", options=HERE)
    assert "got none (classes mixed: 6)" in str(error.value)
    (folder / "r0.png").write_bytes(b"torn")
    with pytest.raises(InputError, match="images set aside: 1, first r0.png"):
        build_tissue_set(config, tmp_path / "set", options=HERE)
    assert not (tmp_path / "set").exists()


def test_whole_pictures(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    config = _target(folder, patch_size=0)
    manifest = build_target_set(config, tmp_path / "set", options=HERE)
    assert (manifest.patch_size, manifest.count("train")) == (32, 8)
    for record in read_records(tmp_path / "set", "train"):
        assert record.image == (folder / record.image_id).read_bytes()
    oblong = write_tissue_folder(tmp_path / "oblong")
    with pytest.raises(InputError, match="patch_size must be above 0.*got 0 for"):
        config = _tissue(oblong, patch_size=0)
        build_tissue_set(config, tmp_path / "none", options=HERE)


def test_oblong_pictures_are_not_squeezed(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    write_picture(folder / "c0_0.png", noise(0, 16, 24))
    config = _target(folder, patch_size=0, stored_size=8)
    manifest = build_target_set(config, tmp_path / "set", options=HERE)
    assert "size=24×16. Set stored_size: null" in manifest.set_aside["c0_0.png"]


def test_classes_are_checked_before_a_picture_is_opened(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    config = _target(folder, classes=("benign", "cancer"))
    with pytest.raises(InputError, match="c1_0.png: .*got 'malignant'. Map it"):
        build_target_set(config, tmp_path / "set", options=HERE)
    config = _target(folder, labels={"malignant": "benign"})
    with pytest.raises(InputError, match="got none of malignant"):
        build_target_set(config, tmp_path / "set", options=HERE)
    config = _target(folder, classes=("benign", "malignant", "normal"))
    with pytest.raises(InputError, match="none of normal"):
        build_target_set(config, tmp_path / "set", options=HERE)


def test_ignored_classes_are_counted(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("c0_0.png,benign", "c0_0.png,unsure"))
    config = _target(folder, labels={"unsure": "ignore"})
    manifest = build_target_set(config, tmp_path / "set", options=HERE)
    assert manifest.dropped == {"class ignored": 1}


def test_an_empty_split_is_an_error(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in", cases=2)
    with pytest.raises(
        InputError, match="Each class must have patches in the split validation"
    ):
        build_target_set(_target(folder), tmp_path / "set", options=HERE)
    assert not (tmp_path / "set").exists()


def test_ungrouped_pictures_are_marked(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "in")
    for name in ("benign", "malignant"):
        (folder / name).mkdir()
    for path in folder.glob("*.png"):
        label = "malignant" if int(path.name[1]) % 2 else "benign"
        path.rename(folder / label / path.name)
    config = _target(folder, sources=(SourceConfig(images=str(folder)),))
    with pytest.raises(InputError, match="add --allow-ungrouped"):
        build_target_set(config, tmp_path / "set", options=HERE)
    options = BuildOptions(Engine(workers=1), allow_ungrouped=True)
    manifest = build_target_set(config, tmp_path / "set", options=options)
    assert not manifest.is_grouped
    assert "benign/c0_0.png" in sum(manifest.cases.values(), ())


@pytest.mark.shared
def test_real_pictures_make_the_benchmark_target_set(
    shared_data: Path, tmp_path: Path
) -> None:
    source = SourceConfig(
        images=str(shared_data / "ebhi"),
        index=str(shared_data / "ebhi" / "index.csv"),
        name="ebhi",
        columns=ColumnsConfig(split="fold"),
        where={"fold": ("val",)},
        splits={"val": "validation"},
    )
    config = TargetSetConfig(sources=(source,), patch_size=112)
    manifest = build_target_set(config, tmp_path / "set")
    assert manifest.counts == {"validation": {"benign": 420, "malignant": 428}}
    assert len(manifest.cases["validation"]) == 27
