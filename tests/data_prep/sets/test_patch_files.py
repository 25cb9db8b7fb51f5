"""A set's patches as pictures and keys for other programs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from data_prep.__main__ import main
from gastric_keras.records.schema import read_records, record_key, split_key
from tests.helpers.small_sets import write_small_set

PER_CLASS = {"train": 3, "validation": 2, "test": 2}


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_every_patch_has_its_key_and_its_picture(tmp_path: Path, suffix: str) -> None:
    folder, out = tmp_path / "set", tmp_path / "out"
    write_small_set(
        folder, "target", ("a", "b"), per_class=PER_CLASS, size=16, suffix=suffix
    )
    assert main(["patches", str(folder), "--out", str(out)]) == 0
    with open(out / "keys.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    records = [(split, r) for split in PER_CLASS for r in read_records(folder, split)]
    assert len(rows) == len(records) == 14
    for row, (split, record) in zip(rows, records, strict=True):
        place = (record.image_id, record.x, record.y)
        assert row["key"] == record_key(*place) and split_key(row["key"]) == place
        assert (row["split"], row["label"]) == (split, "ab"[record.label])
        assert row["case_id"] == record.case_id and row["file"].endswith(suffix)
        assert (out / row["file"]).read_bytes() == record.image


def test_keys_alone_and_never_over_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "set", tmp_path / "out"
    write_small_set(folder, "target", ("a", "b"), per_class=PER_CLASS, size=16)
    command = ["patches", str(folder), "--out", str(out), "--keys-only"]
    assert main(command) == 0
    assert [path.name for path in out.iterdir()] == ["keys.csv"]
    assert f"patches: 14 in {out}/keys.csv" in capsys.readouterr().out
    assert main(command) == 2
    assert "--out must be a folder without keys.csv, got " in capsys.readouterr().err


@pytest.mark.parametrize(
    "place", [("a/b.png", 0, 5), ("x@3,4", -8, 2**40), ("Fall, Ü", 1, 2)]
)
def test_a_key_tells_its_parts(place: tuple[str, int, int]) -> None:
    assert split_key(record_key(*place)) == place
