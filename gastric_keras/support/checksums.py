"""``SHA256SUMS``: the checksums of a folder's files, in the form of ``sha256sum``."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of, write_atomic

NAME = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def write_checksums(folder: Path, *, leave: tuple[str, ...] = ()) -> None:
    """Write the list of a folder's files, those of its subfolders too.

    Args:
        folder: as it will stay.
        leave: names of files that may change later.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in files
        if path.name not in (NAME, *leave)
    ]
    write_atomic(folder / NAME, "".join(lines))


def check_checksums(folder: Path, *, way_out: str) -> None:
    """Compare the listed files with their checksums; without a list, nothing is done.

    Args:
        folder: that may hold a list.
        way_out: what to do when a file was changed, a sentence.

    Raises:
        InputError: a listed file is gone or was changed, or the list is none.
    """
    path = folder / NAME
    if not path.is_file():
        return
    for wanted, name in _read(path, way_out):
        file = folder / name
        found = sha256_of(file) if file.is_file() else "no file"
        require(
            found == wanted,
            f"{name} must have the sha256 {wanted} that {NAME} lists",
            way_out,
            path=str(file),
            sha256=found,
        )


def _read(path: Path, way_out: str) -> list[tuple[str, str]]:
    """Checksum and name of each line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{NAME} must hold lines of text, got path={path} ({error}). {way_out}"
        ) from error
    found = [_LINE.fullmatch(line) for line in lines]
    pairs = [(match[1], match[2]) for match in found if match]
    inside = [name for _, name in pairs if _is_inside(name)]
    require(
        bool(lines) and len(inside) == len(lines),
        f"Each line of {NAME} must be a sha256 and the path of a file in its folder",
        way_out,
        path=str(path),
        lines=len(lines),
        sound=len(inside),
    )
    return pairs


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name
