"""Cases of a split of several classes: what each holds, shows and answers."""

from __future__ import annotations

import numpy as np


def class_counts(label: np.ndarray, case: np.ndarray, classes: int) -> np.ndarray:
    """(cases, classes) int64: patches of each class in each case.

    Args:
        label: (n,) int.
        case: (n,) int, from 0.
        classes: how many there are.
    """
    flat = np.bincount(case * classes + label, minlength=classes * (case.max() + 1))
    return flat.reshape(-1, classes)


def case_classes(
    label: np.ndarray, case: np.ndarray, classes: int, *, is_ordered: bool
) -> np.ndarray:
    """(cases,) int64: the class of each case.

    Args:
        label: (n,) int.
        case: (n,) int, from 0.
        classes: how many there are.
        is_ordered: the highest that any of its patches shows; else that of most of
            them, the later of equals.
    """
    counts = class_counts(label, case, classes)
    held = counts > 0 if is_ordered else counts == counts.max(axis=1, keepdims=True)
    return classes - 1 - held[:, ::-1].argmax(axis=1)


def class_means(probability: np.ndarray, case: np.ndarray) -> np.ndarray:
    """(cases, classes) float64: the mean over the patches of each case.

    Args:
        probability: (n, classes) float.
        case: (n,) int, from 0, all there.
    """
    sums = [np.bincount(case, weights=column) for column in np.asarray(probability).T]
    return (np.stack(sums, axis=1) / np.bincount(case)[:, None]).clip(0, 1)


def rarest_cases(label: np.ndarray, case_id: np.ndarray, classes: int) -> int:
    """Cases on which a mean over the classes hangs: of the rarest class, or outside it.

    Args:
        label: (n,) int.
        case_id: (n,).
        classes: how many there are.
    """
    return min(
        np.unique(case_id[mask]).size
        for c in range(classes)
        for mask in (label == c, label != c)
    )
