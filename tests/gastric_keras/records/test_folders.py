"""Which files count: links, loops, what systems leave, and names spelled otherwise."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from gastric_keras.records.folders import Finder, count_unlisted, list_files
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError


def _touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def _list(root: Path) -> tuple[list[str], Ledger]:
    ledger = Ledger()
    return list_files(root, (".png",), ledger, beside=(".xml",)), ledger


def test_what_systems_leave_is_passed_over_and_counted(tmp_path: Path) -> None:
    for name in ("a.PNG", "@eaDir/a.png/x.png", "._a.png", "b/._b.png", "Thumbs.db"):
        _touch(tmp_path / name)
    found, ledger = _list(tmp_path)
    assert found == ["a.PNG"]
    assert ledger.left_out == {
        "hidden or system files, @eaDir": 1,
        "hidden or system files, ._*": 2,
        "hidden or system files, Thumbs.db": 1,
        "links that lead nowhere": 0,
        "linked folders read once already": 0,
        "pipes, sockets and devices": 0,
        "folders without pictures, b": 1,
    }


def test_pipes_and_more_system_folders_are_counted(tmp_path: Path) -> None:
    for folder in ("~snapshot", "Network Trash Folder", "__pycache__", "b/_MACOSX"):
        _touch(tmp_path / folder / "x.png")
    _touch(tmp_path / "b" / "y.png")
    os.mkfifo(tmp_path / "b" / "z.png")
    found, ledger = _list(tmp_path)
    assert found == ["b/y.png"]
    assert ledger.left_out["pipes, sockets and devices"] == 1
    assert ledger.left_out.total() == 5


def test_other_suffixes_are_counted_and_pictures_among_them_told(
    tmp_path: Path,
) -> None:
    for name in ("a.png", "b.webp", "c.WEBP", "d.txt", "e", "f.xml"):
        _touch(tmp_path / name)
    found, ledger = _list(tmp_path)
    assert found == ["a.png"]
    left_out = {name: number for name, number in ledger.left_out.items() if number}
    assert left_out == {
        "files of suffix .webp, not read": 2,
        "files of suffix .txt, not read": 1,
        "files of suffix no suffix, not read": 1,
    }
    (text,) = ledger.warnings
    assert "that are not read: 2 .webp. Convert them" in text


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    root = tmp_path / "in"
    _touch(root / "b" / "x.png")
    _touch(tmp_path / "disk" / "y.png")
    os.symlink(tmp_path / "disk", root / "a_link")
    os.symlink("..", root / "b" / "loop")
    os.symlink("b", root / "a_again")
    os.symlink("nowhere", root / "lost.png")
    found, ledger = _list(root)
    # Of a folder and a link to it, the folder gives the path.
    assert found == ["a_link/y.png", "b/x.png"]
    assert ledger.left_out["linked folders read once already"] == 2
    assert ledger.left_out["links that lead nowhere"] == 1


def test_one_file_that_can_be_meant_is_found(tmp_path: Path) -> None:
    root = tmp_path / "in"
    _touch(root / "Präp" / "a.PNG")
    ledger = Ledger()
    finder = Finder(root, ledger)
    decomposed = unicodedata.normalize("NFD", "Präp/a.PNG")
    for name in ("Präp/a.PNG", f"{root}/Präp/a.PNG", decomposed, "Präp\\a.png"):
        assert finder.find(name, "picture") == "Präp/a.PNG"
    assert sorted(ledger.assumed.values()) == [1, 1]
    os.symlink(root, tmp_path / "link")
    other = Finder(tmp_path / "link", ledger)
    assert other.find(f"{root}/Präp/a.PNG", "picture") == "Präp/a.PNG"


def test_two_files_that_can_be_meant_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path / "a.png")
    _touch(tmp_path / "A.PNG")
    finder = Finder(tmp_path, Ledger())
    assert finder.find("a.png", "picture") == "a.png"
    with pytest.raises(InputError, match="must be a file, got path=A.png, no such"):
        finder.find("A.png", "picture")


@pytest.mark.parametrize("name", ["../x.png", "/etc/hosts", "..\\x.png", "C:\\x.png"])
def test_a_path_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    _touch(tmp_path / "x.png")
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="must lie inside|no such file"):
        Finder(tmp_path / "in", Ledger()).find(name, "picture")


def test_pictures_in_no_row_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "b.tif", "c.png", ".d.png", "e.txt", "sub/f.png"):
        _touch(tmp_path / name)
    assert count_unlisted(tmp_path, ["A.PNG", "b.png", "nowhere/x.png"], (".png",)) == 2
    assert (
        count_unlisted(tmp_path, ["a.png", "b.png", "c.png", "sub\\f.png"], (".png",))
        == 0
    )
