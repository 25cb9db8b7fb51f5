"""The folder in which a set grows: resumed by the same command, else begun again."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.sources.pictures import ImageSource
from gastric_keras.support.files import locked, write_atomic

_IDENTITY = "identity"
_LOCK = "lock"


def identity_of(
    dataset: str, config: dict[str, Any], sources: Sequence[ImageSource]
) -> str:
    """What a half-made set may be resumed by: the same job on the same files.

    Args:
        dataset: kind of set.
        config: the resolved config, plain values.
        sources: the pictures and region maps; their size and time of change count.

    Returns:
        64 hexadecimal digits; the code of data_prep counts too.
    """
    digest = hashlib.sha256(json.dumps([dataset, config]).encode())
    for image in sources:
        entry = [image.image_id, image.case_id, image.label, image.split]
        for path in (image.path, image.annotation):
            if path is not None:
                status = path.stat()
                entry += [str(path), str(status.st_size), str(status.st_mtime_ns)]
        digest.update(json.dumps(entry).encode())
    for module in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


@contextmanager
def unfinished(out: Path | str, identity: str) -> Iterator[Path]:
    """The folder beside ``out`` where its set grows, held for this process.

    What an earlier run of another identity left there is removed; what one of the
    same left is kept. The folder goes when the block ends without an error.

    Args:
        out: folder of the set.
        identity: see :func:`identity_of`.

    Yields:
        The folder.

    Raises:
        InputError: another process makes the same set, or it cannot be written.
    """
    out = Path(out)
    folder = out.with_name(f".{out.name}.partial")
    with locked(
        folder / _LOCK,
        folder="folder for a set in the making",
        way_out="Wait for the other command, or name another --out.",
    ):
        note = folder / _IDENTITY
        if not note.is_file() or note.read_text() != identity:
            if note.is_file():
                print(
                    f"{folder}: begun by another command or on other files; "
                    "starting again",
                    file=sys.stderr,
                )
            _clear(folder)
            write_atomic(note, identity)
        yield folder
        # The identity first: a folder that is half removed must not be continued.
        note.unlink()
        shutil.rmtree(folder)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
