"""What is shared is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config import SourceConfig, SplitConfig, TargetSetConfig
from data_prep.duplicates import Contents, Leak, find_leaks, hash_pixels, read_contents
from data_prep.images import UnusableImage, encode_png
from data_prep.sets import BuildOptions, build_target_set
from tests.small_pictures import noise, write_target_folder


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


def test_pixels_are_compared_and_not_bytes() -> None:
    import cv2

    pixels = noise(0)
    other = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
    assert other.tobytes() != encode_png(pixels)
    assert hash_pixels(other.tobytes()) == hash_pixels(encode_png(pixels))
    pixels[0, 0, 0] ^= 1
    assert hash_pixels(other.tobytes()) != hash_pixels(encode_png(pixels))
    with pytest.raises(UnusableImage, match="path=somewhere"):
        hash_pixels(b"", name="somewhere")


def test_a_copied_picture_is_found_in_the_records(tmp_path: Path) -> None:
    folder = write_target_folder(tmp_path / "images")
    # The same slide, scanned into the files of another patient.
    (folder / "c7_1.png").write_bytes((folder / "c1_0.png").read_bytes())
    config = TargetSetConfig(
        sources=(SourceConfig(images=str(folder), index=str(folder / "index.csv")),),
        patch_size=16,
        splits=SplitConfig(train=0.5, validation=0.5, test=0.0),
    )
    for seed in range(20):
        splits = SplitConfig(train=0.5, validation=0.5, test=0.0, seed=seed)
        options = BuildOptions(workers=1, force=True)
        build = TargetSetConfig(sources=config.sources, patch_size=16, splits=splits)
        manifest = build_target_set(build, tmp_path / "set", options=options)
        if ("case1" in manifest.cases["train"]) != ("case7" in manifest.cases["train"]):
            break
    leaks = find_leaks(read_contents(tmp_path / "set"))
    assert [(leak.kind, leak.count) for leak in leaks] == [("pixels", 4)]
    assert "c1_0.png@0,0" in leaks[0].examples[0] or "c1_0.png" in str(leaks)
