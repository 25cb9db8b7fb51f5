"""What may be a leak, or a wrong label: near-equal names, equal patches at odds."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Literal

from data_prep.leaks.contents import Contents
from data_prep.leaks.find import must_differ
from gastric_keras.imaging.fingerprints import find_alike
from gastric_keras.records.spelling import few, near_equal

Reason = Literal[
    "case names", "two labels", "two cases", "similar, two labels", "similar, two cases"
]

#: A side and what is there, another and what is there.
_Pair = tuple[str, str, str, str]

#: Pairs that a line names.
_NAMED = 5


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Something that a person must look at.

    Attributes:
        reason: case names (that spelling alone tells apart); two labels or two cases
            (of patches with equal pixels); the same of patches that are similar,
            within one side, since those of two sides are leaks.
        pairs: of each, what the first and the second is, with its side.
    """

    reason: Reason
    pairs: tuple[_Pair, ...]

    def __str__(self) -> str:
        """One line, with a few of the pairs."""
        named = (f"{a} ({side}) = {b} ({side_2})" for side, a, side_2, b in self.pairs)
        what = {
            "case names": "case names that spelling alone tells apart",
            "two labels": "patches of equal pixels and different labels",
            "two cases": "patches of equal pixels and different cases",
            "similar, two labels": "similar patches of different labels in one split",
            "similar, two cases": "similar patches of different cases in one split",
        }
        return f"{len(self.pairs)} × {what[self.reason]}: {few(named, _NAMED)}"


def find_doubts(contents: Sequence[Contents]) -> list[Doubt]:
    """Look for them in every side and between the sides that must differ.

    Args:
        contents: of one or several sets.

    Returns:
        One doubt for each reason that was found.
    """
    found: dict[Reason, set[_Pair]] = defaultdict(set)
    found["case names"] = set(_near_cases(contents))
    for reason, pair in _at_odds(contents):
        found[reason].add(pair)
    for reason, pair in _similar(contents):
        found[reason].add(pair)
    return [Doubt(why, tuple(sorted(pairs))) for why, pairs in found.items() if pairs]


def _near_cases(contents: Sequence[Contents]) -> Iterator[_Pair]:
    sides_of: dict[str, list[Contents]] = defaultdict(list)
    for side in contents:
        for case in side.keys["case"]:
            sides_of[case].append(side)
    # A picture that is its own case has the name of a file.
    cases = {
        case
        for side in contents
        for case in side.keys["case"]
        if case not in side.keys["image"]
    }
    for group in near_equal(cases):
        for one, other in combinations(group, 2):
            for first in sides_of[one]:
                for second in sides_of[other]:
                    if first is second or must_differ(first, second):
                        yield str(first), one, str(second), other


def _at_odds(contents: Sequence[Contents]) -> Iterator[tuple[Reason, _Pair]]:
    rows: dict[str, list[tuple[Contents, int]]] = defaultdict(list)
    repeated = _repeated(contents)
    for side in contents:
        flat = side.patches.pictures.is_flat
        for row, digest in enumerate(side.patches.hashes):
            # All bare glass is alike, whoever it is of.
            if digest in repeated and not flat[row]:
                rows[digest].append((side, row))
    for same in rows.values():
        for (one, i), (other, j) in combinations(_different(same), 2):
            if not (one is other or must_differ(one, other)):
                continue
            first, second = one.patches, other.patches
            # Another set has other classes, and clusters are no opinion of anybody.
            has_labels = one.name == other.name and one.dataset != "nuclei"
            names = first.keys[i], second.keys[j]
            if has_labels and first.labels[i] != second.labels[j]:
                said = first.labels[i], second.labels[j]
                reason: Reason = "two labels"
            elif first.cases[i] != second.cases[j]:
                said = f"case {first.cases[i]}", f"case {second.cases[j]}"
                reason = "two cases"
            else:
                continue
            sides = str(one), str(other)
            shown = [f"{name}, {word}" for name, word in zip(names, said)]
            yield reason, (sides[0], shown[0], sides[1], shown[1])


def _repeated(contents: Sequence[Contents]) -> set[str]:
    """Hashes that occur more than once: a set of a million holds few."""
    seen: set[str] = set()
    repeated: set[str] = set()
    for side in contents:
        for digest in side.patches.hashes:
            (repeated if digest in seen else seen).add(digest)
    return repeated


def _similar(contents: Sequence[Contents]) -> Iterator[tuple[Reason, _Pair]]:
    """Copies that were turned or compressed again, within a split of a target set."""
    for side in contents:
        patches = side.patches
        # Patches of mid-level sets lie side by side, and nothing is judged on them.
        if side.dataset != "target":
            continue
        for i, j, _ in find_alike(patches.pictures, patches.pictures):
            if i >= j or patches.hashes[i] == patches.hashes[j]:
                continue
            keys = patches.keys[i], patches.keys[j]
            labels = patches.labels[i], patches.labels[j]
            cases = patches.cases[i], patches.cases[j]
            if labels[0] != labels[1]:
                first, second = (f"{key}, {word}" for key, word in zip(keys, labels))
                yield "similar, two labels", (str(side), first, str(side), second)
            elif cases[0] != cases[1]:
                first, second = (f"{key}, case {c}" for key, c in zip(keys, cases))
                yield "similar, two cases", (str(side), first, str(side), second)


def _different(same: Sequence[tuple[Contents, int]]) -> list[tuple[Contents, int]]:
    """The first patch of each side, label and case: a hundred copies are one name."""
    if len(same) < 2:
        return []
    first: dict[tuple[str, str, str], tuple[Contents, int]] = {}
    for side, row in same:
        patches = side.patches
        key = (str(side), patches.labels[row], patches.cases[row])
        first.setdefault(key, (side, row))
    return list(first.values())
