"""Which case goes to train, validation or test, and whether each has enough."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import SplitConfig
from gastric_keras.records.manifest import SPLITS
from gastric_keras.records.subsets import nested_rank
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import override

#: Orders of the cases that are tried; more cases need fewer, as they even out.
_MAX_DRAWS = 32
_DRAWN_CASES = 20_000


def assign_splits(
    counts: Mapping[str, Counter[int]],
    *,
    config: SplitConfig,
    num_classes: int,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Give every case one split, so that each class comes near its shares.

    Cases are dealt one by one, in an order drawn from the seed, to the split where
    most of their classes are still missing, and then to that where the squared
    distance to the wanted numbers grows least; of several orders the nearest deal
    stays. The same cases and seed give the same splits in any order of ``counts``.

    Args:
        counts: case -> label -> number of patches.
        config: shares and seed.
        num_classes: n.
        fixed: case -> split, for cases that the index puts in a split.

    Returns:
        case -> split.
    """
    fixed = fixed or {}
    shares = {split: getattr(config, split) for split in SPLITS}
    names = [split for split in SPLITS if shares[split] > 0]
    free = sorted(set(counts) - set(fixed))
    result = {case: fixed[case] for case in counts if case in fixed}
    if not free:
        return result
    sizes = _sizes(counts, num_classes)
    total = sum(sizes.values(), np.zeros(num_classes))
    wanted = np.outer([shares[name] for name in names], total)
    held = np.zeros_like(wanted)
    for case, split in result.items():
        if split in names:
            held[names.index(split)] += sizes[case]
    dealt = _best_deal(sizes, free, held, wanted, seed=config.seed)
    return result | {case: names[number] for case, number in dealt.items()}


def deal_folds(
    counts: Mapping[str, Counter[int]], *, folds: int, num_classes: int, seed: int
) -> dict[str, int]:
    """Give every case one of k folds, so that each holds a like share of each class.

    Args:
        counts: case -> label -> number of patches.
        folds: k.
        num_classes: n.
        seed: of the deal.

    Returns:
        case -> fold, 0…k - 1; the same in any order of ``counts``.
    """
    sizes = _sizes(counts, num_classes)
    total = sum(sizes.values(), np.zeros(num_classes))
    wanted = np.tile(total / folds, (folds, 1))
    return _best_deal(sizes, sorted(counts), np.zeros_like(wanted), wanted, seed=seed)


def _sizes(
    counts: Mapping[str, Counter[int]], num_classes: int
) -> dict[str, npt.NDArray[np.float64]]:
    """Case -> (classes,) number of its patches."""
    return {
        case: np.array([labels[i] for i in range(num_classes)], float)
        for case, labels in counts.items()
    }


def _best_deal(
    sizes: Mapping[str, npt.NDArray[np.float64]],
    free: Sequence[str],
    held: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
    *,
    seed: int,
) -> dict[str, int]:
    """Case -> part, of several orders of the free cases the deal nearest to wanted."""
    total = sum(sizes.values(), np.zeros(wanted.shape[1]))
    # A class counts the same, rare or common.
    scale = np.maximum(total, 1)
    best: tuple[int, float, dict[str, int]] | None = None
    for draw in range(max(1, min(_MAX_DRAWS, _DRAWN_CASES // len(free)))):
        order = sorted(free, key=lambda case: nested_rank(f"{draw}:{case}", seed))
        dealt, after = _deal([sizes[case] for case in order], held, wanted, scale)
        empty = int(((after == 0) & (total > 0)).sum())
        distance = float((((after - wanted) / scale) ** 2).sum())
        if best is None or (empty, distance) < best[:2]:
            best = (empty, distance, dict(zip(order, dealt)))
    return best[2] if best else {}


def _deal(
    sizes: Sequence[npt.NDArray[np.float64]],
    held: npt.NDArray[np.float64],
    wanted: npt.NDArray[np.float64],
    scale: npt.NDArray[np.float64],
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """Index of the split of each case, and the (splits, classes) numbers after."""
    held = held.copy()
    dealt = []
    for size in sizes:
        gap = (held - wanted) / scale
        step = size / scale
        # Rounded, so that the last bit of a sum never decides where a case goes.
        growth = (step * (2 * gap + step)).sum(axis=1).round(12)
        # An empty class of a split is an error later: what fills one goes there.
        filled = ((held == 0) & (size > 0)).sum(axis=1)
        dealt.append(int(np.lexsort((growth, -filled))[0]))
        held[dealt[-1]] += size
    return dealt, held


def check_splits(
    counts: Mapping[str, Mapping[str, int]], *, classes: Sequence[str]
) -> None:
    """Refuse a split or a class of a split that holds nothing.

    Args:
        counts: split -> class -> number of patches.
        classes: the class names.

    Raises:
        InputError: naming the split and the class.
    """
    for split, by_class in counts.items():
        empty = [name for name in classes if not by_class.get(name)]
        if empty:
            raise InputError(
                f"Each class must have patches in the split {split}, got "
                + ", ".join(f"{name}={by_class.get(name, 0)}" for name in classes)
                + ". Cases stay whole, so add cases with "
                f"{' and '.join(empty)}, change the shares under splits, or another "
                "splits.seed."
            )


def wanted_splits(config: SplitConfig, fixed: Sequence[str | None]) -> list[str]:
    """Splits a set must have: those fixed; those with a share if any case is drawn.

    Args:
        config: the shares.
        fixed: split of each picture, None where its case is drawn.
    """
    drawn = None in fixed
    return [
        split
        for split in SPLITS
        if split in fixed or (drawn and getattr(config, split) > 0)
    ]


def check_subsets(subsets: Mapping[str, int], train: Mapping[str, int]) -> None:
    """Refuse a subset that asks for more patches of a class than train holds.

    Args:
        subsets: name -> patches per class.
        train: class -> number of patches in train.

    Raises:
        InputError: naming the subset and the class.
    """
    for name, wanted in subsets.items():
        short = {label: n for label, n in train.items() if n < wanted}
        if short or not train:
            raise InputError(
                f"The subset {name} must have {wanted} patches of each class in train, "
                f"got {', '.join(f'{cls}={n}' for cls, n in short.items()) or 'none'}. "
                f"Ask for fewer with {_fewer(name, subsets, train)} or add images."
            )


def _fewer(name: str, subsets: Mapping[str, int], train: Mapping[str, int]) -> str:
    """Advice: the subset as large as train allows, the others as they are."""
    most = min(train.values(), default=0)
    smaller = {**subsets, name: most} if most else {}
    return override("subsets", smaller)


def count_by_case(patches: Iterable[tuple[str, int]]) -> dict[str, Counter[int]]:
    """(case, label) of each patch to case -> label -> number of patches."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for case, label in patches:
        counts[case][label] += 1
    return dict(counts)
