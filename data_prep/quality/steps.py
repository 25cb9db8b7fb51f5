"""The steps from an H&E patch to its cluster, as a figure: the paper's figure 3."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.measure.binarization import Binarized, binarize
from data_prep.measure.nuclei import measure_nuclei
from data_prep.quality.measure import (
    Sample,
    nuclei_at,
    nuclei_config,
    read_sample,
    sample_records,
)
from data_prep.quality.plots import STYLE, color_of, draw_plane, png_of
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.manifest import Manifest, read_manifest
from gastric_keras.records.schema import PatchRecord
from gastric_keras.support.errors import require
from gastric_keras.support.files import write_atomic

TITLES = ("H&E patch", "hematoxylin alone", "below the threshold", "cleaned, split")
#: Inches of a patch, and of the plane of the clusters.
_SIDE, _PLANE = 1.9, 3.6


def write_steps(folder: Path | str, path: Path | str) -> list[str]:
    """Draw how the nuclei of a set were found, on one typical patch a cluster.

    A row is a cluster: of a sample of the set the patch nearest to the cluster's
    center, as k-means measures. Columns are the patch, what its hematoxylin alone lets
    through, what lies below Phansalkar's threshold, and the nuclei after holes, bridges
    and faint pieces are gone and touching ones are split. Last is the plane of count
    and total area in which k-means ran, the shown patches as stars.

    Args:
        folder: of a nuclei set with clusters.
        path: PNG to write.

    Returns:
        A line a cluster: its patch, with nuclei and area.

    Raises:
        InputError: no finished set there, or one without clusters of nuclei.
    """
    manifest = read_manifest(folder)
    require(
        nuclei_config(manifest) is not None and "clustering" in manifest.config,
        "steps must get a nuclei set with clusters",
        "Make one with data_prep nuclei and task: classes.",
        dataset=manifest.dataset,
        clustering="clustering" in manifest.config,
    )
    look = read_sample(folder)
    chosen = _typical(look, manifest)
    records = list(islice(sample_records(folder), max(chosen) + 1))
    png, lines = _plot(look, manifest, chosen, [records[place] for place in chosen])
    write_atomic(path, png)
    return lines


def _typical(look: Sample, manifest: Manifest) -> list[int]:
    """Of each cluster that was sampled, the place of the patch nearest its center."""
    notes = manifest.config["clustering"]
    centers, std = np.array(notes["centers"]), np.array(notes["std"])
    assert look.nuclei is not None
    gaps = ((look.nuclei - centers[look.labels]) / std) ** 2
    distance = gaps.sum(axis=1)
    places = [np.flatnonzero(look.labels == k) for k in range(len(manifest.classes))]
    return [int(own[distance[own].argmin()]) for own in places if own.size]


def _plot(
    look: Sample,
    manifest: Manifest,
    chosen: list[int],
    records: list[PatchRecord],
) -> tuple[bytes, list[str]]:
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    config = nuclei_config(manifest)
    assert config is not None and look.nuclei is not None
    lines = []
    with rc_context(STYLE):
        size = (_SIDE * len(TITLES) + _PLANE + 0.4, _SIDE * len(chosen) + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        parts = figure.add_gridspec(1, 2, width_ratios=[size[0] - _PLANE, _PLANE])
        pictures, right = (figure.add_subfigure(parts[i]) for i in (0, 1))
        rows = pictures.subplots(len(chosen), len(TITLES), squeeze=False)
        plane = right.subplots()
        draw_plane(plane, look, manifest)
        for axes, place, record in zip(rows, chosen, records, strict=True):
            image = decode_image(record.image, name=record.image_id)
            own = nuclei_at(config, record.mpp)
            name = manifest.classes[record.label]
            count = _draw_row(axes, image, binarize(image, own))
            axes[0].set_ylabel(f"{name}\n{count} nuclei", color=color_of(record.label))
            area = measure_nuclei(image, own).total_area
            lines.append(
                f"{name}: {record.image_id} at x {record.x}, y {record.y}: {count} "
                f"nuclei, {area:,.0f} px²"
            )
            x, y = look.nuclei[place]
            color = color_of(record.label)
            plane.plot(x, y, "*", zorder=5, ms=17, mec="black", color=color)
        for axis, title in zip(rows[0], TITLES, strict=True):
            axis.set_title(title, size=10)
        plane.set_title("clusters; stars: the patches shown", size=10)
        return _with_palette(png_of(figure)), lines


def _draw_row(axes: Any, image: npt.NDArray[np.uint8], found: Binarized) -> int:
    """Four steps of one patch, side by side; the number of its nuclei."""
    gray = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}
    axes[0].imshow(image)
    axes[1].imshow(found.light, **gray)
    axes[2].imshow(found.below == 0, **gray)
    axes[3].imshow(_colored(found.labels), interpolation="nearest")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    return found.count


def _with_palette(png: bytes) -> bytes:
    """The same picture in 256 colors: a third of the bytes."""
    from PIL import Image

    stream = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _colored(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """(h, w, 3): each nucleus in one of six colors, the rest white."""
    palette = [bytes.fromhex(color_of(k)[1:]) for k in range(int(labels.max()))]
    colors = np.array([(255, 255, 255), *map(tuple, palette)], np.uint8)
    return colors[labels]
