"""Nested subsets: drawn the same way for ever, the smaller inside the larger."""

from __future__ import annotations

import hashlib

import numpy as np

from gastric_keras.records.schema import record_key
from gastric_keras.records.subsets import nested_rank


def test_nested_rank_nests_and_stays() -> None:
    keys = [record_key(f"image {i}", 8 * i, 0) for i in range(400)]
    order = sorted(keys, key=nested_rank)
    # A subset drawn out of fewer patches keeps their order: the smaller is inside.
    half = sorted(keys[::2], key=nested_rank)
    assert [key for key in order if key in set(half)] == half
    assert len({nested_rank(key) for key in keys}) == 400
    # Drawn from all of them and not from the front: the mean of 0…399 is 199.5.
    position = [keys.index(key) for key in order[:100]]
    assert 160 < np.mean(position) < 240
    other = sorted(keys, key=lambda key: nested_rank(key, 1))
    assert len(set(other[:100]) & set(order[:100])) < 50
    # For ever the same way: by hand, with hashlib alone.
    digest = hashlib.sha256(b"3:a b@1,-2").hexdigest()
    assert record_key("a b", 1, -2) == "a b@1,-2"
    assert nested_rank("a b@1,-2", 3) == int(digest[:16], 16)
