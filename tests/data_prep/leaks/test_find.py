"""What is shared is found, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from data_prep.leaks.contents import Contents, read_contents
from data_prep.leaks.find import Leak, find_leaks
from data_prep.leaks.text import describe_contents, describe_leaks
from gastric_keras.imaging.images import encode_png
from gastric_keras.records.manifest import Manifest, Shard, shard_name, write_manifest
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of
from tests.helpers.small_pictures import noise


def picture(seed: int, side: int = 96) -> npt.NDArray[np.uint8]:
    """(side, side, 3) uint8 with dark dots and soft shades, another for each seed."""
    rng = np.random.default_rng(seed)
    shades = rng.uniform(150, 240, (6, 6, 3)).astype(np.float32)
    image = cv2.resize(shades, (side, side), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(25):
        center = tuple(int(v) for v in rng.integers(0, side, 2))
        cv2.circle(image, center, int(rng.integers(3, 8)), (90, 40, 120), -1)
    return image


def jpeg(image: npt.NDArray[np.uint8], quality: int) -> bytes:
    """RGB pixels as JPEG bytes."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), flags)[
        1
    ].tobytes()


def record(name: str, data: bytes, *, x: int = 0, y: int = 0) -> PatchRecord:
    """A patch of an image and a case that nobody else has."""
    return PatchRecord(data, 0, f"case of {name}", f"{name}.png", x, y)


def write_records(
    folder: Path,
    records: Mapping[str, Sequence[PatchRecord]],
    *,
    dataset: str = "target",
    config: dict[str, Any] | None = None,
    shards: int = 1,
) -> Path:
    """Write a set of these records, split by split."""
    folder.mkdir(parents=True)
    files = []
    for split, rows in records.items():
        for index in range(shards):
            path = folder / shard_name(split, index, shards)
            with tf.io.TFRecordWriter(str(path)) as writer:
                for row in rows[index::shards]:
                    writer.write(serialize(row))
            size, total = path.stat().st_size, len(rows[index::shards])
            files.append(Shard(path.name, split, total, size, sha256_of(path)))
    counts = {
        split: {
            name: sum(row.label == i for row in rows) for i, name in enumerate("ab")
        }
        for split, rows in records.items()
    }
    cases = {
        split: tuple(sorted({row.case_id for row in rows}))
        for split, rows in records.items()
    }
    manifest = Manifest(
        dataset, ("a", "b"), counts, cases, 0, 0.0, {}, config or {}, tuple(files)
    )
    write_manifest(folder, manifest)
    return folder


def _contents(name: str, split: str, dataset: str = "target", **keys: str) -> Contents:
    by_kind = {
        kind: {value: f"{value}@0,0" for value in keys.get(kind, "").split()}
        for kind in ("case", "image", "pixels")
    }
    return Contents(name, dataset, split, by_kind)  # type: ignore[arg-type]


def test_splits_of_a_set_share_nothing() -> None:
    train = _contents("s", "train", case="1 2", image="a b", pixels="p q")
    test = _contents("s", "test", case="3", image="c", pixels="r")
    assert find_leaks([train, test]) == []
    leaky = _contents("s", "test", case="2 1", image="c", pixels="q")
    assert find_leaks([train, leaky]) == [
        Leak("case", "s train", "s test", 2, ("1", "2")),
        Leak("pixels", "s train", "s test", 1, ("q@0,0 = q@0,0",)),
    ]
    assert find_leaks([train, leaky], examples=1)[0].examples == ("1",)


def test_mid_level_and_target_share_nothing_in_any_split() -> None:
    tissue = _contents("t", "train", dataset="tissue", image="a")
    nuclei = _contents("n", "validation", dataset="nuclei", image="a")
    target = _contents("x", "train", image="a")
    assert find_leaks([tissue, nuclei]) == []
    assert [
        (leak.first, leak.second) for leak in find_leaks([tissue, nuclei, target])
    ] == [
        ("t train", "x train"),
        ("n validation", "x train"),
    ]


def test_pixels_are_compared_and_not_bytes(tmp_path: Path) -> None:
    pixels = noise(0)
    other = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    assert other.tobytes() != encode_png(pixels)
    changed = pixels.copy()
    changed[0, 0, 0] ^= 1
    train = [record("a", other.tobytes())]
    test = [record("b", encode_png(pixels)), record("c", encode_png(changed))]
    folder = write_records(tmp_path / "set", {"train": train, "test": test})
    found = [
        leak for leak in find_leaks(read_contents(folder)) if leak.kind == "pixels"
    ]
    assert [leak.pairs for leak in found] == [(("a.png@0,0", "b.png@0,0"),)]


