"""Files that are whole or not there at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gastric_keras.support import files
from gastric_keras.support.errors import InputError


@pytest.mark.parametrize("content", ["Grüße\n", b"\x00\xff", ""])
def test_write_atomic_makes_folders_and_leaves_nothing_else(
    tmp_path: Path, content: str | bytes
) -> None:
    path = tmp_path / "a" / "b" / "file"
    files.write_atomic(path, content)
    expected = content.encode() if isinstance(content, str) else content
    assert path.read_bytes() == expected
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_failed_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        files.write_atomic(path, "new and longer")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"path={tmp_path}, a folder. Move it away"):
        files.write_atomic(tmp_path, "new")


def test_json_with_half_a_character_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(r'{"whole": "\ud83d\ude00"}')
    assert files.read_json(path) == {"whole": "\U0001f600"}
    path.write_text(r'{"half": "\uD83D"}')
    with pytest.raises(InputError, match="must be valid JSON.*surrogates not allowed"):
        files.read_json(path)


def test_json_round_trip_in_the_order_given(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    value = {"z": [1, 2.5, None], "a": {"Größe": "µm"}}
    files.write_json(path, value)
    assert files.read_json(path) == value
    assert list(files.read_json(path)) == ["z", "a"]
    text = path.read_text(encoding="utf-8")
    assert "µm" in text and text.endswith("}\n")


def test_read_json_of_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(InputError) as error:
        files.read_json(path)
    assert str(error.value) == (
        f"The path must lead to a JSON file, got path={path} "
        "(No such file or directory). Check the path."
    )


@pytest.mark.parametrize("content", [b'{"a": ', b"\xff\xfe{}"])
def test_read_json_of_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "half.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        files.read_json(path)
    assert f"The file must be valid JSON, got path={path} (" in str(error.value)


def test_sha256_of_more_than_one_block(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 4097
    path.write_bytes(content)
    assert files.sha256_of(path) == hashlib.sha256(content).hexdigest()


def test_a_table_has_a_header_and_a_line_a_row(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    files.write_csv(path, ["a", "b"], iter([[1, 0.1], ["x, y", None]]))
    assert path.read_bytes() == b'a,b\n1,0.1\n"x, y",\n'
    assert list(path.parent.iterdir()) == [path]


def test_json_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match="must be valid JSON"):
        files.read_json(path)
