"""A cap that is spread evenly, against shares worked by hand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from data_prep.sets.caps import cap_plan, spread
from data_prep.sets.patches import PatchRef
from data_prep.sets.plan import PlannedImage


@pytest.mark.parametrize(
    "sizes, limit, wanted",
    [
        ({"a": 5, "b": 5}, 4, {"a": 2, "b": 2}),
        ({"a": 1, "b": 9}, 6, {"a": 1, "b": 5}),
        ({"a": 2, "b": 9, "c": 9}, 11, {"a": 2, "b": 4, "c": 5}),
        ({"a": 2, "b": 3}, 9, {"a": 2, "b": 3}),
        ({"a": 7}, 3, {"a": 3}),
        ({}, 3, {}),
    ],
)
def test_shares_by_hand(
    sizes: dict[str, int], limit: int, wanted: dict[str, int]
) -> None:
    assert spread(sizes, limit) == wanted


def test_shares_are_as_even_as_the_groups_allow() -> None:
    rng = random.Random(0)
    for _ in range(300):
        sizes = {i: rng.randrange(30) for i in range(rng.randrange(1, 9))}
        limit = rng.randrange(120)
        shares = spread(sizes, limit)
        assert sum(shares.values()) == min(limit, sum(sizes.values()))
        full = [share for i, share in shares.items() if share < sizes[i]]
        assert not full or max(shares.values()) - min(full) <= 1


def _image(case: str, patches: int) -> PlannedImage:
    refs = tuple(PatchRef(x=8 * i, y=0, label=0) for i in range(patches))
    return PlannedImage(Path("p"), f"{case}.png", case, "train", 8, 0.0, refs)


def test_a_class_is_taken_from_both_labs_and_all_their_cases() -> None:
    plan = [_image("a1", 40), _image("a2", 3), _image("b1", 8), _image("b2", 90)]
    sources = {"a1": 0, "a2": 0, "b1": 1, "b2": 1}
    capped = cap_plan(plan, {"train": 40}, source_of_case=sources)
    assert {i.case_id: len(i.refs) for i in capped} == {
        "a1": 17,
        "a2": 3,
        "b1": 8,
        "b2": 12,
    }
    # The same ones every time, fewer inside more.
    fewer = cap_plan(plan, {"train": 20}, source_of_case=sources)
    for small, large in zip(fewer, capped, strict=True):
        assert set(small.refs) <= set(large.refs)
    by_rank = cap_plan(plan, {"train": 40})
    assert sum(len(image.refs) for image in by_rank) == 40
    assert cap_plan(plan, {"validation": 1}) == plan
