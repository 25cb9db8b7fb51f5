"""Splits keep cases whole, classes near their shares, and themselves the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from data_prep.config.sets import SplitConfig
from data_prep.sets.splits import (
    assign_splits,
    check_splits,
    check_subsets,
    count_by_case,
    wanted_splits,
)
from gastric_keras.records.subsets import first_ranked, nested_rank
from gastric_keras.support.errors import InputError

CONFIG = SplitConfig(train=0.6, validation=0.2, test=0.2)


def _cases(number: int, seed: int = 0) -> dict[str, Counter[int]]:
    rng = np.random.default_rng(seed)
    return {
        f"case{i}": Counter({i % 2: int(rng.integers(5, 30)), 1 - i % 2: 1})
        for i in range(number)
    }


def _shares(counts: dict, split_of: dict[str, str], label: int) -> dict[str, float]:
    total: Counter[str] = Counter()
    for case, labels in counts.items():
        total[split_of[case]] += labels[label]
    return {split: n / total.total() for split, n in total.items()}


def test_equal_cases_are_dealt_exactly() -> None:
    counts = {f"case{i}": Counter({i % 2: 10}) for i in range(10)}
    split_of = assign_splits(counts, config=CONFIG, num_classes=2)
    for label in (0, 1):
        assert _shares(counts, split_of, label) == pytest.approx(
            {"train": 0.6, "validation": 0.2, "test": 0.2}
        )


def test_every_class_comes_near_its_share() -> None:
    counts = _cases(60)
    split_of = assign_splits(counts, config=CONFIG, num_classes=2)
    assert set(split_of) == set(counts)
    for label in (0, 1):
        shares = _shares(counts, split_of, label)
        assert shares["train"] == pytest.approx(0.6, abs=0.03)
        assert shares["validation"] == pytest.approx(0.2, abs=0.03)


def test_a_split_depends_on_the_seed_and_not_on_the_order() -> None:
    counts = _cases(30)
    backward = dict(reversed(counts.items()))
    first = assign_splits(counts, config=CONFIG, num_classes=2)
    assert assign_splits(backward, config=CONFIG, num_classes=2) == first
    other = SplitConfig(train=0.6, validation=0.2, test=0.2, seed=1)
    assert assign_splits(counts, config=other, num_classes=2) != first


def test_fixed_cases_stay_and_count() -> None:
    counts = {f"case{i}": Counter({0: 10}) for i in range(10)}
    fixed = {f"case{i}": "train" for i in range(6)}
    split_of = assign_splits(counts, config=CONFIG, num_classes=1, fixed=fixed)
    assert Counter(split_of.values()) == {"train": 6, "validation": 2, "test": 2}
    assert all(split_of[case] == "train" for case in fixed)
    everything = {case: "test" for case in counts}
    assert (
        assign_splits(counts, config=CONFIG, num_classes=1, fixed=everything)
        == everything
    )


def test_few_cases_leave_no_class_empty_where_that_is_possible() -> None:
    config = SplitConfig(train=0.9, validation=0.1, test=0.0)
    counts = {f"case{i}": Counter({i % 2: 10 + i}) for i in range(4)}
    split_of = assign_splits(counts, config=config, num_classes=2)
    for split in ("train", "validation"):
        assert {int(case[4:]) % 2 for case in counts if split_of[case] == split} == {
            0,
            1,
        }


def test_wanted_splits() -> None:
    assert wanted_splits(CONFIG, ["test", "train"]) == ["train", "test"]
    assert wanted_splits(SplitConfig(), [None, "test"]) == [
        "train",
        "validation",
        "test",
    ]


def test_an_empty_split_or_class_is_named() -> None:
    check_splits({"train": {"a": 1, "b": 2}}, classes=("a", "b"))
    with pytest.raises(InputError) as error:
        check_splits({"test": {"a": 3, "b": 0}}, classes=("a", "b"))
    assert str(error.value).startswith(
        "Each class must have patches in the split test, got a=3, b=0."
    )
    with pytest.raises(InputError, match="validation.*a=0, b=0"):
        check_splits({"validation": {}}, classes=("a", "b"))


def test_subsets_need_enough_patches() -> None:
    check_subsets({"small": 2}, {"a": 2, "b": 3})
    with pytest.raises(
        InputError, match=r"subset small must have 3 .*, got a=2.*{small: 2}"
    ):
        check_subsets({"small": 3}, {"a": 2, "b": 3})
    with pytest.raises(InputError, match="got none"):
        check_subsets({"small": 3}, {})


def test_fewer_lie_inside_more() -> None:
    keys = [f"image@{i},0" for i in range(50)]
    small, large = first_ranked(keys, 5), first_ranked(reversed(keys), 20)
    assert len(small) == 5 and len(large) == 20 and small < large
    assert min(keys, key=nested_rank) in small


def test_count_by_case() -> None:
    counts = count_by_case([("a", 0), ("a", 0), ("b", 1)])
    assert counts == {"a": Counter({0: 2}), "b": Counter({1: 1})}


def test_shares_must_add_up() -> None:
    with pytest.raises(InputError, match="add up to 1.*train=0.9"):
        SplitConfig(train=0.9, validation=0.2)
