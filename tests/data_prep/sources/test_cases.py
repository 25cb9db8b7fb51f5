"""Who is one patient: names that are alike, empty, rounded, or in two splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import ColumnsConfig, SourceConfig, TargetSetConfig
from data_prep.sources.pictures import ImageSource, read_sources
from gastric_keras.records.cases import check_pattern, known_case
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import clean, is_empty_like, near_equal
from gastric_keras.support.errors import InputError
from tests.helpers.small_pictures import write_index


def _read(
    tmp_path: Path, cases: list[str], *, splits: str = "", **options: bool
) -> tuple[list[ImageSource], Ledger]:
    rows = []
    for number, case in enumerate(cases):
        (tmp_path / f"{number}.png").touch()
        row = {"path": f"{number}.png", "label": "benign", "case_id": case}
        rows.append(row | ({"part": splits.split()[number]} if splits else {}))
    source = SourceConfig(
        images=str(tmp_path),
        index=str(write_index(tmp_path / "index.csv", rows)),
        columns=ColumnsConfig(split="part" if splits else None),
    )
    ledger = Ledger()
    config = TargetSetConfig(sources=(source,))
    return read_sources(config, "label", ledger=ledger, **options), ledger


@pytest.mark.parametrize(
    "names",
    [
        ("100", "100.0"),
        ("100", "0100"),
        ("P 1", "p1"),
        ("P-1", "P_01"),
        ("P\u00a01", "P 1"),
        ("Ｐ１", "P1"),
        ("lab/7", "lab/7.0"),
        ("P1", "P\u200b1"),
        ("İ1", "i1"),
        ("ı1", "I1"),
        ("P١", "P1"),
        ("А1", "A1"),
        ("1,234", "1234"),
        ("+7", "7"),
        ('="0012"', "12"),
        ("'100", "100"),
        ("O'Brien", "O’Brien"),
        ("TCGA-AB-1234-01A-01-TS1", "TCGA-AB-1234-01Z-00-DX1"),
        ("TCGA-AB-1234", "tcga-ab-1234-01"),
        ("GTEX-1117F-0626", "GTEX-1117F-0726"),
        ("C3L-00001-21", "C3L-00001-22"),
    ],
)
def test_names_that_spelling_alone_tells_apart(names: tuple[str, str]) -> None:
    assert near_equal(["other", *names]) == [tuple(sorted(names))]


def test_names_of_different_patients_are_apart() -> None:
    names = ("1", "10", "100", "1-1", "11", "1.10", "1.1.10", "A1", "B1", "P+", "P", "")
    names += ("TCGA-44-2665", "TCGA-44-2656", "1,2,3", "2.16.840.1.10", "2.16.840.1.1")
    assert near_equal(names) == []


def test_a_cell_that_tells_nothing_is_no_case(tmp_path: Path) -> None:
    for cell in ("", " ", "nan", "NA", "None", "-", "?", "#N/A", "####", "\u00a0"):
        assert is_empty_like(cell), cell
    for cell in ("<NA>", "(blank)", "[null]", '""', "\\N", "TBD", "未知", "k.A.", "_"):
        assert is_empty_like(cell), cell
        with pytest.raises(InputError, match="must have its case.*got image=1.png"):
            _read(tmp_path, ["a", cell])
    assert not any(map(is_empty_like, ("0", "a", "nana", "N", "#1")))
    with pytest.raises(InputError, match="'NaN', which counts as empty"):
        _read(tmp_path, ["a", "NaN"])
    images, ledger = _read(tmp_path, ["a", "NaN", "nan"], allow_ungrouped=True)
    assert [image.case_id for image in images] == ["a", "1.png", "2.png"]
    assert ledger.assumed["case 'NaN' means not known"] == 1
    assert ledger.assumed["pictures of unknown case, each its own case"] == 2


def test_a_number_that_a_spreadsheet_rounded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got case=1.23457E\+12 for image=0.png"):
        _read(tmp_path, ["1.23457E+12"])
    assert known_case("1E5", "a.png", Ledger()) == "1E5"
    _, ledger = _read(tmp_path, ["12345678901234500", "12345678901234600"])
    assert "more than 15 digits end in zeros" in ledger.warnings[0]


def test_equal_words_are_one_case(tmp_path: Path) -> None:
    images, ledger = _read(tmp_path, ["Mu\u0308ller", "M\u00fcller ", "\u200bMüller"])
    assert {image.case_id for image in images} == {"M\u00fcller"}
    assert ledger.warnings == []
    assert clean("\ufeff a\u00a0") == "a"


def test_near_equal_names_are_told_once_with_their_spellings(tmp_path: Path) -> None:
    _, ledger = _read(tmp_path, ["100", "100.0", "P 1", "p1", "x"])
    (text,) = ledger.warnings
    assert "2 times case names differ in spelling alone" in text
    assert "'100' = '100.0', 'P 1' = 'p1'. They are kept in one split" in text
    assert sum(ledger.assumed.values()) == 4


def test_a_split_that_parts_near_equal_names_is_told(tmp_path: Path) -> None:
    _, ledger = _read(tmp_path, ["1", "1.0", "2"], splits="train test test")
    assert "different splits: '1' in train, '1.0' in test" in ledger.warnings[1]
    with pytest.raises(InputError, match="one split, got case=1 in train and test"):
        _read(tmp_path, ["1", "1", "2"], splits="train test test")


@pytest.mark.parametrize(
    ("cases", "warning"),
    [
        (["2-Jan", "1-2"], "1 case names are dates: 2-Jan. A spreadsheet may have"),
        (["2024-01-02 00:00:00", "a"], "case names are dates: 2024-01-02 00:00:00."),
        (["Mrz-24", "a"], "case names are dates: Mrz-24."),
        (
            ["S23-01234-A", "S23-01234-B2", "S23-01235-A"],
            "1 times case names differ in their last part alone: S23-01234-A, ",
        ),
        (["0", "1", "2", "a"], "3 of 4 pictures have their file name for a case"),
        (["1-1", "1-2", "11-1", "S23-01234", "May", "20-12"], ""),
    ],
)
def test_cases_that_are_no_patients_are_told(
    tmp_path: Path, cases: list[str], warning: str
) -> None:
    warnings = _read(tmp_path, cases)[1].warnings
    assert len(warnings) == bool(warning)
    assert not warning or warning in warnings[0]


def test_cases_of_one_picture_are_told(tmp_path: Path) -> None:
    note = "cases of one picture: no two pictures are of one patient"
    assert _read(tmp_path, ["a", "b", "c"])[1].assumed[note] == 3
    assert _read(tmp_path, ["a", "b", "b"])[1].assumed[note] == 0
    assert _read(tmp_path, ["a", "b", "B"])[1].assumed[note] == 0


def test_a_negative_number_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with '-1', which counts as empty"):
        _read(tmp_path, ["a", "-1"])
    images, ledger = _read(tmp_path, ["a", "-1", "-1"], allow_ungrouped=True)
    assert len({image.case_id for image in images}) == 3
    assert ledger.assumed["case '-1' means not known"] == 2


def test_a_pattern_that_cuts_a_number_is_told() -> None:
    ledger = Ledger()
    paths = ["a/c1_0.png", "a/c10_0.png"]
    check_pattern("(c[0-9]+)", paths, ledger)
    assert not ledger.warnings
    check_pattern("(c[0-9])", paths, ledger)
    assert "cuts a number in 1 paths: c1 of a/c10_0.png." in ledger.warnings[0]
