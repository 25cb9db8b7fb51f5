"""SHA256SUMS: what coreutils read, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gastric_keras.support.checksums import NAME, check_checksums, write_checksums
from gastric_keras.support.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a b.txt").write_text("a")
    (tmp_path / "deep" / "er" / "ü").write_bytes(b"\0")
    (tmp_path / "notes.md").write_text("free")
    write_checksums(tmp_path, leave=("notes.md",))
    return tmp_path


def check(folder: Path) -> None:
    check_checksums(folder, way_out="Copy it again.")


def test_coreutils_read_the_list(folder: Path) -> None:
    command = ["sha256sum", "--check", "--strict", NAME]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2
    check(folder)
    # The list does not list itself.
    write_checksums(folder, leave=("notes.md",))
    check(folder)


def test_without_a_list_nothing_is_checked(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    check(tmp_path)


def test_a_changed_file_is_named(folder: Path) -> None:
    (folder / "notes.md").write_text("other")
    (folder / "more").write_text("of no concern")
    check(folder)
    (folder / "deep" / "er" / "ü").write_bytes(b"\1")
    with pytest.raises(
        InputError, match="^deep/er/ü must have the sha256 6e34.*Copy it again"
    ):
        check(folder)
    (folder / "deep" / "er" / "ü").unlink()
    with pytest.raises(InputError, match="sha256='no file'"):
        check(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"some text\n",
        b"\xff\xfe\n",
        b"0" * 64 + b"  ../outside\n",
        b"0" * 64 + b"  /etc/passwd\n",
        b"0" * 63 + b"  a b.txt\n",
        b"0" * 64 + b"  a\0b\n",
    ],
)
def test_a_list_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / NAME).write_bytes(content)
    with pytest.raises(InputError, match=f"must .*, got path=.*{NAME}"):
        check(folder)
