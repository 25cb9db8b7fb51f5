"""The directories of a TIFF, classic or BigTIFF, of either byte order."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap

#: Most directories that are looked at; slides have a dozen.
_MOST = 1000
#: Type of a field -> letter of struct: BYTE, SHORT, LONG, LONG8.
_LETTERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
#: Types of a field that is text or means something to its program alone.
_TEXTS = (2, 7)


@dataclass(frozen=True)
class Field:
    """A field of whole numbers.

    Attributes:
        values: of it.
        place: where the first of them lies in the file.
        kind: its type.
    """

    values: tuple[int, ...]
    place: int
    kind: int


class Directory(dict[int, Field]):
    """The fields of whole numbers of one picture of a TIFF, by tag.

    Attributes:
        start: where it lies in the file.
        link: where the file says where the next one lies.
        texts: tag -> bytes of a field of text, or of a format of its own.
    """

    start: int = 0
    link: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[int, bytes] = {}

    def all(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The values of a tag."""
        return self[tag].values if tag in self else default

    def one(self, tag: int, default: int) -> int:
        """The first value of a tag."""
        values = self.all(tag)
        return values[0] if values else default


def read_directories(data: bytes | mmap) -> list[Directory]:
    """Read the fields of whole numbers of every picture in the chain.

    What is damaged is left out: the decoder says what is wrong.

    Args:
        data: the file.
    """
    order = byte_order(data)
    found: list[Directory] = []
    seen: set[int] = set()
    try:
        is_big = _unpack(data, order, "H", 2) == 43
        place = _unpack(data, order, "Q" if is_big else "I", 8 if is_big else 4)
        while place and place not in seen and len(found) < _MOST:
            seen.add(place)
            directory, place = _read(data, order, is_big, place)
            found.append(directory)
    except struct.error:
        pass
    return found


def byte_order(data: bytes | mmap) -> str:
    """The sign of struct for a TIFF's byte order; "" where it is no TIFF."""
    return {b"II": "<", b"MM": ">"}.get(data[:2], "")


def with_value(data: bytes, field: Field, value: int) -> bytes:
    """A TIFF whose field has another first value."""
    return with_values(data, field, (value,))


def with_values(data: bytes, field: Field, values: Sequence[int]) -> bytes:
    """A TIFF whose field has other values, as many as before."""
    letter = f"{byte_order(data)}{len(values)}{_LETTERS[field.kind]}"
    packed = struct.pack(letter, *values)
    return data[: field.place] + packed + data[field.place + len(packed) :]


def with_one_page(data: bytes, page: Directory) -> bytes:
    """A TIFF of which decoders see one picture, whatever else is in it."""
    order = byte_order(data)
    is_big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    changed = bytearray(data)
    letter, first = ("Q", 8) if is_big else ("I", 4)
    struct.pack_into(f"{order}{letter}", changed, first, page.start)
    struct.pack_into(f"{order}{letter}", changed, page.link, 0)
    return bytes(changed)


def _read(
    data: bytes | mmap, order: str, is_big: bool, start: int
) -> tuple[Directory, int]:
    count = _unpack(data, order, "Q" if is_big else "H", start)
    size, inline, number = (20, 8, "Q") if is_big else (12, 4, "I")
    first = start + (8 if is_big else 2)
    directory = Directory()
    for entry in range(first, first + count * size, size):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        n = _unpack(data, order, number, entry + 4)
        letter = "B" if kind in _TEXTS else _LETTERS.get(kind)
        if letter is None or n * struct.calcsize(letter) > len(data):
            continue
        place = entry + 4 + inline
        if n * struct.calcsize(letter) > inline:
            place = _unpack(data, order, number, place)
        if kind in _TEXTS:
            directory.texts[tag] = bytes(data[place : place + n])
            continue
        values = struct.unpack_from(f"{order}{n}{letter}", data, place)
        directory[tag] = Field(values, place, kind)
    directory.start, directory.link = start, first + count * size
    return directory, _unpack(data, order, number, directory.link)


def _unpack(data: bytes | mmap, order: str, letter: str, place: int) -> int:
    return int(struct.unpack_from(f"{order}{letter}", data, place)[0])
