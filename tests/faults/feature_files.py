"""Spoilt files of vectors: archives, keys and vectors of another kind."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip, scramble
from tests.faults.record_sets import SPLITS, sound_set

_LENGTH = 6
_Vectors = dict[str, Any]


def _vectors() -> _Vectors:
    """A vector for each patch, whose first number is its place."""
    from gastric_keras.records.subsets import read_rows

    keys = [key for split in SPLITS for key in read_rows(sound_set(), split)]
    return {
        key: np.arange(i, i + _LENGTH, dtype=np.float32) for i, key in enumerate(keys)
    }


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and write the file."""
    name = rng.choice(sorted(_FAULTS))
    content, suffix, must = _FAULTS[name](rng)
    (folder / f"features{suffix}").write_bytes(content)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def read(folder: Path) -> None:
    """Read and match it, as stage baselines does."""
    from gastric_keras.evaluation.baselines.feature_files import (
        match_table,
        read_vectors,
    )
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    records, sound = str(sound_set()), _vectors()
    try:
        vectors = read_vectors(next(folder.glob("features*")))
        tables = [match_table(vectors, "uni", records, split) for split in SPLITS]
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    assert must != "refused", "it was taken"
    found = np.concatenate([table.features["uni"] for table in tables])
    assert np.isfinite(found).all() and len(found) == len(sound)
    if must == "right":
        np.testing.assert_array_equal(found, np.stack(list(sound.values())))


def _npz(vectors: _Vectors, *, pair: bool = False) -> bytes:
    stream = io.BytesIO()
    if pair:
        rows = np.stack(list(vectors.values()))
        np.savez(stream, keys=list(vectors), features=rows)
    else:
        np.savez(stream, **vectors)
    return stream.getvalue()


def _h5(vectors: _Vectors) -> bytes:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for key, vector in vectors.items():
            file[key] = vector
    return stream.getvalue()


_Fault = Callable[[random.Random], tuple[bytes, str, str]]


def _changed(change: Callable[[random.Random, _Vectors], Any], must: str) -> _Fault:
    """A change of the vectors, in one of the forms that can hold it."""

    def fault(rng: random.Random) -> tuple[bytes, str, str]:
        vectors = _vectors()
        change(rng, vectors)
        as_h5 = rng.random() < 0.5
        return _h5(vectors) if as_h5 else _npz(vectors), (".npz", ".h5")[as_h5], must

    return fault


def _one(value: Any) -> Callable[[random.Random, _Vectors], None]:
    def change(rng: random.Random, vectors: _Vectors) -> None:
        vectors[rng.choice(sorted(vectors))] = value

    return change


def _drop(rng: random.Random, vectors: _Vectors) -> None:
    for key in rng.sample(sorted(vectors), rng.randint(1, len(vectors) - 1)):
        del vectors[key]


def _rename(rng: random.Random, vectors: _Vectors) -> None:
    key = rng.choice(sorted(vectors))
    vectors[rng.choice([key.upper(), f"{key}0", f" {key}", key[:-1]])] = vectors.pop(
        key
    )


def _more(rng: random.Random, vectors: _Vectors) -> None:
    for i in range(rng.randint(1, 5)):
        vectors[f"other-{i}@0,0"] = np.zeros(_LENGTH)


def _shuffle(rng: random.Random, vectors: _Vectors) -> None:
    pairs = list(vectors.items())
    rng.shuffle(pairs)
    vectors.clear()
    vectors.update(pairs)


def _twice(rng: random.Random) -> tuple[bytes, str, str]:
    vectors = _vectors()
    keys = list(vectors)
    one, two = rng.sample(range(len(keys)), 2)
    keys[one] = keys[two]
    stream = io.BytesIO()
    np.savez(stream, keys=keys, features=np.stack(list(vectors.values())))
    return stream.getvalue(), ".npz", "refused"


def _uneven(rng: random.Random) -> tuple[bytes, str, str]:
    vectors = _vectors()
    rows = np.stack(list(vectors.values()))[: rng.randrange(len(vectors))]
    stream = io.BytesIO()
    np.savez(stream, keys=list(vectors), features=rows)
    return stream.getvalue(), ".npz", "refused"


def _bytes(spoil: Callable[[random.Random, bytes], bytes]) -> _Fault:
    def fault(rng: random.Random) -> tuple[bytes, str, str]:
        vectors, as_h5 = _vectors(), rng.random() < 0.5
        content = _h5(vectors) if as_h5 else _npz(vectors, pair=rng.random() < 0.5)
        # A flipped digit of a vector is a vector.
        return spoil(rng, content), (".npz", ".h5")[as_h5], "either"

    return fault


_FAULTS: dict[str, _Fault] = {
    "whole": _changed(lambda rng, vectors: None, "right"),
    "another order": _changed(_shuffle, "right"),
    "keys of no patch": _changed(_more, "right"),
    "both arrays": lambda rng: (_npz(_vectors(), pair=True), ".npz", "right"),
    "missing keys": _changed(_drop, "refused"),
    "a key spelled otherwise": _changed(_rename, "refused"),
    "a shorter vector": _changed(_one(np.zeros(_LENGTH - 1)), "refused"),
    "a vector in a vector": _changed(_one(np.zeros((1, _LENGTH))), "refused"),
    "a number": _changed(_one(np.float32(1)), "refused"),
    "nothing": _changed(_one(np.zeros(0)), "refused"),
    "text": _changed(_one(np.array([b"a"] * _LENGTH)), "refused"),
    "complex": _changed(_one(np.zeros(_LENGTH, complex)), "refused"),
    "NaN": _changed(_one(np.full(_LENGTH, np.nan)), "refused"),
    "infinite": _changed(_one(np.full(_LENGTH, np.inf)), "refused"),
    "too large for float32": _changed(_one(np.full(_LENGTH, 1e200)), "refused"),
    "a key twice": _twice,
    "fewer vectors than keys": _uneven,
    "no vectors": lambda rng: (_npz({}), ".npz", "refused"),
    "another suffix": lambda rng: (
        _npz(_vectors()),
        rng.choice([".npy", ".pt", ".csv", ""]),
        "refused",
    ),
    "the other suffix": lambda rng: (
        *rng.choice([(_npz(_vectors()), ".h5"), (_h5(_vectors()), ".npz")]),
        "refused",
    ),
    "cut": _bytes(cut),
    "bits": _bytes(flip),
    "scrambled": _bytes(scramble),
}

KIND = Kind("feature_files", write, read, needs_tensorflow=True)
