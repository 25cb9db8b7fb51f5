"""Check bytes and records of a set against its manifest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from gastric_keras.records.manifest import Manifest, Shard
from gastric_keras.records.schema import parse
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of

#: Records that are parsed at a time.
_BATCH = 256
#: By which shares may miss a sum of 1, as float32.
_SLACK = 1e-4


def verify_shards(folder: Path | str, manifest: Manifest) -> None:
    """Compare each shard with its checksum.

    Raises:
        InputError: naming the shard whose bytes changed.
    """
    for shard in manifest.shards:
        found = sha256_of(Path(folder) / shard.name)
        if found != shard.sha256:
            raise InputError(
                f"Shard {shard.name} must have the sha256 {shard.sha256}, got {folder} "
                f"with {found}. Copy the set again, or make it again."
            )


def verify_set(folder: Path | str, manifest: Manifest) -> None:
    """Compare shards with their checksums, and records with schema, counts and cases.

    Reads the whole set once; no picture is decoded.

    Raises:
        InputError: naming the shard that changed or holds other records, or the figure
            of the manifest that is not true.
    """
    verify_shards(folder, manifest)
    counts: dict[str, Counter[str]] = {split: Counter() for split in manifest.counts}
    cases: dict[str, set[str]] = {split: set() for split in manifest.cases}
    for shard in manifest.shards:
        labels, names = _read(Path(folder) / shard.name, shard, manifest)
        counts[shard.split].update(manifest.classes[label] for label in labels)
        cases.setdefault(shard.split, set()).update(names)
    for split, wanted in manifest.counts.items():
        found = {name: counts[split][name] for name in manifest.classes}
        if found != wanted:
            raise _untrue(folder, f"counts.{split}", wanted, found)
        if cases.get(split, set()) != set(manifest.cases.get(split, ())):
            differ = cases.get(split, set()) ^ set(manifest.cases.get(split, ()))
            raise _untrue(
                folder,
                f"cases.{split}",
                f"{len(manifest.cases.get(split, ()))} cases",
                f"{len(differ)} others, such as {min(differ)!r}",
            )


def _read(path: Path, shard: Shard, manifest: Manifest) -> tuple[list[int], set[str]]:
    """Labels of a shard's records, and the cases in it."""
    import tensorflow as tf

    labels: list[int] = []
    cases: set[str] = set()
    wrong = 0
    try:
        for raw in tf.data.TFRecordDataset(str(path)).batch(_BATCH):
            values = parse(raw)
            labels += values["label"].numpy().tolist()
            cases |= {name.decode() for name in values["case_id"].numpy()}
            wrong += _count_wrong(values["quantities"].numpy(), manifest)
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise InputError(
            "Records must be whole and have the features that data_prep writes, got "
            f"{path} ({_first_line(error)}). Make the set again with data_prep."
        ) from error
    odd = [label for label in labels if not 0 <= label < len(manifest.classes)]
    if odd or len(labels) != shard.records:
        raise InputError(
            f"The shard must have {shard.records} records with labels from 0 to "
            f"{len(manifest.classes) - 1}, got {path} with {len(labels)} records, "
            f"{len(odd)} of other labels. Make the set again with data_prep."
        )
    if wrong:
        raise InputError(
            f"Each record must have the quantities {', '.join(manifest.quantities)} as "
            f"finite numbers, and shares that sum to 1, got {path} with {wrong} "
            "others. Copy the set again, or make it again with data_prep."
        )
    return labels, cases


def _count_wrong(quantities: np.ndarray, manifest: Manifest) -> int:
    """How many records hold other numbers than the manifest names."""
    if quantities.shape[1] != len(manifest.quantities):
        return len(quantities)
    right = np.isfinite(quantities).all(axis=1)
    if manifest.has_shares:
        right &= (quantities >= 0).all(axis=1)
        right &= np.abs(quantities.sum(axis=1) - 1) < _SLACK
    return int((~right).sum())


def _first_line(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    # TensorFlow puts the machine's name around its own words.
    return message.split("}} ")[-1].split(" [Op:")[0].splitlines()[0][:200]


def _untrue(folder: Path | str, what: str, wanted: object, found: object) -> InputError:
    return InputError(
        f"The records of {folder} must match {what} of its manifest: {wanted}, "
        f"got {found}. Copy the set again, or make it again."
    )
