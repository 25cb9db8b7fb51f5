"""Files below a folder, links followed; and the file that an index means."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import few
from gastric_keras.support.errors import InputError

#: What systems and file servers leave beside pictures, and names that begin so.
_SYSTEM = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "icon\r")
    + ("#recycle", "#snapshot", "~snapshot", "lost+found", "system volume information")
    + ("network trash folder", "temporary items", "_macosx", "__pycache__")
    + ("picasaoriginals",)
)
_SYSTEM_STARTS = (".", "@", "~$")
#: Pictures of other formats: more than a note to whoever left them out unknowingly.
_OTHER_PICTURES = frozenset(
    """.webp .gif .jp2 .j2k .jpx .jxl .avif .heic .heif .czi .nd2 .lif .vsi .zvi .lsm
    .oir .qptiff .isyntax .dicom .dic .jfif .jpe .ppm .psd .raw .dng .cr2 .nef .h5
    .zarr .tmap .kfb .sdpc .mds .zip .tar .gz .7z .rar""".split()
)


@dataclass
class _Walk:
    """What is found below a folder, and what is passed over."""

    files: list[str] = field(default_factory=list)
    system: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    again: int = 0
    neither: int = 0
    folders: list[str] = field(default_factory=list)


def list_files(
    root: Path, suffixes: tuple[str, ...], ledger: Ledger, *, beside: tuple[str, ...]
) -> list[str]:
    """List the files below a folder, in order of their paths; all others are counted.

    Linked folders are followed, each real folder once. Hidden files and what systems
    leave behind (``.ipynb_checkpoints``, ``@eaDir``, ``Thumbs.db``, ``__MACOSX``) are
    passed over.

    Args:
        root: the folder.
        suffixes: of the files that are wanted, in small letters.
        ledger: is told of what was left out.
        beside: further suffixes that belong there and need no mention.

    Returns:
        Paths below the folder, with slashes.
    """
    walk = _walk(root)
    wanted, others = [], Counter[str]()
    for path in sorted(walk.files):
        suffix = os.path.splitext(path)[1].lower()
        if suffix in suffixes:
            wanted.append(path)
        elif suffix not in beside:
            others[suffix or "no suffix"] += 1
    for name, number in walk.system.items():
        ledger.left_out[f"hidden or system files, {name}"] += number
    for suffix, number in others.items():
        ledger.left_out[f"files of suffix {suffix}, not read"] += number
    ledger.left_out["links that lead nowhere"] += walk.broken
    ledger.left_out["linked folders read once already"] += walk.again
    ledger.left_out["pipes, sockets and devices"] += walk.neither
    filled = {path.split("/")[0] for path in wanted}
    empty = sorted(f for f in walk.folders if "/" not in f and f not in filled)
    ledger.left_out[f"folders without pictures, {few(empty)}"] += len(empty)
    unread = sorted(set(others) & _OTHER_PICTURES)
    if unread:
        counts = ", ".join(f"{others[suffix]} {suffix}" for suffix in unread)
        ledger.warn(
            f"files in {root} that are not read: {counts}. Convert them to PNG or TIFF "
            "if they are pictures of the set."
        )
    return wanted


def count_unlisted(
    root: Path | str, paths: Iterable[str], suffixes: tuple[str, ...]
) -> int:
    """How many pictures lie in a folder of which an index names others.

    Files of a named picture's name but another suffix are its region maps.

    Args:
        root: the folder that the paths count from; folders below it count too.
        paths: as the index gives them.
        suffixes: of pictures, in small letters.
    """
    if not os.path.isdir(root):
        # Its paths are refused in their turn.
        return 0
    named: dict[str, set[str]] = {}
    for path in paths:
        full = os.path.abspath(Path(root) / path.replace("\\", "/"))
        folder, name = os.path.split(full)
        named.setdefault(_fold(folder), set()).add(_fold(os.path.splitext(name)[0]))
    unlisted = 0
    for path in _walk(Path(root)).files:
        folder, name = os.path.split(os.path.abspath(Path(root) / path))
        stem, suffix = os.path.splitext(name)
        is_named = _fold(stem) in named.get(_fold(folder), ())
        unlisted += suffix.lower() in suffixes and not is_named
    return unlisted


def is_system_name(name: str) -> bool:
    """Whether a file or folder is hidden or was left by a system, by its name."""
    return name.startswith(_SYSTEM_STARTS) or name.casefold() in _SYSTEM


def _walk(root: Path) -> _Walk:
    walk = _Walk()
    seen = set[tuple[int, int]]()
    # Real folders first: of a folder and a link to it, the folder gives the path.
    waiting, linked = [""], list[str]()
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        status = os.stat(root / folder)
        if (status.st_dev, status.st_ino) in seen:
            walk.again += 1
            continue
        seen.add((status.st_dev, status.st_ino))
        if folder:
            walk.folders.append(folder)
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if is_system_name(entry.name):
                    walk.system[_kind_of(entry.name)] += 1
                elif entry.is_dir():
                    (linked if entry.is_symlink() else waiting).append(path)
                elif entry.is_file():
                    walk.files.append(path)
                elif entry.is_symlink():
                    walk.broken += 1
                else:
                    walk.neither += 1
    return walk


def _kind_of(name: str) -> str:
    """One word for many names: ``._*`` for the shadows that macOS writes."""
    if name.startswith(("._", "~$")):
        return f"{name[:2]}*"
    return name


class Finder:
    """Finds the files that an index names below a folder.

    Args:
        root: the folder.
        ledger: is told of names that differ from the index in their spelling.
    """

    def __init__(self, root: Path | str, ledger: Ledger) -> None:
        self.root = Path(os.path.normpath(root))
        self._ledger = ledger
        self._names = lru_cache(maxsize=4096)(self._read_names)

    def find(self, name: str, what: str) -> str:
        """The path below the folder that a name of the index means.

        Absolute paths that lie in the folder, backslashes, other Unicode forms and
        other letter case are understood, where one file alone can be meant.

        Args:
            name: as the index gives it.
            what: is looked for, for the message.

        Returns:
            The path as the disk spells it, with slashes.

        Raises:
            InputError: outside of the folder, or no such file.
        """
        relative = self._below(name)
        if relative is None and "\\" in name:
            name = name.replace("\\", "/")
            relative = self._below(name)
        if relative is None:
            raise InputError(
                f"A {what} must lie inside {self.root}, got path={name}. Write paths "
                "relative to that folder, or name a folder that holds them all."
            )
        # os.path, since Path raises where the name is too long for the disk.
        if os.path.isfile(self.root / relative):
            return relative
        candidates = (relative, relative.replace("\\", "/"))
        for candidate in map(os.path.normpath, candidates):
            for found, how in self._spelled_otherwise(candidate):
                self._ledger.assumed[f"paths of the index {how}"] += 1
                return found
        raise InputError(
            f"A {what} must be a file, got path={name}, no such file at "
            f"{self.root / relative}. Fix the index, or leave its row out with where."
        )

    def _below(self, name: str) -> str | None:
        path = os.path.normpath(self.root / name)
        # An absolute path may name the folder in full, or through another link.
        for one, other in (
            (path, self.root),
            (os.path.abspath(path), os.path.abspath(self.root)),
            (_real(path), _real(self.root)),
        ):
            if Path(one).is_relative_to(other):
                return Path(one).relative_to(other).as_posix()
        return None

    def _spelled_otherwise(self, relative: str) -> Iterator[tuple[str, str]]:
        """The one file that is meant, if only letter case or Unicode form differs."""
        if relative.startswith("..") or os.path.isabs(relative):
            return
        found = ""
        for part in Path(relative).parts:
            # A name is itself before it is anything else.
            keys = (part, _form(part), _fold(part))
            meant = zip(self._names(found), keys)
            same: list[str] = next((n[key] for n, key in meant if key in n), [])
            if len(same) != 1:
                return
            found = f"{found}/{same[0]}" if found else same[0]
        if os.path.isfile(self.root / found):
            is_composed = _form(found) == _form(relative)
            yield found, (
                "in another Unicode form or with backslashes"
                if is_composed
                else "in other letter case"
            )

    def _read_names(self, folder: str) -> tuple[dict[str, list[str]], ...]:
        """Names in a folder by their spelling, by their NFC, and by small letters."""
        tables: tuple[dict[str, list[str]], ...] = ({}, {}, {})
        try:
            entries = os.listdir(self.root / folder)
        except OSError:
            return tables
        for entry in sorted(entries):
            keys = (entry, _form(entry), _fold(entry))
            for table, key in zip(tables, keys):
                table.setdefault(key, []).append(entry)
        return tables


def _real(path: Path | str) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        # A name that holds a zero byte.
        return str(path)


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _fold(name: str) -> str:
    return _form(name).casefold()
