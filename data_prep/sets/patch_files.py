"""The patches of a set as pictures, for programs that read no records."""

from __future__ import annotations

from pathlib import Path

from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.schema import read_records, record_key
from gastric_keras.support.errors import require
from gastric_keras.support.files import write_atomic, write_csv

KEYS_NAME = "keys.csv"
_COLUMNS = ("key", "split", "label", "case_id", "image_id", "x", "y", "mpp", "file")
_PNG = b"\x89PNG"


def write_patch_files(
    folder: Path | str, out: Path | str, *, has_pictures: bool = True
) -> int:
    """Write ``keys.csv``, one row a patch, and beside it the patches as stored.

    The column ``key`` is what a file of vectors names a patch by
    (``baselines.features`` of a run); ``file`` is the picture, relative to ``out``.

    Args:
        folder: of a set.
        out: folder to write to; ``keys.csv`` comes last.
        has_pictures: write the pictures too, ``<split>/<number>.png`` or ``.jpg``.

    Returns:
        Number of patches.

    Raises:
        InputError: no set, a damaged one, or a folder that has its ``keys.csv``.
    """
    out = Path(out)
    manifest = read_manifest(folder)
    verify_set(folder, manifest)
    require(
        not (out / KEYS_NAME).exists(),
        f"--out must be a folder without {KEYS_NAME}",
        "Name another folder, or delete that one.",
        out=str(out),
    )
    rows = []
    for split in (split for split in manifest.counts if manifest.count(split)):
        for number, record in enumerate(read_records(folder, split)):
            suffix = ".png" if record.image.startswith(_PNG) else ".jpg"
            name = f"{split}/{number:06d}{suffix}"
            if has_pictures:
                write_atomic(out / name, record.image)
            place = (record.image_id, record.x, record.y)
            label = manifest.classes[record.label]
            facts = (split, label, record.case_id, *place, record.mpp)
            rows.append((record_key(*place), *facts, name if has_pictures else ""))
    write_csv(out / KEYS_NAME, _COLUMNS, rows)
    return len(rows)
