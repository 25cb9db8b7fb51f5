"""Which patches stay where a class may have only so many."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from data_prep.sets.plan import PlannedImage
from gastric_keras.records.subsets import first_ranked

Group = TypeVar("Group", bound=Hashable)


def cap_plan(
    plan: Sequence[PlannedImage],
    max_per_class: Mapping[str, int],
    *,
    source_of_case: Mapping[str, int] | None = None,
) -> list[PlannedImage]:
    """Cut each class of each split down to its cap.

    Args:
        plan: the pictures with their patches.
        max_per_class: split -> most patches of a class.
        source_of_case: case -> number of its source: the cap is then spread evenly
            over the sources, and in each over its cases; None: the first by nested
            rank stay, wherever they come from.

    Returns:
        The plan without what is over, and without pictures that have nothing left.
    """
    groups: dict[tuple[str, int], dict[str, list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for image in plan:
        for ref in image.refs:
            # Without sources all patches are one case.
            case = "" if source_of_case is None else image.case_id
            groups[image.split, ref.label][case].append(image.key(ref))
    kept: dict[tuple[str, int], set[str]] = {}
    for (split, label), cases in groups.items():
        if split in max_per_class:
            limits = _case_limits(cases, max_per_class[split], source_of_case or {})
            kept[split, label] = {
                key
                for case, keys in cases.items()
                for key in first_ranked(keys, limits[case])
            }
    capped = []
    for image in plan:
        if image.split in max_per_class:
            stay = [r for r in image.refs if image.key(r) in kept[image.split, r.label]]
            image = dataclasses.replace(image, refs=tuple(stay))
        if image.refs:
            capped.append(image)
    return capped


def spread(sizes: Mapping[Group, int], limit: int) -> dict[Group, int]:
    """Share a limit as evenly as the groups allow.

    Args:
        sizes: group -> how much it has.
        limit: of all together.

    Returns:
        group -> its share, at most its size; the shares of groups that have enough
        differ by one at most. What does not divide goes to the larger groups.
    """
    shares, left = {}, limit
    # The smallest first: what it cannot fill is for the others.
    order = sorted(sizes, key=lambda group: (sizes[group], str(group)))
    for place, group in enumerate(order):
        shares[group] = min(sizes[group], left // (len(order) - place))
        left -= shares[group]
    return shares


def _case_limits(
    cases: Mapping[str, Sequence[str]],
    limit: int,
    source_of_case: Mapping[str, int],
) -> dict[str, int]:
    by_source: dict[int, dict[str, int]] = defaultdict(dict)
    for case, keys in cases.items():
        by_source[source_of_case.get(case, 0)][case] = len(keys)
    limits = spread({s: sum(sizes.values()) for s, sizes in by_source.items()}, limit)
    return {
        case: share
        for source, sizes in by_source.items()
        for case, share in spread(sizes, limits[source]).items()
    }
