"""``quality.json`` and ``quality.html`` beside the records of a set."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.config.measures import NucleiConfig
from data_prep.measure.nuclei import segment_nuclei, trace_contours
from data_prep.quality.measure import (
    SAMPLE,
    Sample,
    figures_of,
    is_leveled,
    nuclei_at,
    nuclei_config,
    read_sample,
)
from data_prep.quality.plots import plot_amounts, plot_nuclei, spell_colors
from data_prep.quality.verdict import Quality, rows_of
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.ledger import ledger_lines
from gastric_keras.records.manifest import QUALITY_NAME, Manifest, read_manifest
from gastric_keras.records.schema import PatchRecord, read_records
from gastric_keras.support.config_io import to_dict
from gastric_keras.support.files import write_atomic, write_json
from gastric_keras.support.pages import render

PAGE_NAME = "quality.html"

#: Patches of a class that are shown, and of all classes.
PER_CLASS = 24
_MOST_PATCHES = 72
#: Records among which they are sought.
_SOUGHT = 1500
#: Longest side of a patch on the page, px; with outlines, which need the room.
_SIDE, _OVERLAY_SIDE = 128, 192
#: Colors of such a picture: enough for the eye, a quarter of the bytes.
_COLORS = 128
#: Cyan, RGB: stands out from pink and violet, also for the color-blind.
_OUTLINE = (0, 255, 255)

_Image = npt.NDArray[np.uint8]


def write_quality(folder: Path | str, *, sample: int = SAMPLE) -> list[str]:
    """Measure a finished set and write ``quality.json`` and ``quality.html`` into it.

    Equal sets give equal bytes.

    Args:
        folder: a set with its manifest and shards.
        sample: number of patches whose pixels are looked at; the ids of all are.

    Returns:
        The warnings in words; empty where nothing bad was seen.

    Raises:
        InputError: no finished set there, or a sample below 1.
    """
    look = read_sample(folder, sample=sample)
    quality = figures_of(folder, look)
    page = _page(folder, quality, look)
    tree = to_dict(quality)
    if not quality.quantities:
        del tree["quantities"]
    write_json(Path(folder) / QUALITY_NAME, tree)
    write_atomic(Path(folder) / PAGE_NAME, page)
    return list(quality.warnings)


def _page(folder: Path | str, quality: Quality, look: Sample) -> str:
    manifest = read_manifest(folder)
    return render(
        "data_prep.quality",
        "quality.html",
        quality=quality,
        manifest=manifest,
        total=sum(manifest.count(split) for split in manifest.counts),
        ledger=list(ledger_lines(manifest.config)),
        set_aside=list(islice(manifest.set_aside.items(), 20)),
        rows=list(rows_of(quality)),
        plots=list(_plots(look, manifest)),
        montages=_montages(folder, manifest),
        has_outlines=nuclei_config(manifest) is not None,
    )


def _plots(look: Sample, manifest: Manifest) -> Iterator[dict[str, str]]:
    classes = spell_colors(manifest.classes)
    if look.nuclei is not None:
        yield {
            "source": _uri(plot_nuclei(look, manifest)),
            "alt": f"Scatter of {len(look.labels)} patches by nuclei count and total "
            f"nuclei area, colored by class ({classes}).",
            "note": _boundary_note(look, manifest),
        }
    yield {
        "source": _uri(plot_amounts(look, manifest)),
        "alt": "Distribution of the mean amount of hematoxylin of a patch in each "
        f"class ({classes}).",
        "note": "Where these lie apart, the strength of the stain alone gives the "
        "class away.",
    }


def _boundary_note(look: Sample, manifest: Manifest) -> str:
    if "clustering" not in manifest.config:
        return "The manifest holds no clusters, so no boundary is drawn."
    if not is_leveled(look.sources, manifest):
        return "Black crosses are the centers of k-means, the line its boundary."
    return (
        "Black crosses are the centers of k-means, the line its boundary. Each source "
        "was leveled to the mean and deviation of all before clustering; here by its "
        "mean and deviation in the sample, so that points by the line may lie on the "
        "wrong side of it."
    )


def _montages(folder: Path | str, manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Patches of each class, as they are and with the outlines of the nuclei."""
    split = next((name for name in manifest.counts if manifest.count(name)), None)
    if split is None:
        return
    nuclei = nuclei_config(manifest)
    most = max(1, min(PER_CLASS, _MOST_PATCHES // len(manifest.classes)))
    records = list(islice(read_records(folder, split), _SOUGHT))
    for label, name in enumerate(manifest.classes):
        own = [record for record in records if record.label == label]
        patches = []
        for record in _spread(own, most):
            image = decode_image(record.image, name=record.image_id)
            views = [_uri(_png(_fit(image, _SIDE)))]
            if nuclei is not None:
                views.append(_uri(_png(_outlined(image, nuclei, record.mpp))))
            patches.append({"record": record, "views": views})
        yield {"name": name, "split": split, "patches": patches}


def _spread(records: Sequence[PatchRecord], most: int) -> list[PatchRecord]:
    """The first of every case, then the second of every case, …; listed by case."""
    seen = Counter[str]()
    turns = []
    for position, record in enumerate(records):
        turns.append((seen[record.case_id], position))
        seen[record.case_id] += 1
    chosen = [records[position] for _, position in sorted(turns)[:most]]
    return sorted(chosen, key=lambda one: (one.case_id, one.image_id, one.y, one.x))


def _outlined(image: _Image, config: NucleiConfig, mpp: float) -> _Image:
    contours = trace_contours(segment_nuclei(image, nuclei_at(config, mpp)))
    shown = _fit(image, _OVERLAY_SIDE, enlarge=True)
    scale = shown.shape[0] / image.shape[0]
    # A contour runs through the middles of pixels.
    lines = [np.rint((line + 0.5) * scale - 0.5).astype(np.int32) for line in contours]
    cv2.polylines(shown, lines, True, _OUTLINE, 1)
    return shown


def _fit(image: _Image, side: int, *, enlarge: bool = False) -> _Image:
    """A copy whose longest side is at most (or, enlarged, just) so many px."""
    factor = side / max(image.shape[:2])
    if factor >= 1 and not enlarge:
        return image.copy()
    size = [max(1, round(length * factor)) for length in image.shape[1::-1]]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method)


def _png(image: _Image) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    # An octree of 128 is as close as a median cut of 64, in a thirtieth of the time.
    palette = Image.fromarray(image).quantize(
        _COLORS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    palette.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
