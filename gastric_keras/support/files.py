"""Atomic writes, JSON, CSV, checksums and locks."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from gastric_keras.support.errors import InputError


class FolderInUse(InputError):
    """Another process works in a folder."""


def write_atomic(path: Path | str, content: bytes | str) -> None:
    """Write a file so that no reader ever sees half of it.

    Args:
        path: where the file goes; missing parent folders are made.
        content: bytes, or text that is written as UTF-8.

    Raises:
        InputError: the path is a folder.
    """
    data = content.encode() if isinstance(content, str) else content
    with _whole(Path(path), mode="wb") as stream:
        stream.write(data)


@contextmanager
def _whole(path: Path, **how: Any) -> Iterator[IO[Any]]:
    """A stream that becomes the file when the block ends without an error."""
    if path.is_dir():
        raise InputError(
            f"The path of a new file must be free, got path={path}, a folder. "
            "Move it away."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, **how) as stream:
            yield stream
            stream.flush()
            # Rename alone orders nothing after a power cut: the data go down first.
            os.fsync(stream.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def push_to_disk(path: Path) -> None:
    """Wait until a file that a library wrote would outlive a power cut.

    Args:
        path: of a closed file.
    """
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def check_room(folder: Path, size: int) -> None:
    """Find out whether a disk has room before a library begins a file there.

    Args:
        folder: that exists.
        size: of the file, bytes.

    Raises:
        OSError: ENOSPC, it has not.
    """
    if shutil.disk_usage(folder).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def write_json(path: Path | str, value: Any) -> None:
    """Write a value as indented JSON, atomically, keys in the order given."""
    write_atomic(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(
    path: Path | str, header: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Write a table as CSV, atomically: a header, then a line a row.

    The rows go to the disk as they come: a table may be larger than memory.
    """
    with _whole(Path(path), mode="w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or is not JSON.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        tree = json.loads(text)
        if r"\ud" in text.lower():
            # Half of a character is text to Python, but no file or page can hold it.
            json.dumps(tree, ensure_ascii=False).encode()
        return tree
    except OSError as error:
        raise InputError(
            f"The path must lead to a JSON file, got path={path} ({error.strerror}). "
            "Check the path."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"The file must be valid JSON, got path={path} ({error}). "
            "Delete it and make it again."
        ) from error


# What a file holds is not known before its reader has looked.
def read_object(path: Path | str) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises:
        InputError: the file is missing, is not JSON, or holds something else.
    """
    tree = read_json(path)
    if not isinstance(tree, dict):
        raise InputError(
            f"The file must hold a JSON object, got path={path}, which holds "
            f"{type(tree).__name__}. Delete it and make it again."
        )
    return tree


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def locked(path: Path | str, *, folder: str, way_out: str) -> Iterator[None]:
    """Hold a lock file for this process; a second process is refused.

    Args:
        path: the lock file; missing parent folders are made.
        folder: what kind of folder the lock is for, as the error names it.
        way_out: what to do when it is taken, a sentence.

    Raises:
        FolderInUse: another process holds it.
        InputError: it cannot be made.
    """
    path = Path(path)
    # The kernel drops the lock with the process, however that ends. A file system
    # without such locks (NFS without its lock service) is refused: a lock by the mere
    # presence of a file would outlive a process that was killed.
    lock = FileLock(path, timeout=0, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise FolderInUse(
            f"The {folder} must not be in use by another process, got {path.parent}. "
            f"{way_out}"
        ) from error
    except OSError as error:
        raise InputError(
            f"The {folder} must be writable, got {path.parent} ({error.strerror}). "
            "Name another."
        ) from error
    try:
        yield
    finally:
        lock.release()
