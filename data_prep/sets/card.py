"""What a set holds and what was found in it, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gastric_keras.records.integrity import verify_set
from gastric_keras.records.ledger import ledger_lines
from gastric_keras.records.manifest import Manifest, read_manifest
from gastric_keras.records.treatment import treatment_of


def card_of(folder: Path | str) -> str:
    """Read a set, compare its checksums, counts and cases, and describe it.

    Raises:
        InputError: no finished set there, a shard whose bytes changed, or records that
            the manifest does not tell.
    """
    manifest = read_manifest(folder)
    verify_set(folder, manifest)
    size = sum(shard.size for shard in manifest.shards) / 1e6
    return (
        f"{folder}\n{describe(manifest)}\n"
        f"  files: {len(manifest.shards)} shards, {size:.1f} MB, checksums agree"
    )


def describe(manifest: Manifest) -> str:
    """The card of a set: patches, cases, sizes, and what was left out and why."""
    return "\n".join(f"  {line}" for line in _lines(manifest))


def _lines(manifest: Manifest) -> Iterator[str]:
    total = sum(manifest.count(split) for split in manifest.counts)
    yield f"{manifest.dataset}: {total} patches kept"
    if fold := manifest.fold:
        yield f"fold {fold.number} of {fold.count}, deal {fold.seed}"
    for split, counts in manifest.counts.items():
        by_class = ", ".join(f"{name} {number}" for name, number in counts.items())
        yield (
            f"{split}: {manifest.count(split)} patches ({by_class}) of "
            f"{len(manifest.cases.get(split, ()))} cases"
        )
    side = f"{manifest.patch_size} px" if manifest.patch_size else "differs"
    mpp = f"{manifest.mpp:.4g} µm/px" if manifest.mpp else "not known, or differs"
    yield f"patch side: {side}; scale: {mpp}"
    for name, number in manifest.subsets.items():
        yield f"subset {name}: {number} patches a class out of train"
    for reason, number in manifest.dropped.items():
        yield f"dropped: {number} × {reason}"
    for image, reason in manifest.set_aside.items():
        yield f"set aside: {image}: {reason}"
    made = treatment_of(manifest)
    if made.normalization is not None:
        yield made.words
    if not manifest.is_grouped:
        yield "cases: NOT KNOWN; patients may be in several splits, scores too good"
    yield from ledger_lines(manifest.config)
