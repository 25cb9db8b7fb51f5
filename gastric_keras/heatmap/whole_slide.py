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
from gastric_keras.heatmap.inference import (
    Speed,
    answer_cells,
    answer_columns,
    predict_patches,
)
from gastric_keras.heatmap.matching import fit_stain_of, patch_side, tell_assumed
from gastric_keras.heatmap.overlay import OverlayCaption, draw_overlay
from gastric_keras.heatmap.patches import PatchPlan, plan_patches
from gastric_keras.heatmap.probability_map import (
    ProbabilityMap,
    Region,
    draw_map,
    find_regions,
)
from gastric_keras.heatmap.qupath import collection_of, region_features, tile_features
from gastric_keras.imaging.slides import Picture, open_picture
from gastric_keras.serving.exported_model import Answer, ExportedModel
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
        InputError: the slide cannot be used, a scale is missing, or nothing of it is
            tissue.
    """
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
            files.write_json(
                summary, _summarize(reading, made_of, picture, model.positive)
            )
            _tell(reading, model.positive, folder)


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
    probability: ProbabilityMap
    level: float
    regions: list[Region]
    called: int
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
    level = answer.threshold if config.level is None else config.level
    _, _, width, height = picture.bounds
    probability = draw_map(plan, answer.probability, (height, width))
    regions = find_regions(probability, level)
    called = int((answer.label == model.positive).sum())
    return _Reading(
        plan, answer, speed, mpp, probability, level, regions, called, fit is not None
    )


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
    np.save(stream, reading.probability.values)
    files.write_atomic(folder / "probability.npy", stream.getvalue())
    features = region_features(reading.regions, model.positive, corner=plan.corner)
    if config.tiles:
        features += tile_features(plan, answer, model.positive)
    files.write_atomic(folder / "heatmap.geojson", collection_of(features))
    overlay = draw_overlay(
        _view(picture, config.overlay_side),
        reading.probability,
        reading.regions,
        caption=_caption(reading, model.positive, name),
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


def _caption(reading: _Reading, positive: str, name: str) -> OverlayCaption:
    side, mpp = reading.plan.side, reading.mpp
    scale = f"= {side * mpp:.0f} µm" if mpp else "(scale not known)"
    return OverlayCaption(
        title=name,
        subtitle=f"{reading.called} of {len(reading.plan.origins)} patches of "
        f"{side} px {scale} called {positive}",
        positive=positive,
        threshold=reading.answer.threshold,
        level=reading.level,
        mpp=mpp,
    )


def _summarize(
    reading: _Reading, made_of: dict[str, object], picture: Picture, positive: str
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
        "positive": positive,
        "threshold": reading.answer.threshold,
        "level": reading.level,
        "patches": {
            "in_grid": plan.in_grid,
            "background": plan.in_grid - len(plan.origins),
            "read": len(plan.origins),
            "called_positive": reading.called,
        },
        "regions": len(reading.regions),
        "speed": dataclasses.asdict(speed) | {"share_of_bare": speed.share_of_bare},
        "commit": read_commit(),
        "packages": read_versions(),
    }


def _tell(reading: _Reading, positive: str, folder: Path) -> None:
    speed = reading.speed
    print(
        f"heatmap: {len(reading.plan.origins)} patches in {speed.seconds:.1f} s, "
        f"{speed.patches_per_second:.0f} patches/s, {speed.share_of_bare:.2f} of the "
        f"model's bare inference ({speed.bare_patches_per_second:.0f} patches/s)"
    )
    print(
        f"heatmap: {reading.called} patches called {positive} at "
        f"{reading.answer.threshold:.3f}, {len(reading.regions)} regions at "
        f"{reading.level:.3f}; all in {folder}"
    )
