"""The nuclei of a set's patches as vectors that stage baselines reads."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data_prep.config.measures import NucleiConfig
from data_prep.measure.nuclei import COARSEST_MPP, measure_nuclei
from data_prep.measure.population import measure_specific
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.schema import PatchRecord, read_records, record_key
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import write_atomic


def write_nuclear_features(
    folder: Path | str, out: Path | str, *, mpp: float | None = None
) -> int:
    """Measure every patch and write a file for ``baselines.features`` of a run.

    Equal sets give equal bytes.

    Args:
        folder: of a set.
        out: ``.npz`` with ``keys`` (n,) str and ``features`` (n, 3) float32, see
            :func:`data_prep.measure.population.measure_specific`.
        mpp: µm per px of the patches as stored; None: what each patch says. Given, it
            wins over that.

    Returns:
        Number of patches.

    Raises:
        InputError: no set, a damaged one, or nuclei that cannot be measured: patches
            of no known scale, or of a scale at which nuclei melt together.
    """
    require(
        Path(out).suffix == ".npz",
        "--out must be a .npz file",
        "Name it nuclei.npz.",
        out=str(out),
    )
    manifest = read_manifest(folder)
    verify_set(folder, manifest)
    keys: list[str] = []
    rows: list[tuple[float, ...]] = []
    for split in (split for split in manifest.counts if manifest.count(split)):
        for record in read_records(folder, split):
            keys.append(record_key(record.image_id, record.x, record.y))
            rows.append(_measure(record, mpp or record.mpp))
    content = io.BytesIO()
    np.savez(content, keys=keys, features=np.array(rows, np.float32))
    write_atomic(out, content.getvalue())
    return len(rows)


def _measure(record: PatchRecord, mpp: float) -> tuple[float, ...]:
    if not 0 < mpp <= COARSEST_MPP:
        scale = f"{mpp:.4g} µm/px" if mpp else "no known scale"
        raise InputError(
            f"Patches must be of at most {COARSEST_MPP} µm/px for their nuclei to be "
            f"measured, got {record.image_id} with {scale}. Give the scale as stored "
            "with --mpp, or make the set from finer pictures."
        )
    image = decode_image(record.image, name=record.image_id)
    return measure_specific(measure_nuclei(image, NucleiConfig(mpp=mpp)), mpp)
