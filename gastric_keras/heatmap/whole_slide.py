"""One slide, read whole by an exported model: its map, overlay, outlines and table."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.heatmap.class_finding import ClassFinding
from gastric_keras.heatmap.finding import check_options, find
from gastric_keras.heatmap.inference import (
    Speed,
    answer_cells,
    answer_columns,
    predict_patches,
)
from gastric_keras.heatmap.matching import fit_stain_of, patch_side, tell_assumed
from gastric_keras.heatmap.patches import PatchPlan, plan_patches
from gastric_keras.heatmap.positive_finding import PositiveFinding
from gastric_keras.heatmap.qupath import collection_of
from gastric_keras.imaging.slides import Picture, open_picture
from gastric_keras.serving.exported_answer import Answer
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support import config_io, files
from gastric_keras.support.versions import read_commit, read_versions

#: Written last: a folder with this file is whole.
_SUMMARY = "summary.json"
#: The table of its patches, see :func:`patch_columns`.
PATCHES = "patches.csv"
#: Rises with what the files hold: a folder of an older one is made again.
_FORMAT = 2


def map_slide(
    config: HeatmapConfig,
    slide: Path,
    model: ExportedModel,
    folder: Path,
    *,
    force: bool = False,
) -> None:
    """Read a slide whole and write its folder.

    Args:
        config: how.
        slide: a whole slide, or any picture that data_prep reads.
        model: the model.
        folder: to write.
        force: do it again, though it stands.

    Raises:
        FolderInUse: another process works there.
        InputError: the slide cannot be used, a scale is missing, nothing of it is
            tissue, or an option does not fit the model's classes.
    """
    check_options(config, model)
    with open_picture(slide) as picture:
        made_of = _made_of(config, slide, model)
        with files.locked(
            folder / ".lock",
            folder="heatmap folder",
            way_out="Wait for the other process, or name another folder with --out.",
        ):
            summary = folder / _SUMMARY
            if not force and stands(summary, made_of):
                print(f"heatmap: finished, see {folder}")
                return
            # From here on the folder holds no whole heatmap, until the end.
            summary.unlink(missing_ok=True)
            tell_assumed(picture, slide.name)
            reading = _read_slide(config, picture, model)
            _write(
                folder,
                reading,
                config=config,
                picture=picture,
                model=model,
                name=slide.name,
            )
            files.write_json(summary, _summarize(reading, made_of, picture))
            _tell(reading, folder)


def _made_of(
    config: HeatmapConfig, slide: Path, model: ExportedModel
) -> dict[str, object]:
    """What decides the result, ready for JSON."""
    stat = slide.stat()
    return {
        "format": _FORMAT,
        "slide": {"path": str(slide), "bytes": stat.st_size, "modified": stat.st_mtime},
        "model": model.identity,
        "options": config_io.to_dict(config),
    }


def stands(summary: Path, made_of: Mapping[str, object]) -> bool:
    """Whether a summary says that its folder is whole, and made of the same things."""
    if not summary.is_file():
        return False
    return bool(files.read_object(summary).get("made_of") == made_of)


@dataclass(frozen=True)
class _Reading:
    """All that is known of a slide once it is read."""

    plan: PatchPlan
    answer: Answer
    speed: Speed
    mpp: float
    finding: PositiveFinding | ClassFinding
    is_normalized: bool


def _read_slide(
    config: HeatmapConfig, picture: Picture, model: ExportedModel
) -> _Reading:
    side, mpp = patch_side(config, model, picture)
    plan = plan_patches(
        picture, side, stride=config.stride, min_tissue=config.min_tissue
    )
    background = plan.in_grid - len(plan.origins)
    print(
        f"heatmap: {plan.in_grid} patches of {side} px; {background} are background, "
        f"with less than {config.min_tissue:.0%} tissue, and are not read",
        flush=True,
    )
    fit = fit_stain_of(picture, model)
    answer, speed = predict_patches(
        model,
        picture,
        plan,
        batch_size=config.batch_size,
        readers=config.readers or os.cpu_count() or 1,
        fit=fit,
    )
    _, _, width, height = picture.bounds
    finding = find(config, model, plan, answer, (height, width))
    return _Reading(plan, answer, speed, mpp, finding, fit is not None)


def _write(
    folder: Path,
    reading: _Reading,
    *,
    config: HeatmapConfig,
    picture: Picture,
    model: ExportedModel,
    name: str,
) -> None:
    plan, answer = reading.plan, reading.answer
    files.write_csv(
        folder / PATCHES,
        patch_columns(model),
        (
            (x, y, plan.side, f"{tissue:.3f}", *cells)
            for (x, y), tissue, cells in zip(
                plan.origins.tolist(), plan.tissue, answer_cells(answer)
            )
        ),
    )
    stream = io.BytesIO()
    np.save(stream, reading.finding.probability.values)
    files.write_atomic(folder / "probability.npy", stream.getvalue())
    features = reading.finding.features(plan, answer, tiles=config.tiles)
    files.write_atomic(folder / "heatmap.geojson", collection_of(features))
    overlay = reading.finding.draw(
        _view(picture, config.overlay_side),
        title=name,
        patches=_patches_in_words(reading),
        mpp=reading.mpp,
        opacity=config.opacity,
    )
    files.write_atomic(folder / "overlay.png", overlay)


def patch_columns(model: ExportedModel) -> list[str]:
    """Of patches.csv: the place of each patch, then :func:`answer_columns`."""
    return ["x", "y", "width", "tissue", *answer_columns(model)]


def _view(picture: Picture, side: int) -> npt.NDArray[np.uint8]:
    """The part of a slide that has pixels, shrunk to a longer side in px."""
    x, y, width, height = picture.bounds
    share = max(width, height) / max(picture.shape)
    # Of a few mm on a large slide the view is coarser, not the memory full.
    whole = picture.overview(round(side / max(share, 1 / 3)))
    factor = max(picture.shape) / max(whole.shape)
    rows = slice(round(y / factor), round((y + height) / factor))
    return whole[rows, round(x / factor) : round((x + width) / factor)]


def _patches_in_words(reading: _Reading) -> str:
    side, mpp = reading.plan.side, reading.mpp
    scale = f"= {side * mpp:.0f} µm" if mpp else "(scale not known)"
    return f"{len(reading.plan.origins)} patches of {side} px {scale}"


def _summarize(
    reading: _Reading, made_of: dict[str, object], picture: Picture
) -> dict[str, object]:
    plan, speed = reading.plan, reading.speed
    return {
        "made_of": made_of,
        "size": list(picture.shape[::-1]),
        # x, y, width, height: what QuPath shows, and the probability map covers.
        "bounds": list(picture.bounds),
        "mpp": reading.mpp,
        "assumed": list(picture.notes),
        "side": plan.side,
        "stride": plan.step,
        "is_normalized": reading.is_normalized,
        **reading.finding.told(),
        "patches": {
            "in_grid": plan.in_grid,
            "background": plan.in_grid - len(plan.origins),
            "read": len(plan.origins),
            **reading.finding.counted(),
        },
        "regions": reading.finding.regions_counted(),
        "speed": dataclasses.asdict(speed) | {"share_of_bare": speed.share_of_bare},
        "commit": read_commit(),
        "packages": read_versions(),
    }


def _tell(reading: _Reading, folder: Path) -> None:
    speed = reading.speed
    print(
        f"heatmap: {len(reading.plan.origins)} patches in {speed.seconds:.1f} s, "
        f"{speed.patches_per_second:.0f} patches/s, {speed.share_of_bare:.2f} of the "
        f"model's bare inference ({speed.bare_patches_per_second:.0f} patches/s)"
    )
    print(f"heatmap: {reading.finding.words()}; all in {folder}")
