"""Small pictures on disk, whose truth is plain, for the tests of data_prep."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    extratags: Sequence[tuple[Any, ...]] = (),
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
                extratags=extratags,
            )
    return path


def write_scn(
    path: Path,
    parts: Sequence[tuple[int, int, npt.NDArray[np.uint8]]],
    size: tuple[int, int],
) -> Path:
    """A Leica slide at 0.5 µm/px, which has pixels in some parts of it only.

    OpenSlide gives the rectangle around the parts as its bounds.

    Args:
        path: ``.scn``.
        parts: x, y on the slide and (H, W, 3) pixels of each; sides of whole 16 px.
        size: (width, height) of the whole slide, px.
    """
    import pytest
    import tifffile

    pytest.importorskip("openslide", reason="the slides extra is not installed")
    page = dict(photometric="rgb", tile=(64, 64), metadata=None, software=False)
    nm = 500
    small = np.full((64, 64, 3), 240, np.uint8)
    frame = (0, 0, size[0], size[1])
    images = [_scn_image(frame, 1, [(small, 2 * len(parts))], nm)]
    pages = []
    for number, (x, y, pixels) in enumerate(parts):
        levels = [pixels, np.ascontiguousarray(pixels[::4, ::4])]
        high, wide = pixels.shape[:2]
        pyramid = [(level, 2 * number + i) for i, level in enumerate(levels)]
        images.append(_scn_image((x, y, wide, high), 20, pyramid, nm))
        pages += levels
    text = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/'
        f'10/01" uuid="u"><collection name="c" sizeX="{size[0] * nm}" '
        f'sizeY="{size[1] * nm}"><barcode></barcode>{"".join(images)}'
        "</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as stream:
        for number, level in enumerate([*pages, small]):
            stream.write(level, description=None if number else text, **page)
    return path


def _scn_image(
    place: tuple[int, int, int, int],
    objective: int,
    levels: Sequence[tuple[npt.NDArray[np.uint8], int]],
    nm: int,
) -> str:
    x, y, width, height = (length * nm for length in place)
    dimensions = "".join(
        f'<dimension sizeX="{level.shape[1]}" sizeY="{level.shape[0]}" r="{number}" '
        f'ifd="{page}"/>'
        for number, (level, page) in enumerate(levels)
    )
    largest = levels[0][0].shape
    return (
        '<image name="i"><creationDate>2020-01-01T00:00:00</creationDate>'
        f'<device model="M" version="1"/><pixels sizeX="{largest[1]}" '
        f'sizeY="{largest[0]}">{dimensions}</pixels><view sizeX="{width}" '
        f'sizeY="{height}" offsetX="{x}" offsetY="{y}"/><scanSettings>'
        f"<objectiveSettings><objective>{objective}</objective></objectiveSettings>"
        "<illuminationSettings><numericalAperture>0.4</numericalAperture>"
        "<illuminationSource>brightfield</illuminationSource>"
        "</illuminationSettings></scanSettings></image>"
    )


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
