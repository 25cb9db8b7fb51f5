"""Patches with equal pixels under two labels or two cases, found as records go by."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt

from gastric_keras.records.ledger import Ledger
from gastric_keras.records.schema import PatchRecord

#: A patch whose green channel deviates less is flat: all bare glass is alike.
_MIN_DEVIATION = 4.0
#: Label, case, picture.
_Owner = tuple[int, str, str]
#: Pairs of pictures that a warning names.
_NAMED = 5


def digest_of(patch: npt.NDArray[np.uint8]) -> int:
    """64 bits that equal patches share, however they are turned or mirrored.

    They are of the histogram of each color and of the sums of the four quadrants, which
    a right-angle turn or a flip only puts in another order.

    Args:
        patch: (H, W, 3) uint8.

    Returns:
        The digest; 0 for a flat patch, which is like any other.
    """
    if patch[::2, ::2, 1].std() < _MIN_DEVIATION:
        return 0
    height, width = patch.shape[:2]
    y, x = height // 2, width // 2
    quadrants = (
        quadrant.sum(axis=(0, 1), dtype=np.int64).tolist()
        for quadrant in (patch[:y, :x], patch[:y, -x:], patch[-y:, :x], patch[-y:, -x:])
    )
    digest = hashlib.blake2b(
        repr((sorted((height, width)), sorted(quadrants))).encode(), digest_size=8
    )
    for color in range(3):
        histogram = cv2.calcHist([patch], [color], None, [256], [0, 256])
        digest.update(histogram.tobytes())
    return int.from_bytes(digest.digest(), "big")


class Twins:
    """Collects a digest of every patch: a few bytes each, however large the set.

    Args:
        has_labels: whether the labels are of people; else cases alone are compared.
    """

    def __init__(self, *, has_labels: bool = True) -> None:
        self._has_labels = has_labels
        self._digests = array("Q")
        self._owners = array("L")
        self._owner_of: dict[_Owner, int] = {}
        self._flat = 0

    def add(self, record: PatchRecord, digest: int) -> None:
        """Take one more patch in."""
        self._flat += not digest
        if digest:
            owner = (record.label, record.case_id, record.image_id)
            self._digests.append(digest)
            self._owners.append(self._owner_of.setdefault(owner, len(self._owner_of)))

    def tell(self, ledger: Ledger, classes: Sequence[str]) -> None:
        """Warn of pictures that are equal and should not be, by name.

        Args:
            ledger: is told.
            classes: names of the labels.
        """
        copies = sum(
            len(rows) - 1
            for rows in self._groups()
            if len({self._owners[row] for row in rows}) > 1
        )
        ledger.assumed["patches equal to one of another picture, or turned"] += copies
        ledger.assumed["flat patches, nearly of one color, kept"] += self._flat
        labels, cases = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for one, other in self._pairs():
            (label, case, image), (label_2, case_2, image_2) = one, other
            if label != label_2 and self._has_labels:
                pair = f"{image} ({classes[label]})", f"{image_2} ({classes[label_2]})"
                labels[pair] += 1
            elif case != case_2:
                cases[f"{image} (case {case})", f"{image_2} (case {case_2})"] += 1
        for kind, pairs in (("labels", labels), ("cases", cases)):
            if pairs:
                named = [f"{a} = {b}" for a, b in sorted(pairs)]
                ledger.warn(
                    f"{pairs.total()} × equal pixels under two {kind}: "
                    f"{'; '.join(named[:_NAMED])}{'; …' * (len(named) > _NAMED)}. "
                    "Turned ones count. Keep one of each; "
                    "python -m data_prep check --csv lists them all."
                )

    def _groups(self) -> Iterator[npt.NDArray[np.int64]]:
        """Rows of equal digests, two and more."""
        digests = np.array(self._digests, np.uint64)
        order = np.argsort(digests, kind="stable")
        starts = np.flatnonzero(np.diff(digests[order], prepend=np.uint64(0)))
        for group in np.split(order, starts[1:]) if len(starts) else ():
            if len(group) > 1:
                yield group

    def _pairs(self) -> list[tuple[_Owner, _Owner]]:
        owners = [*self._owner_of]
        pairs: list[tuple[_Owner, _Owner]] = []
        for group in self._groups():
            # Each owner once: a hundred copies are not five thousand pairs.
            seen = sorted({owners[self._owners[i]] for i in group}, key=_by_image)
            pairs += combinations(seen, 2)
        return pairs


def _by_image(owner: _Owner) -> tuple[str, int, str]:
    label, case, image = owner
    return image, label, case
