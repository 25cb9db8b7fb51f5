"""Outlines of different classes that claim the same pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.sources.class_names import NO_CLASS, NOTHING

#: Two outlines are the same where they share this part of both.
_SAME = 0.95
#: Share of the outlined area that hands may let overlap.
_MAX_CROSSING = 0.05


def find_conflicts(
    drawn: Sequence[tuple[int, Any]], classes: Sequence[str]
) -> Iterator[str]:
    """What is ambiguous, one sentence each without a full stop.

    An outline inside another one is no conflict: the smaller one shows.

    Args:
        drawn: (number of a class map, area) of all outlines.
        classes: names, in label order.
    """
    from shapely import STRtree, area, intersection

    kept = [entry for entry in drawn if entry[0] not in (NOTHING, NO_CLASS)]
    numbers = np.array([number for number, _ in kept])
    if len({*numbers.tolist()}) < 2:
        return
    areas = np.array([shape for _, shape in kept], dtype=object)
    one, other = STRtree(areas).query(areas, predicate="intersects")
    is_pair = (one < other) & (numbers[one] != numbers[other])
    one, other = one[is_pair], other[is_pair]
    size = area(areas)
    shared = area(intersection(areas[one], areas[other]))
    larger, smaller = np.maximum(size[one], size[other]), np.minimum(
        size[one], size[other]
    )
    is_same = shared >= _SAME * larger
    if is_same.any():
        yield (
            f"{is_same.sum()} × the same outline under two classes "
            f"({_names(numbers, one[is_same], other[is_same], classes)}); the smaller "
            "or later one counts"
        )
    is_crossing = shared < _SAME * smaller
    crossing = float(shared[is_crossing].sum())
    if crossing > _MAX_CROSSING * float(size.sum()):
        pairs = _names(numbers, one[is_crossing], other[is_crossing], classes)
        yield (
            f"outlines of two classes cross on {crossing / size.sum():.0%} of the "
            f"outlined area ({pairs}); there the smaller one counts"
        )


def _names(
    numbers: npt.NDArray[Any],
    one: npt.NDArray[Any],
    other: npt.NDArray[Any],
    classes: Sequence[str],
) -> str:
    pairs = {tuple(sorted(pair)) for pair in zip(numbers[one], numbers[other])}
    return ", ".join(f"{classes[a - 1]} and {classes[b - 1]}" for a, b in sorted(pairs))
