"""Leaks: the same case, image or pixels on two sides that must not share any."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from data_prep.images import decode_image
from gastric_keras.records import read_manifest, read_records, record_key

Kind = Literal["case", "image", "pixels"]

#: Sets that take each other's place at t=1 and never meet in one run.
MID_LEVEL = ("tissue", "nuclei")


@dataclasses.dataclass(frozen=True)
class Contents:
    """What one split of a set holds.

    Attributes:
        name: folder of the set.
        dataset: tissue, nuclei or target.
        split: train, validation or test.
        keys: kind -> what is compared -> one record key that has it.
    """

    name: str
    dataset: str
    split: str
    keys: Mapping[Kind, Mapping[str, str]]

    def __str__(self) -> str:
        """The set and the split, as findings name them."""
        return f"{self.name} {self.split}"


@dataclasses.dataclass(frozen=True)
class Leak:
    """Something that two sides share.

    Attributes:
        kind: case, image, or pixels (patches that are equal to the last pixel).
        first: one side.
        second: the other.
        count: number of cases, images or different patches shared.
        examples: a few of them; of pixels, the two record keys.
    """

    kind: Kind
    first: str
    second: str
    count: int
    examples: tuple[str, ...]


def read_contents(folder: Path | str) -> list[Contents]:
    """Read what is compared out of every record of a set.

    Args:
        folder: of the set.

    Returns:
        One entry for each split.

    Raises:
        InputError: no finished set, or a patch that does not decode.
    """
    manifest = read_manifest(folder)
    contents = []
    for split in manifest.counts:
        keys: dict[Kind, dict[str, str]] = {"case": {}, "image": {}, "pixels": {}}
        for record in read_records(folder, split):
            key = record_key(record.image_id, record.x, record.y)
            keys["case"].setdefault(record.case_id, key)
            keys["image"].setdefault(record.image_id, key)
            keys["pixels"].setdefault(hash_pixels(record.image, name=key), key)
        contents.append(Contents(str(folder), manifest.dataset, split, keys))
    return contents


def hash_pixels(data: bytes, *, name: str = "patch") -> str:
    """SHA-256 of the decoded pixels: the same for a PNG saved in another way."""
    pixels = decode_image(data, name=name)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def find_leaks(contents: Sequence[Contents], *, examples: int = 3) -> list[Leak]:
    """Compare every two sides that must not share anything.

    These are two splits of one set, and any split of one set with any of another,
    but for two mid-level sets: tissue and nuclei are made from the same pictures
    with good reason, and no run uses both.

    Args:
        contents: of one or several sets, see :func:`read_contents`.
        examples: most examples that a leak names.

    Returns:
        One leak for each kind and pair that shares something.
    """
    return [
        leak
        for first, second in combinations(contents, 2)
        if _must_differ(first, second)
        for leak in _compare(first, second, examples)
    ]


def _must_differ(first: Contents, second: Contents) -> bool:
    if first.name == second.name:
        return True
    return not {first.dataset, second.dataset} <= set(MID_LEVEL)


def _compare(first: Contents, second: Contents, examples: int) -> Iterator[Leak]:
    for kind, keys in first.keys.items():
        others = second.keys[kind]
        shared = sorted(set(keys) & set(others))
        if not shared:
            continue
        named = shared[:examples]
        if kind == "pixels":
            # A hash tells nobody anything: the two patches are named instead.
            named = [f"{keys[value]} = {others[value]}" for value in named]
        yield Leak(kind, str(first), str(second), len(shared), tuple(named))
