"""Equal pixels at odds are named; near-equal cases stay together, shares are told."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data_prep.config.sets import SourceConfig, SplitConfig, TargetSetConfig
from data_prep.engine import Engine
from data_prep.sets.balance import tell_balance
from data_prep.sets.build import BuildOptions, build_target_set
from data_prep.sets.card import describe
from data_prep.sets.found import Found
from data_prep.sets.patches import PatchRef
from data_prep.sets.plan import PlannedImage, plan_images
from data_prep.sets.twins import Twins, digest_of
from data_prep.sources.pictures import ImageSource
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.schema import PatchRecord
from tests.helpers.small_pictures import noise, write_index, write_picture


def _tell(*rows: tuple[int, str, str, int], has_labels: bool = True) -> list[str]:
    twins, ledger = Twins(has_labels=has_labels), Ledger()
    for label, case, image, digest in rows:
        twins.add(PatchRecord(b"", label, case, image, 0, 0), digest)
    twins.tell(ledger, ("benign", "malignant"))
    return ledger.warnings


def test_equal_patches_under_two_labels_or_cases_are_named() -> None:
    assert _tell() == [] and _tell((0, "a", "x", 5)) == []
    (text,) = _tell((0, "a", "x.png", 5), (1, "a", "y.png", 5), (1, "b", "z.png", 6))
    assert "equal pixels under two labels: x.png (benign) = y.png (malignant)." in text
    (text,) = _tell((0, "a", "x", 5), (0, "b", "y", 5), (0, "b", "y", 5))
    assert text.startswith("1 × equal pixels under two cases: x (case a) = y (case b)")
    # The same of one case and label, and flat patches, are nothing to tell.
    assert _tell((0, "a", "x", 5), (0, "a", "y", 5)) == []
    assert _tell((0, "a", "x", 0), (1, "b", "y", 0)) == []
    assert _tell((0, "a", "x", 5), (1, "a", "y", 5), has_labels=False) == []
    copies = [(i % 2, "a", f"{i:02}", 7) for i in range(40)]
    (text,) = _tell(*copies)
    assert text.startswith("400 × ") and text.count(" = ") == 5 and "; …." in text


def test_a_digest_is_of_the_pixels() -> None:
    patch = noise(0, 16, 16)
    assert digest_of(patch) == digest_of(patch.copy()) != digest_of(noise(1, 16, 16))
    assert digest_of(patch) != digest_of(patch.reshape(8, 32, 3))
    assert digest_of(np.full((8, 8, 3), 240, np.uint8)) == 0


def test_a_digest_is_the_same_however_a_patch_is_turned() -> None:
    for side in (16, 17):
        patch = noise(0, side, side)
        turned = [np.rot90(patch, quarter) for quarter in range(4)]
        ways = [*turned, *(way[:, ::-1] for way in turned)]
        assert {digest_of(np.ascontiguousarray(way)) for way in ways} == {
            digest_of(patch)
        }
        # The same pixels in other places are another picture.
        rolled = np.roll(patch, 3, axis=1)
        assert digest_of(rolled) != digest_of(patch)


def test_copies_and_flat_patches_are_counted() -> None:
    twins, ledger = Twins(), Ledger()
    rows = (("x", 5), ("y", 5), ("z", 5), ("z", 6), ("z", 6), ("w", 0))
    for image, digest in rows:
        twins.add(PatchRecord(b"", 0, "a", image, 0, 0), digest)
    twins.tell(ledger, ("benign", "malignant"))
    assert not ledger.warnings
    assert +ledger.assumed == {
        "patches equal to one of another picture, or turned": 2,
        "flat patches, nearly of one color, kept": 1,
    }


def test_a_set_names_a_picture_of_two_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, rows = tmp_path / "in", []
    for number in range(8):
        path = f"{number}.png"
        write_picture(root / path, noise(number))
        label = ("benign", "malignant")[number % 2]
        rows.append({"path": path, "label": label, "case_id": f"c{number // 2 % 4}"})
    shutil.copy(root / "0.png", root / "copy.png")
    rows.append({"path": "copy.png", "label": "malignant", "case_id": "c0"})
    index = write_index(tmp_path / "index.csv", rows)
    source = SourceConfig(images=str(root), index=str(index))
    splits = SplitConfig(train=0.5, validation=0.5, test=0.0)
    config = TargetSetConfig(sources=(source,), patch_size=0, splits=splits)
    manifest = build_target_set(
        config, tmp_path / "set", options=BuildOptions(Engine(workers=1))
    )
    said = "two labels: 0.png (benign) = copy.png (malignant)"
    assert said in capsys.readouterr().err
    ledger = manifest.config["ledger"]
    assert said in ledger["warnings"][-1] and said in describe(manifest)
    assert ledger["read"]["cases with patches of several classes"] == 4
    assert "read: 9 × rows of index.csv" in describe(manifest)


def _source(case: str, name: str, split: str | None = None) -> ImageSource:
    return ImageSource(Path(name), name, case, split=split)


def test_near_equal_cases_are_drawn_as_one() -> None:
    found = Found([PatchRef(0, 0, 0)], Counter())
    names = [case for i in range(20) for case in (f"{i}", f"{i}.0", f"0{i}")]
    images = [(_source(case, f"{i}.png"), found) for i, case in enumerate(names)]
    halves = SplitConfig(train=0.5, validation=0.25, test=0.25)
    config = TargetSetConfig(splits=halves)
    split_of = {image.case_id: image.split for image in plan_images(config, images)}
    assert set(split_of.values()) == {"train", "validation", "test"}
    for i in range(20):
        assert split_of[f"{i}"] == split_of[f"{i}.0"] == split_of[f"0{i}"]


def test_a_fixed_split_stays_and_draws_its_like_along() -> None:
    found = Found([PatchRef(0, 0, 0)], Counter())
    images = [
        (_source("7", "a.png", "test"), found),
        (_source("7.0", "b.png", "train"), found),
        (_source("8", "c.png", "test"), found),
        (_source("08", "d.png"), found),
    ]
    plan = plan_images(TargetSetConfig(), images)
    assert [image.split for image in plan] == ["test", "train", "test", "test"]


def _planned(case: str, split: str, labels: list[int]) -> PlannedImage:
    refs = tuple(PatchRef(i, 0, label) for i, label in enumerate(labels))
    return PlannedImage(Path(case), case, case, split, 8, 0.5, refs)


def test_a_case_that_is_most_of_a_split_is_told_with_its_share() -> None:
    plan = [
        _planned("big", "test", [0] * 6),
        _planned("b", "test", [0, 1]),
        _planned("c", "test", [1]),
        _planned("d", "train", [0, 1]),
        _planned("e", "train", [0, 1]),
    ]
    ledger = Ledger()
    tell_balance(plan, ("x", "y"), ledger, is_mid_level=False)
    (text,) = ledger.warnings
    assert "class: 67% of test are big (6 of 9 patches; cases: 3)." in text
    assert ledger.read["cases with patches of several classes"] == 3
    ledger = Ledger()
    tell_balance(plan[1:3], ("x", "y"), ledger, is_mid_level=False)
    (text,) = ledger.warnings
    assert "67% of test are b (2 of 3 patches; cases: 2)." in text
    ledger = Ledger()
    tell_balance(plan[1:3], ("x", "y"), ledger, is_mid_level=True)
    assert ledger.warnings == [] and not ledger.read
