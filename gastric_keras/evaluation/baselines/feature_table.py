"""Records to a table of features, on all cores, kept for later runs of the set."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed

from gastric_keras.evaluation.baselines import cooccurrence, perception, texture
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.records.schema import PatchRecord, read_records, record_key
from gastric_keras.runs.predictions import KEYS
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of, write_atomic

#: Patches that a process measures at a time.
CHUNK = 32
#: HLAC and LBP leave nothing of a smaller patch.
SMALLEST = 17


@dataclass(frozen=True)
class FeatureTable:
    """Features of the patches of one split, in the order of the records.

    Attributes:
        case_id: (n,) str.
        image_id: (n,) str.
        x: (n,) int, px.
        y: (n,) int, px.
        label: (n,) int, index into the manifest's classes.
        features: name of ``texture.FEATURES``, or of an embedding -> (n, length)
            float32.
    """

    case_id: np.ndarray
    image_id: np.ndarray
    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    features: dict[str, np.ndarray]

    def matrix(self, names: Sequence[str]) -> np.ndarray:
        """Some features side by side, (n, their lengths) float32."""
        return np.hstack([self.features[name] for name in names])

    def only(self, keys: Sequence[str]) -> FeatureTable:
        """The patches with one of these record keys, in the order of the records."""
        wanted = set(keys)
        places = zip(self.image_id, self.x, self.y, strict=True)
        is_wanted = np.array([record_key(*place) in wanted for place in places])
        columns = {key: getattr(self, key)[is_wanted] for key in KEYS}
        chosen = {name: rows[is_wanted] for name, rows in self.features.items()}
        return FeatureTable(**columns, features=chosen)


def features_digest(folder: Path | str) -> str:
    """What a table depends on: the set's manifest (which holds the shards' checksums)
    and the code that measures. Sixteen hexadecimal digits."""
    sources = (texture.__file__, cooccurrence.__file__, perception.__file__)
    parts = [sha256_of(path) for path in (Path(folder) / MANIFEST_NAME, *sources)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:16]


def load_features(folder: Path | str, split: str, *, store: Path) -> FeatureTable:
    """The features of a split: from the store if they are there, else measured.

    Args:
        folder: of a set.
        split: train, validation or test.
        store: folder of the tables of all sets; the table of this one lies in
            ``<store>/<features_digest>/<split>.npz``.

    Returns:
        The table; memory grows with its size, not with that of the pictures.

    Raises:
        InputError: no such set or split, or a patch that cannot be measured.
    """
    path = store / features_digest(folder) / f"{split}.npz"
    return keep(path, tuple(texture.FEATURES), lambda: measure_split(folder, split))


def keep(
    path: Path, names: Sequence[str], make: Callable[[], FeatureTable]
) -> FeatureTable:
    """A table out of its file, or made and written there.

    Args:
        path: of the file, .npz.
        names: of its features.
        make: measures them.

    Raises:
        InputError: the file is no such table, or what ``make`` raises.
    """
    if path.is_file():
        return _read(path, names)
    table = make()
    content = io.BytesIO()
    columns = {key: getattr(table, key) for key in KEYS}
    np.savez(content, **columns, **{f"f_{k}": v for k, v in table.features.items()})
    write_atomic(path, content.getvalue())
    return table


def _read(path: Path, names: Sequence[str]) -> FeatureTable:
    try:
        # Opened here: NumPy leaves a file open that it cannot read.
        with open(path, "rb") as stream, np.load(stream) as held:
            columns = {key: held[key] for key in KEYS}
            features = {name: held[f"f_{name}"] for name in names}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"The file must be a table of features, got {path} "
            f"({type(error).__name__}: {error}). Delete it; it is then computed again."
        ) from error
    return FeatureTable(**columns, features=features)


def measure_split(folder: Path | str, split: str) -> FeatureTable:
    """Measure every patch of a split, on all cores.

    Raises:
        InputError: no such set or split, or a patch that cannot be measured.
    """
    n = read_manifest(folder).count(split)
    # A process takes seconds to start; a small set is done by then.
    processes = len(os.sched_getaffinity(0)) if n > 8 * CHUNK else 1
    # Records are read as they are needed, so that few are in memory at once.
    done = Parallel(n_jobs=processes, return_as="generator", pre_dispatch="2*n_jobs")(
        delayed(measure_records)(chunk) for chunk in _chunks(folder, split)
    )
    keys: list[tuple] = []
    columns: dict[str, np.ndarray] = {}
    for chunk_keys, found in done:
        for name, rows in found.items():
            if name not in columns:
                columns[name] = np.empty((n, rows.shape[1]), np.float32)
            columns[name][len(keys) : len(keys) + len(rows)] = rows
        keys += chunk_keys
    case_id, image_id, x, y, label = (np.array(c) for c in zip(*keys, strict=True))
    return FeatureTable(case_id, image_id, x, y, label, columns)


def _chunks(folder: Path | str, split: str) -> Iterator[list[PatchRecord]]:
    records = read_records(folder, split)
    while chunk := list(itertools.islice(records, CHUNK)):
        yield chunk


def measure_records(
    records: Sequence[PatchRecord],
) -> tuple[list[tuple], dict[str, np.ndarray]]:
    """Keys and features of some records; runs in a process of its own.

    Returns:
        A tuple of ``KEYS`` each, and name -> (n, length) float32.

    Raises:
        InputError: a patch that cannot be measured.
    """
    # Every core has a process already.
    cv2.setNumThreads(1)
    measured = [measure_record(record) for record in records]
    keys = [tuple(getattr(record, key) for key in KEYS) for record in records]
    return keys, {
        name: np.stack([found[name] for found in measured]) for name in measured[0]
    }


def measure_record(record: PatchRecord) -> dict[str, np.ndarray]:
    """All features of one record's patch, see :func:`gastric_keras.texture.measure`.

    Raises:
        InputError: not a picture, or too small a one.
    """
    pixels = cv2.imdecode(np.frombuffer(record.image, np.uint8), cv2.IMREAD_COLOR)
    shape = None if pixels is None else pixels.shape[:2]
    if pixels is None or min(pixels.shape[:2]) < SMALLEST:
        key = record_key(record.image_id, record.x, record.y)
        raise InputError(
            f"Patches must be at least {SMALLEST} px wide and high, got "
            f"{key} with shape={shape}. Make the set again with larger patches."
        )
    return texture.measure(pixels[..., ::-1].copy())