def test_every_planted_copy_in_a_set_is_found_and_nothing_else(tmp_path: Path) -> None:
    train = [record(f"a{seed}", encode_png(picture(seed))) for seed in range(12)]
    blank = np.full((96, 96, 3), 240, np.uint8)
    blank[0, 0] = 200
    copies = {
        "same": encode_png(picture(0)),
        "turned": encode_png(np.rot90(picture(1))),
        "flipped": encode_png(picture(2)[:, ::-1]),
        "compressed": jpeg(picture(3), 60),
        "smaller": encode_png(cv2.resize(picture(4), (86, 86))),
        "larger, turned, compressed": jpeg(
            np.rot90(cv2.resize(picture(5), (106, 106)), 3)[::-1], 60
        ),
    }
    test = [record(name, data) for name, data in copies.items()]
    test += [record(f"b{seed}", encode_png(picture(seed))) for seed in range(50, 60)]
    test.append(record("blank", encode_png(blank)))
    train.append(record("bare glass", encode_png(np.rot90(blank, 2))))
    folder = write_records(
        tmp_path / "set", {"train": train, "test": test}, shards=3, config={}
    )
    contents = read_contents(folder)
    pixels, perceptual = find_leaks(contents)
    assert (pixels.kind, pixels.count) == ("pixels", 1)
    assert pixels.pairs == (("a0.png@0,0", "same.png@0,0"),)
    assert (perceptual.kind, perceptual.count) == ("perceptual", 5)
    assert set(perceptual.pairs) == {
        (f"a{number}.png@0,0", f"{name}.png@0,0")
        for number, name in enumerate(copies)
        if name != "same"
    }
    lines = describe_contents(contents).splitlines()
    assert f"{folder} train: 13 patches of 13 cases and 13 images; 1 flat" in lines[0]
    assert f"{folder} test: 17 patches" in lines[1] and "; 1 flat" in lines[1]
    found = describe_leaks([pixels, perceptual])
    assert "share 5 × perceptual" in found and found.endswith("; …")


def test_two_processes_read_what_one_reads(tmp_path: Path) -> None:
    rows = [record(f"a{seed}", encode_png(picture(seed))) for seed in range(6)]
    folder = write_records(tmp_path / "set", {"train": rows}, shards=2)
    (one,) = read_contents(folder, workers=1)
    (two,) = read_contents(folder, workers=2)
    assert one.keys == two.keys and one.patches.hashes == two.patches.hashes
    assert (
        one.patches.pictures.thumbnails == two.patches.pictures.thumbnails
    ).all() and (one.patches.squares == two.patches.squares).all()


def test_a_patch_that_does_not_decode_is_an_error(tmp_path: Path) -> None:
    folder = write_records(tmp_path / "set", {"train": [record("broken", b"no")]})
    with pytest.raises(InputError, match=r"got path=broken.png@0,0"):
        read_contents(folder)


def _overlap(
    tmp_path: Path,
    second: tuple[int, int],
    first_config: dict[str, Any],
    second_config: dict[str, Any] | None = None,
    image: str = "lab/slide",
) -> list[Leak]:
    """Leaks by overlap of a patch at (100, 100) and another of the same image."""
    folders = []
    for place, config, seed in (
        ((100, 100), first_config, 1),
        (second, second_config or first_config, 2),
    ):
        x, y = place
        row = record(image, encode_png(picture(seed)), x=x, y=y)
        folder = tmp_path / str(seed)
        folders.append(write_records(folder, {"train": [row]}, config=config))
    leaks = find_leaks([side for folder in folders for side in read_contents(folder)])
    assert {"case", "image"} <= {leak.kind for leak in leaks}
    return [leak for leak in leaks if leak.kind == "overlap"]


_LAB = {"sources": [{"name": "lab", "patch_size": 50}, {"name": "", "patch_size": 9}]}


@pytest.mark.parametrize(
    "second, config, is_leak",
    [
        # Edge to edge is no overlap; one pixel less is.
        ((150, 100), _LAB, False),
        ((149, 100), _LAB, True),
        ((149, 149), _LAB, True),
        ((149, 150), _LAB, False),
        ((51, 51), _LAB, True),
        ((50, 51), _LAB, False),
        # The set's own side, where the source names none.
        ((149, 100), {"sources": [{"name": "lab"}], "patch_size": 48}, False),
        ((147, 100), {"sources": [{"name": "lab"}], "patch_size": 48}, True),
        # Written for each picture, the side wins over the config.
        ((149, 100), _LAB | {"sides": {"lab/slide.png": 40}}, False),
        ((149, 100), _LAB | {"sides": {"lab/other.png": 40}}, True),
        # A whole picture overlaps every patch of it.
        ((90000, 70000), {"sources": [{"name": "lab", "patch_size": 0}]}, True),
        # Nothing said: stored as it was cut, 96 px.
        ((195, 100), {}, True),
        ((196, 100), {}, False),
    ],
)
def test_overlap_to_the_pixel(
    tmp_path: Path, second: tuple[int, int], config: dict, is_leak: bool
) -> None:
    leaks = _overlap(tmp_path, second, config)
    assert bool(leaks) == is_leak
    if is_leak:
        assert leaks[0].count == 1
        assert leaks[0].examples[0].startswith("lab/slide.png@100,100 = lab/slide.png@")


def test_overlap_of_squares_of_two_sides(tmp_path: Path) -> None:
    large = {"sources": [{"name": "lab", "patch_size": 200}]}
    assert _overlap(tmp_path / "a", (199, 199), large, _LAB)
    assert _overlap(tmp_path / "b", (299, 100), large, _LAB)
    assert not _overlap(tmp_path / "c", (300, 100), large, _LAB)
    assert _overlap(tmp_path / "d", (51, 60), large, _LAB)
    assert not _overlap(tmp_path / "e", (50, 60), large, _LAB)


def test_overlap_agrees_with_every_pair_tried() -> None:
    from data_prep.leaks.overlaps import intersect

    rng = np.random.default_rng(0)
    first, second = (
        np.column_stack([rng.integers(0, 300, (80, 2)), rng.integers(1, 40, 80)])
        for _ in range(2)
    )
    wanted = {
        (i, j)
        for i, (x, y, s) in enumerate(first.tolist())
        for j, (u, v, t) in enumerate(second.tolist())
        if x < u + t and u < x + s and y < v + t and v < y + s
    }
    found = intersect(first, second).tolist()
    assert len(found) == len(wanted) > 20
    assert {tuple(pair) for pair in found} == wanted
