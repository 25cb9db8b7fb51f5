"""An index that is damaged is refused; none of its rows gets lost in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.config.sets import ColumnsConfig, SourceConfig, TargetSetConfig
from data_prep.sources.index import read_index
from data_prep.sources.pictures import read_sources
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError


def _source(tmp_path: Path, text: str) -> SourceConfig:
    (tmp_path / "in").mkdir(exist_ok=True)
    for name in "abc":
        (tmp_path / "in" / f"{name}.png").touch()
    (tmp_path / "index.csv").write_text(text)
    return SourceConfig(images=str(tmp_path / "in"), index=str(tmp_path / "index.csv"))


def _refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as error:
        list(read_index(_source(tmp_path, text), "label"))
    return str(error.value)


HEAD = "path,label,case_id\n"


def test_a_quote_that_is_never_closed_takes_no_rows_in(tmp_path: Path) -> None:
    message = _refusal(tmp_path, HEAD + 'a.png,benign,"c1\nb.png,malignant,c2\n')
    assert "The index must be a CSV file, got index=" in message
    assert "unexpected end of data" in message


def test_a_quote_that_closes_rows_later_takes_none_in(tmp_path: Path) -> None:
    message = _refusal(tmp_path, HEAD + 'a.png,benign,"c1\nb.png,malignant,c2"\n')
    assert "Each cell of the index must be one line, got " in message
    assert "the row that ends in line 3" in message


@pytest.mark.parametrize(
    ("row", "found"),
    [("a.png,benign,c1,more", "more"), ("a.png,benign", "fewer")],
)
def test_rows_have_a_cell_for_each_column(tmp_path: Path, row: str, found: str) -> None:
    message = _refusal(tmp_path, f"{HEAD}b.png,benign,c2\n{row}\n")
    assert "must have as many cells as there are columns, got " in message
    assert f"index.csv, line 3, with {found}. Put a name" in message


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    message = _refusal(
        tmp_path, "path,label,case_id,label\na.png,benign,c1,malignant\n"
    )
    assert "The index must have each column once, got " in message
    assert "with label twice. Remove" in message


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000])
def test_a_path_longer_than_a_disk_allows_is_no_such_file(
    tmp_path: Path, name: str
) -> None:
    source = _source(tmp_path, f"{HEAD}{name},benign,c1\n")
    with pytest.raises(
        InputError, match="A picture must be a file, got .* no such file"
    ):
        read_sources(TargetSetConfig(sources=(source,)), "label")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_encodings_with_a_mark_and_separators_are_read(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    source = _source(tmp_path, "")
    text = f"{HEAD}a.png,benign,Müller\n,,\n".replace(",", separator)
    for first in ("", f"sep={separator}\n"):
        (tmp_path / "index.csv").write_bytes((first + text).encode(encoding))
        ledger = Ledger()
        (row,) = read_index(source, "label", ledger=ledger)
        assert (row["path"], row["case"]) == ("a.png", "Müller")
        assert ledger.left_out["blank rows of index.csv"] == 1
        is_plain = separator == "," and encoding == "utf-8-sig"
        assert bool(+ledger.assumed) != is_plain


@pytest.mark.parametrize(
    ("encoding", "guess"),
    [("cp1252", "WINDOWS-1252"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE")],
)
def test_another_encoding_is_named_with_the_command(
    tmp_path: Path, encoding: str, guess: str
) -> None:
    source = _source(tmp_path, "")
    text = f"{HEAD}a.png,benign,{'Müller' if encoding == 'cp1252' else 'x'}\n"
    (tmp_path / "index.csv").write_bytes(text.encode(encoding))
    with pytest.raises(InputError, match=f"iconv -f {guess} -t UTF-8 .*index.csv > "):
        read_index(source, "label")


def test_a_header_that_differs_in_capitals_is_named(tmp_path: Path) -> None:
    message = _refusal(tmp_path, "Path,label ,case_id\na.png,benign,c1\n")
    assert message.endswith('such as --set "sources.0.columns.path=Path"')


@pytest.mark.parametrize(
    ("cells", "value", "advice"),
    [
        ("mid Mid", "mid", "where={fold: [Mid, mid]}"),
        ("mid b", "Mid", "where={fold: [mid]}"),
        ("1.0 2.0", "1", "where={fold: ['1.0']}"),
        ("a b", "c", "where={fold: [a, b]}"),
    ],
)
def test_where_loses_no_row_by_spelling(
    tmp_path: Path, cells: str, value: str, advice: str
) -> None:
    lines = [f"{'ab'[i]}.png,benign,c,{c}\n" for i, c in enumerate(cells.split())]
    source = _source(tmp_path, "path,label,case_id,fold\n" + "".join(lines))
    source = replace(source, where={"fold": (value,)})
    with pytest.raises(InputError) as error:
        read_index(source, "label")
    assert "must be spelled as in the index, got fold=" in str(error.value)
    assert advice in str(error.value)


def test_rows_that_where_leaves_out_are_counted(tmp_path: Path) -> None:
    text = "path,label,case_id,fold\na.png,benign,c,mid \nb.png,benign,c,x\n"
    ledger = Ledger()
    source = replace(_source(tmp_path, text), where={"fold": (" mid",)})
    (row,) = read_index(source, "label", ledger=ledger)
    assert row["path"] == "a.png"
    assert ledger.left_out["rows of index.csv by where, fold is x"] == 1
    assert ledger.read["rows of index.csv"] == 2


def _written(tmp_path: Path, text: str, **options: object) -> SourceConfig:
    path = tmp_path / "index.csv"
    path.write_text(text)
    for line in text.splitlines()[1:]:
        (tmp_path / line.split(",")[0]).touch()
    return SourceConfig(images=str(tmp_path), index=str(path), **options)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (
            {"where": {"a": ("b",)}},
            "sources.0.where must come with an index, got where",
        ),
        ({"splits": {"a": "train"}}, "sources.0.splits must come with an index"),
        ({"columns": ColumnsConfig(split="x")}, "sources.0.columns must come with an"),
    ],
)
def test_settings_of_an_index_without_one_are_refused(
    tmp_path: Path, options: dict[str, object], found: str
) -> None:
    (tmp_path / "benign").mkdir()
    (tmp_path / "benign" / "a.png").touch()
    source = SourceConfig(images=str(tmp_path), case_pattern="(a)", **options)
    with pytest.raises(InputError, match=found):
        read_sources(TargetSetConfig(sources=(source,)), "label")


def test_splits_without_their_column_are_refused(tmp_path: Path) -> None:
    source = _written(
        tmp_path, "path,label,case_id\na.png,benign,a\n", splits={"a": "train"}
    )
    with pytest.raises(InputError, match="must come with columns.split, got splits="):
        read_index(source, "label")


def test_a_case_pattern_stands_for_a_missing_column_alone(tmp_path: Path) -> None:
    text = "path,label,case_id\na1.png,benign,x\n"
    with pytest.raises(InputError, match="must be told once, by a column or by case_"):
        read_index(_written(tmp_path, text, case_pattern="a(1)"), "label")
    source = _written(tmp_path, "path,label\na1.png,benign\n", case_pattern="(a1)")
    (image,) = read_sources(TargetSetConfig(sources=(source,)), "label")
    assert image.case_id == "a1" and image.is_grouped


def test_another_column_of_patients_is_named(tmp_path: Path) -> None:
    rows = "a.png,benign,s1,p\nb.png,benign,s2,p\n"
    flag = re.escape('--set "sources.0.columns.case=Patient ID"')
    source = _written(tmp_path, f"path,label,slide,Patient ID\n{rows}")
    with pytest.raises(InputError, match=f"Name the column with {flag}, or give"):
        read_sources(TargetSetConfig(sources=(source,)), "label")
    ledger = Ledger()
    source = _written(tmp_path, f"path,label,case_id,Patient ID\n{rows}")
    read_index(source, "label", ledger=ledger)
    assert re.search(f"joins several cases of the column case_id: p.*{flag}", (
        ledger.warnings[0]
    ))  # fmt: skip
    assert ledger.assumed["columns of index.csv not used: Patient ID"] == 1
    # One patient a case: nothing is parted.
    ledger = Ledger()
    text = "path,label,case_id,Patient ID\na.png,benign,s1,p\nb.png,benign,s2,q\n"
    read_index(_written(tmp_path, text), "label", ledger=ledger)
    assert not ledger.warnings


@pytest.mark.parametrize(
    ("name", "values", "kept"),
    [
        ("exclude", "10", "exclude: ['0']"),
        ("include", ("no", "yes"), "include: ['yes']"),
        ("qc_pass", ("FALSE", "TRUE"), "qc_pass: ['TRUE']"),
        ("stain", ("IHC", "HE"), "stain: [HE]"),
        ("keep", ("", "x"), "keep: [x]"),
    ],
)
def test_a_column_that_selects_rows_is_told(
    tmp_path: Path, name: str, values: str | tuple[str, str], kept: str
) -> None:
    rows = "".join(f"{i}.png,benign,c{i},{v}\n" for i, v in enumerate(values))
    ledger = Ledger()
    source = _written(tmp_path, f"path,label,case_id,{name}\n{rows}")
    read_index(source, "label", ledger=ledger)
    (text,) = ledger.warnings
    assert f"the column {name} of " in text and kept in text


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PK\x03\x04\x14", "a spreadsheet's own file under another name"),
        ("path,label\n\u60a3\u8005,benign\n".encode("gbk"), "iconv -f GB18030"),
        ("path,label\nM\u00fcller,benign\n".encode("cp1252"), "iconv -f WINDOWS-1252"),
    ],
)
def test_other_files_and_encodings_are_named(
    tmp_path: Path, data: bytes, found: str
) -> None:
    path = tmp_path / "index.csv"
    path.write_bytes(data)
    with pytest.raises(InputError, match=found):
        read_index(SourceConfig(images=str(tmp_path), index=str(path)), "label")
