"""Sets are whole or not there, the same every time, and in nested order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_prep.engine import Engine, map_bundles
from data_prep.sets.patches import PatchRef
from data_prep.sets.plan import PlannedImage
from data_prep.sets.spool import CutPatches, Spool
from data_prep.sets.unfinished import unfinished
from data_prep.sets.writer import check_out, take_name, write_set
from gastric_keras.imaging.images import decode_image, resize
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import Manifest, read_manifest
from gastric_keras.records.schema import read_records, record_key
from gastric_keras.records.subsets import nested_rank
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import noise, write_picture

BEFORE = Manifest("target", ("a", "b"), {}, {}, 0, 0.0, {}, {}, ())


def _plan(folder: Path, *, images: int = 4, size: int = 8) -> list[PlannedImage]:
    plan = []
    for i in range(images):
        path = write_picture(folder / f"{i}.png", noise(i, 16, 24))
        refs = [PatchRef(x, y, i % 2) for y in (0, 8) for x in (0, 8, 16)]
        split = "train" if i < images - 1 else "test"
        plan.append(
            PlannedImage(path, f"{i}.png", f"case{i}", split, size, 0.5, tuple(refs))
        )
    return plan


def _write_into(
    work: Path,
    plan: list[PlannedImage],
    *,
    workers: int = 1,
    stored_size: int | None = None,
    records_per_shard: int = 7,
) -> Manifest:
    return write_set(
        plan,
        BEFORE,
        work,
        cut=CutPatches(stored_size, 10_000),
        records_per_shard=records_per_shard,
        engine=Engine(workers=workers),
    )


def _write(
    plan: list[PlannedImage],
    out: Path,
    *,
    workers: int = 1,
    stored_size: int | None = None,
    force: bool = False,
) -> Manifest:
    check_out(out, force=force)
    with unfinished(out, repr(plan)) as work:
        manifest = _write_into(work, plan, workers=workers, stored_size=stored_size)
        take_name(work, out)
    return manifest


def test_every_patch_is_cut_where_it_says(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "in")
    manifest = _write(plan, tmp_path / "set")
    assert manifest.counts == {"train": {"a": 12, "b": 6}, "test": {"a": 0, "b": 6}}
    assert manifest.cases == {"train": ("case0", "case1", "case2"), "test": ("case3",)}
    assert (manifest.patch_size, manifest.mpp) == (8, 0.5)
    assert [shard.name for shard in manifest.shards] == [
        "train-00000-of-00003.tfrecord",
        "train-00001-of-00003.tfrecord",
        "train-00002-of-00003.tfrecord",
        "test-00000-of-00001.tfrecord",
    ]
    assert [shard.records for shard in manifest.shards] == [6, 6, 6, 6]
    assert read_manifest(tmp_path / "set") == manifest
    verify_set(tmp_path / "set", manifest)
    records = list(read_records(tmp_path / "set", "train"))
    for record in records:
        number = int(record.image_id[0])
        wanted = noise(number, 16, 24)[record.y : record.y + 8, record.x : record.x + 8]
        np.testing.assert_array_equal(decode_image(record.image, name=""), wanted)
        assert record.label == number % 2 and record.case_id == f"case{number}"
    ranks = [nested_rank(record_key(r.image_id, r.x, r.y)) for r in records]
    assert ranks == sorted(ranks), "the first n of a class are the subset of n"


def test_workers_and_repetition_change_no_byte(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "in")
    for name, workers in (("one", 1), ("two", 2)):
        _write(plan, tmp_path / name, workers=workers)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in files:
        one, two = tmp_path / "one" / name, tmp_path / "two" / name
        assert one.read_bytes() == two.read_bytes(), name


def test_stored_size_resizes_and_moves_the_scale(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "in")
    manifest = _write(plan, tmp_path / "set", stored_size=4)
    assert (manifest.patch_size, manifest.mpp) == (4, 1.0)
    record = next(read_records(tmp_path / "set", "test"))
    patch = noise(3, 16, 24)[record.y : record.y + 8, record.x : record.x + 8]
    stored = decode_image(record.image, name="")
    np.testing.assert_array_equal(stored, resize(patch, 4))


def test_whole_pictures_keep_their_bytes(tmp_path: Path) -> None:
    plan = []
    for i, (name, side) in enumerate([("a.jpg", 16), ("b.png", 16), ("c.bmp", 24)]):
        Image.fromarray(noise(i, side, side)).save(tmp_path / name)
        ref = PatchRef(0, 0, i % 2)
        plan.append(PlannedImage(tmp_path / name, name, name, "train", 0, 0.0, (ref,)))
    manifest = _write(plan, tmp_path / "set")
    assert manifest.patch_size == 0, "the sides differ"
    stored = {r.image_id: r.image for r in read_records(tmp_path / "set", "train")}
    assert stored["a.jpg"] == (tmp_path / "a.jpg").read_bytes()
    assert stored["b.png"] == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(
        decode_image(stored["c.bmp"], name=""), noise(2, 24, 24)
    )
    assert _write(plan[:2], tmp_path / "same").patch_size == 16


def test_a_failed_run_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "in")
    plan[2].path.write_bytes(b"no longer a picture")
    with pytest.raises(InputError, match="2.png"):
        _write(plan, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    with pytest.raises(
        InputError, match="interrupted while it was made has no manifest"
    ):
        read_manifest(tmp_path / ".set.partial" / "set")
    write_picture(plan[2].path, noise(2, 16, 24))
    _write(plan, tmp_path / "set")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "set"]


def test_a_failed_replacement_leaves_the_old_set(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "in")
    before = _write(plan, tmp_path / "set")
    plan[0].path.unlink()
    with pytest.raises(InputError, match="0.png"):
        _write(plan, tmp_path / "set", force=True)
    assert read_manifest(tmp_path / "set") == before
    after = _write(plan[1:], tmp_path / "set", force=True)
    assert read_manifest(tmp_path / "set") == after != before
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".set.partial",
        "in",
        "set",
    ] or sorted(path.name for path in tmp_path.iterdir()) == ["in", "set"]


def test_out_is_never_lost_by_mistake(tmp_path: Path) -> None:
    out = tmp_path / "set"
    check_out(out, force=False)
    out.mkdir()
    check_out(out, force=False)
    (out / "thesis.doc").write_text("")
    for force in (False, True):
        with pytest.raises(InputError, match="holds other files and no manifest.json"):
            check_out(out, force=force)
    (out / "thesis.doc").unlink()
    _write(_plan(tmp_path / "in"), out)
    with pytest.raises(InputError, match="holds a finished set.*--force"):
        check_out(out, force=False)
    check_out(out, force=True)
    (out / "thesis.doc").write_text("")
    with pytest.raises(InputError, match="with thesis.doc. Move that away"):
        check_out(out, force=True)


def test_planned_images_are_plain_values(tmp_path: Path) -> None:
    image = _plan(tmp_path)[0]
    assert dataclasses.replace(image) == image
    assert image.key(image.refs[1]) == "0.png@8,0"


def test_what_is_cut_at_a_time_does_not_grow_with_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By their number alone, 40 pictures are cut two at a time: 1,250 patches.
    path = write_picture(tmp_path / "picture.png", noise(0, 40, 65))
    refs = tuple(PatchRef(x, y, (x + y) % 2) for y in range(25) for x in range(25))
    plan = [
        PlannedImage(path, f"{i}.png", f"case{i}", "train", 16, 0.5, refs)
        for i in range(40)
    ]
    cut_at_a_time = []

    def noting(*arguments: Any, **options: Any) -> Iterator[Any]:
        for bundle, spool in map_bundles(*arguments, **options):
            cut_at_a_time.append(sum(len(image.refs) for image in bundle))
            yield bundle, spool

    monkeypatch.setattr("data_prep.sets.writer.map_bundles", noting)
    manifest = _write_into(tmp_path, plan, records_per_shard=1000)
    assert sum(cut_at_a_time) == manifest.count("train") == 25_000
    assert max(cut_at_a_time) <= 1024


def test_a_file_is_opened_only_for_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 20 files of cut patches and 240 shards: 4,800 readings, were each asked for each.
    readings = []
    read = Spool._read

    def counting(*arguments: Any) -> Any:
        readings.append(arguments)
        return read(*arguments)

    monkeypatch.setattr(Spool, "_read", counting)
    plan = _plan(tmp_path / "in", images=40)
    manifest = _write_into(tmp_path, plan, records_per_shard=1)
    assert len(manifest.shards) == 240
    assert len(readings) <= 240 + 20
    verify_set(tmp_path / "set", manifest)
