"""What may be one patient, or one picture of two labels, is told and listed whole."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from data_prep.__main__ import main
from data_prep.leaks.contents import read_contents
from data_prep.leaks.doubts import find_doubts
from gastric_keras.imaging.images import encode_png
from gastric_keras.records.schema import PatchRecord
from tests.data_prep.leaks.test_find import picture, write_records


def _record(
    seed: int, *, case: str = "", label: int = 0, name: str = ""
) -> PatchRecord:
    image = f"{name or seed}.png"
    return PatchRecord(
        encode_png(picture(seed)), label, case or f"case {seed}x", image, 0, 0
    )


@pytest.fixture()
def folder(tmp_path: Path) -> Path:
    rows = {
        "train": [
            _record(0, case="100"),
            _record(1, case="a1"),
            _record(1, case="a1", label=1, name="copy"),
            _record(2, case="b"),
        ],
        "test": [
            _record(3, case="100.0"),
            _record(2, case="c", name="2b"),
            _record(4, name="4"),
        ],
    }
    return write_records(tmp_path / "set", rows)


def test_doubts_are_named(folder: Path) -> None:
    names, labels, cases = find_doubts(read_contents(folder))
    assert str(names) == (
        "1 × case names that spelling alone tells apart: "
        f"100 ({folder} train) = 100.0 ({folder} test)"
    )
    assert str(labels) == (
        "1 × patches of equal pixels and different labels: "
        f"1.png@0,0, a ({folder} train) = copy.png@0,0, b ({folder} train)"
    )
    assert cases.pairs == (
        (
            f"{folder} train",
            "2.png@0,0, case b",
            f"{folder} test",
            "2b.png@0,0, case c",
        ),
    )


def test_sets_that_never_meet_are_not_compared(tmp_path: Path) -> None:
    first, second = (
        write_records(tmp_path / kind, {"train": [_record(0, case=case)]}, dataset=kind)
        for kind, case in (("tissue", "7"), ("nuclei", "07"))
    )
    contents = [*read_contents(first), *read_contents(second)]
    assert find_doubts(contents) == []
    target = [dataclasses.replace(contents[1], dataset="target")]
    assert [d.reason for d in find_doubts([contents[0], *target])] == [
        "case names",
        "two cases",
    ]


def test_clusters_and_glass_are_no_contradiction(tmp_path: Path) -> None:
    rows = {"train": [_record(0, case="a"), _record(0, case="a", label=1, name="b")]}
    nuclei = write_records(tmp_path / "nuclei", rows, dataset="nuclei")
    assert find_doubts(read_contents(nuclei)) == []
    glass = encode_png(picture(0) * 0 + 240)
    flat = [PatchRecord(glass, i, f"case {i}x", f"{i}.png", 0, 0) for i in range(2)]
    assert (
        find_doubts(read_contents(write_records(tmp_path / "g", {"train": flat}))) == []
    )


def test_check_lists_every_pair(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, page = folder.parent / "pairs.csv", folder.parent / "pairs.html"
    arguments = ["check", str(folder), "--csv", str(table), "--page", str(page)]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.err.count("Warning: 1 × ") == 3
    assert f"csv: {table}" in said.out
    rows = [*csv.reader(table.read_text().splitlines())]
    assert rows[0] == ["kind", "first side", "first", "second side", "second", "shared"]
    assert [row[0] for row in rows[1:]] == [
        "pixels",
        "case names",
        "two labels",
        "two cases",
    ]
    assert rows[1][1:5:2] == [f"{folder} train", f"{folder} test"]
    text = page.read_text()
    assert "4 of 4 pairs by name" in text and "Look at these" in text
    assert text.count("<td>two labels</td>") == 1
    assert main(["check", str(folder), "--csv", str(folder)]) == 2
    assert f"csv must be a file in a folder that exists, got csv={folder}" in (
        capsys.readouterr().err
    )


def test_turned_copies_within_a_split_are_told(tmp_path: Path) -> None:
    turned = encode_png(np.ascontiguousarray(np.rot90(picture(5))))

    def copy(name: str, case: str, label: int) -> PatchRecord:
        return PatchRecord(turned, label, case, name, 0, 0)

    rows = [_record(5, case="a"), copy("b.png", "a", 1), copy("c.png", "c", 0)]
    write_records(tmp_path / "set", {"train": [*rows, _record(6, case="d")]})
    doubts = {d.reason: d.pairs for d in find_doubts(read_contents(tmp_path / "set"))}
    (pair,) = doubts["similar, two labels"]
    assert pair[1].startswith("5.png") and pair[3].startswith("b.png")
    (pair,) = doubts["similar, two cases"]
    assert pair[1].endswith("case a") and pair[3].endswith("case c")
