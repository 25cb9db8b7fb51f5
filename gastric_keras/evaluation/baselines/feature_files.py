"""A file of vectors that another program made of the patches of a set."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np

from gastric_keras.evaluation.baselines.feature_table import FeatureTable
from gastric_keras.records.manifest import SPLITS, read_manifest
from gastric_keras.records.schema import split_key
from gastric_keras.records.subsets import read_rows
from gastric_keras.support.errors import InputError, require

#: Names of the two arrays of the short form.
KEYS, FEATURES = "keys", "features"
#: What NumPy, zipfile and h5py raise on damaged files.
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
_SUFFIXES = (".npz", ".h5", ".hdf5")
_KEYS_HELP = "python -m data_prep patches SET --out DIR lists the keys in keys.csv."


@dataclass(frozen=True)
class Vectors:
    """The content of a file.

    Attributes:
        path: of the file.
        keys: one a vector, each once.
        rows: (keys, length) float32, finite.
    """

    path: Path
    keys: tuple[str, ...]
    rows: np.ndarray


def read_vectors(path: Path | str) -> Vectors:
    """Read and check a file of vectors.

    Args:
        path: ``.npz``, ``.h5`` or ``.hdf5``; either the arrays ``keys`` (n,) text and
            ``features`` (n, length), or an array (length,) for each key, in HDF5 also
            in groups, whose names are joined by "/".

    Raises:
        InputError: the file is missing, damaged or of another kind, or its vectors are
            not all finite and of one length, or a key comes twice.
    """
    path = Path(path)
    require(
        path.suffix.lower() in _SUFFIXES,
        "path must be a .npz or .h5 file",
        "Save the vectors with numpy.savez or h5py.",
        path=str(path),
    )
    try:
        read = _read_npz if path.suffix.lower() == ".npz" else _read_h5
        keys, rows = read(path)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            "path must hold vectors that fit into memory, got "
            f"{path}, {path.stat().st_size} bytes, which asks for more. Save fewer, or "
            "in float16; of a damaged file, copy it again."
        ) from error
    except _UNREADABLE as error:
        raise InputError(
            "path must be a whole file of numbers as numpy.savez or h5py writes it, "
            f"got {path} ({type(error).__name__}: {str(error)[:200]}). Copy it again, "
            "or make it again without pickled objects."
        ) from error
    _check_keys(path, keys)
    return Vectors(path, tuple(keys), _stack(path, keys, rows))


def _read_npz(path: Path) -> tuple[list[str], Sequence[Any]]:
    # Opened here: NumPy leaves a file open that it cannot read.
    with open(path, "rb") as stream:
        # All checksums first: a damaged header asks for any amount of memory.
        with zipfile.ZipFile(stream) as archive:
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as held:
            names = list(held.files)
            _check_keys(path, names)
            if {KEYS, FEATURES} <= set(names):
                return _pair(path, held[KEYS], held[FEATURES])
            return names, [held[name] for name in names]


def _read_h5(path: Path) -> tuple[list[str], Sequence[Any]]:
    with h5py.File(path, "r") as held:
        found: dict[str, h5py.Dataset] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item

        held.visititems(visit)
        if {KEYS, FEATURES} <= set(found):
            return _pair(path, found[KEYS][()], found[FEATURES][()])
        return list(found), [item[()] for item in found.values()]


def _pair(path: Path, keys: Any, features: Any) -> tuple[list[str], Sequence[Any]]:
    keys, features = np.asarray(keys), np.asarray(features)
    require(
        keys.ndim == 1 and features.ndim == 2 and len(keys) == len(features),
        f"{KEYS} must be (n,) and {FEATURES} (n, length)",
        "Save one vector a key, in the order of the keys.",
        path=str(path),
        keys=keys.shape,
        features=features.shape,
    )
    return [k.decode() if isinstance(k, bytes) else str(k) for k in keys], features


def _check_keys(path: Path, keys: Sequence[str]) -> None:
    require(
        len(keys) > 0,
        "path must hold vectors",
        _KEYS_HELP,
        path=str(path),
        vectors=0,
    )
    twice = [key for key, count in Counter(keys).items() if count > 1]
    require(
        not twice,
        "Each key must come once",
        "Leave one of its vectors out.",
        path=str(path),
        repeated=len(twice),
        first=twice[:3],
    )


def _stack(path: Path, keys: Sequence[str], rows: Sequence[Any]) -> np.ndarray:
    first = np.asarray(rows[0])
    for key, row in zip(keys, rows, strict=True):
        row = np.asarray(row)
        if row.dtype.kind not in "fiu" or row.ndim != 1 or row.size == 0:
            _refuse(
                path,
                "Each key must have a vector of numbers, shape (length,)",
                key,
                row,
            )
        if row.shape != first.shape:
            rule = f"Vectors must have one length, that of {keys[0]!r} is {first.size}"
            _refuse(path, rule, key, row)
    with np.errstate(over="ignore"):
        stacked = np.stack([np.asarray(row, np.float32) for row in rows])
    bad = np.flatnonzero(~np.isfinite(stacked).all(axis=1))
    require(
        bad.size == 0,
        "Vectors must be finite numbers",
        "Make these vectors again, in float32.",
        path=str(path),
        with_nan_or_inf=int(bad.size),
        first=[keys[i] for i in bad[:3]],
    )
    return stacked


def _refuse(path: Path, rule: str, key: str, row: np.ndarray) -> NoReturn:
    raise InputError(
        f"{rule}, got {key!r} with shape {row.shape}, {row.dtype}, in {path}. Save one "
        "pooled vector a patch, all from one model."
    )


def match_table(vectors: Vectors, name: str, records: str, split: str) -> FeatureTable:
    """The vectors of a split, in the order of the records.

    Args:
        vectors: of the file.
        name: of the features, in the config.
        records: folder of the set.
        split: train, validation or test.

    Raises:
        InputError: a patch without a vector.
    """
    rows = read_rows(records, split)
    place = {key: i for i, key in enumerate(vectors.keys)}
    places = [split_key(key) for key in rows]
    wanted = list(rows)
    if not place.keys() & rows.keys():
        # Where a picture is one patch, its name is enough.
        wanted = [image_id for image_id, _, _ in places]
        require(
            len(set(wanted)) == len(wanted) or not place.keys() & set(wanted),
            "Keys must name patches, not pictures, where a picture has several",
            f"Use image_id@x,y. {_KEYS_HELP}",
            path=str(vectors.path),
            pictures=len(set(wanted)),
            patches=len(wanted),
        )
    missing = [key for key in wanted if key not in place]
    shown = rows if len(missing) == len(wanted) else missing
    require(
        not missing,
        f"The file must have a vector for each of {len(wanted)} {split} patches of "
        f"{records}",
        f"Add them. {_KEYS_HELP}",
        path=str(vectors.path),
        missing=len(missing),
        first=list(shown)[:3],
        in_file=list(vectors.keys[:1]),
    )
    labels, cases = zip(*rows.values(), strict=True)
    image_ids, x, y = (np.array(column) for column in zip(*places, strict=True))
    found = vectors.rows[[place[key] for key in wanted]]
    return FeatureTable(
        np.array(cases), image_ids, x, y, np.array(labels), {name: found}
    )


def count_unused(vectors: Vectors, records: str) -> int:
    """Vectors of no patch of a set."""
    used: set[str] = set()
    for split in SPLITS:
        if read_manifest(records).count(split):
            for key in read_rows(records, split):
                used |= {key, split_key(key)[0]}
    return len(set(vectors.keys) - used)
