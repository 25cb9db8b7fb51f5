"""Small pictures on disk, whose truth is plain, for the tests of data_prep."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gastric_keras.imaging.images import encode_png


def noise(seed: int, height: int = 32, width: int = 32) -> npt.NDArray[np.uint8]:
    """(H, W, 3) uint8, another picture for each seed."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def write_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> Path:
    """Write RGB pixels as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))
    return path


def write_slide(
    path: Path,
    pixels: npt.NDArray[np.uint8],
    *,
    levels: int = 2,
    mpp: tuple[float, float] | None = (0.5, 0.5),
) -> Path:
    """A pyramid in tiles, each level half of the one before, every second px."""
    import pytest
    import tifffile

    pytest.importorskip("openslide", reason="the slides extra is not installed")
    resolution = (1e4 / mpp[0], 1e4 / mpp[1]) if mpp else None
    unit = "centimeter" if mpp else None
    with tifffile.TiffWriter(path) as stream:
        for level in range(levels):
            stream.write(
                pixels[:: 2**level, :: 2**level],
                photometric="rgb",
                tile=(64, 64),
                subfiletype=int(level > 0),
                resolution=resolution,
                resolutionunit=unit,
                metadata=None,
            )
    return path


def write_index(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write rows as CSV, columns as in the first row."""
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def feature(
    name: str | None, coordinates: Sequence, kind: str = "Polygon", **properties: object
) -> dict:
    """A GeoJSON Feature as QuPath writes it."""
    entries: dict = {"objectType": "annotation", **properties}
    if name is not None:
        entries["classification"] = {"name": name}
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": entries,
    }


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """A closed ring."""
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def write_target_folder(root: Path, *, cases: int = 8, per_case: int = 2) -> Path:
    """Pictures of 32×32 px and index.csv (path, label, case_id); half the cases are
    malignant."""
    rows = []
    for case in range(cases):
        label = "malignant" if case % 2 else "benign"
        for number in range(per_case):
            name = f"c{case}_{number}.png"
            write_picture(root / name, noise(100 * case + number))
            rows.append({"path": name, "label": label, "case_id": f"case{case}"})
    write_index(root / "index.csv", rows)
    return root


def write_tissue_folder(root: Path, *, cases: int = 6) -> Path:
    """Pictures of 24×16 px with a GeoJSON each: three 8 px stripes, one of each
    class; index.csv (path, geojson, case_id)."""
    rows = []
    for case in range(cases):
        write_picture(root / f"r{case}.png", noise(case, 16, 24))
        regions = [
            feature("Background", [box(0, 0, 8, 16)]),
            feature("Epithelium", [box(8, 0, 16, 16)]),
            feature("Stroma", [box(16, 0, 24, 16)]),
        ]
        collection = {"type": "FeatureCollection", "features": regions}
        (root / f"r{case}.geojson").write_text(json.dumps(collection))
        row = {"path": f"r{case}.png", "geojson": f"r{case}.geojson"}
        rows.append(row | {"case_id": f"case{case}"})
    write_index(root / "index.csv", rows)
    return root
