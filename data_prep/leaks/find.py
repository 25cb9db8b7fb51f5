"""Leaks: the same case, image, place or picture on two sides that must share none."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from data_prep.leaks.contents import Contents, Kind, Patches
from data_prep.leaks.overlaps import intersect
from gastric_keras.imaging.fingerprints import find_alike

#: Sets that take each other's place at t=1 and never meet in one run.
MID_LEVEL = ("tissue", "nuclei")


@dataclasses.dataclass(frozen=True)
class Leak:
    """Something that two sides share.

    Attributes:
        kind: case; image; overlap (patches that share a part of a picture); pixels
            (equal to the last pixel); perceptual (the same picture turned, flipped,
            compressed again or mildly resized).
        first: one side.
        second: the other.
        count: number of cases, images, different patches (pixels) or pairs of
            patches (overlap, perceptual).
        examples: a few of them; of patches, the two record keys.
        names: of cases and images, all of them.
        pairs: for each, a record key of the first side and one of the second.
    """

    kind: Kind
    first: str
    second: str
    count: int
    examples: tuple[str, ...]
    names: tuple[str, ...] = dataclasses.field(default=(), compare=False, repr=False)
    pairs: tuple[tuple[str, str], ...] = dataclasses.field(
        default=(), compare=False, repr=False
    )


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
        if must_differ(first, second)
        for leak in _compare(first, second, examples)
    ]


def must_differ(first: Contents, second: Contents) -> bool:
    """Whether two sides are compared at all."""
    if first.name == second.name:
        return True
    return not {first.dataset, second.dataset} <= set(MID_LEVEL)


def _compare(first: Contents, second: Contents, examples: int) -> Iterator[Leak]:
    sides = (str(first), str(second))
    for kind, keys in first.keys.items():
        others = second.keys[kind]
        shared = sorted(set(keys) & set(others))
        if not shared:
            continue
        pairs = tuple((keys[value], others[value]) for value in shared)
        # A hash tells nobody anything: the two patches are named instead.
        names = () if kind == "pixels" else tuple(shared)
        named = names[:examples] or _spell(pairs[:examples])
        yield Leak(kind, *sides, len(shared), named, names, pairs)
    by_place = _overlaps(first.patches, second.patches)
    by_look = _alike(first.patches, second.patches)
    kinds: tuple[tuple[Kind, list], ...] = (
        ("overlap", by_place),
        ("perceptual", by_look),
    )
    for kind, found in kinds:
        if found:
            pairs = tuple(
                (first.patches.keys[i], second.patches.keys[j]) for i, j in found
            )
            yield Leak(kind, *sides, len(pairs), _spell(pairs[:examples]), (), pairs)


def _spell(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(f"{one} = {other}" for one, other in pairs)


def _alike(first: Patches, second: Patches) -> list[tuple[int, int]]:
    """Rows that look alike; equal pixels are a leak of their own kind."""
    return [
        (one, other)
        for one, other, _ in find_alike(first.pictures, second.pictures)
        if first.hashes[one] != second.hashes[other]
    ]


def _overlaps(first: Patches, second: Patches) -> list[tuple[int, int]]:
    """Rows whose squares share a pixel of one picture, in order."""
    ours, theirs = _rows_by_image(first), _rows_by_image(second)
    found: list[tuple[int, int]] = []
    for image in ours.keys() & theirs.keys():
        left, right = np.array(ours[image]), np.array(theirs[image])
        pairs = intersect(first.squares[left], second.squares[right])
        found += zip(left[pairs[:, 0]].tolist(), right[pairs[:, 1]].tolist())
    return sorted(found)


def _rows_by_image(patches: Patches) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, image in enumerate(patches.images):
        rows[image].append(row)
    return rows
