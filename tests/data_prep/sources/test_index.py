"""An index that is damaged is refused; none of its rows gets lost in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import SourceConfig, TargetSetConfig
from data_prep.sources.index import read_index
from data_prep.sources.pictures import read_sources
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
