"""The patches of a picture or a part of it, and their labels: one way a kind of set."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.measure.exclusion import TOO_LITTLE_TISSUE
from data_prep.measure.nuclei import COARSEST_MPP, measure_nuclei
from data_prep.measure.population import measure_population
from data_prep.sets.found import Found, Part
from data_prep.sets.mapped import MaskMap, OutlineMap
from data_prep.sets.patches import PatchRef, label_patches
from data_prep.sets.view import View
from data_prep.sources.class_names import class_number
from data_prep.sources.pictures import ImageSource
from data_prep.sources.region_maps import apply_white_rule, is_label_mask
from gastric_keras.imaging.pillow import UnusableImage
from gastric_keras.imaging.slides import open_picture
from gastric_keras.support.errors import InputError

IGNORED = "class ignored"
TOO_COARSE = (
    f"nuclei at more than {COARSEST_MPP} µm/px melt together, so that counts and areas "
    "are wrong; take finer pictures or a larger stored_size"
)


def find_tissue(config: TissueSetConfig, part: Part) -> Found:
    """Label the patches of a picture by its region map, or by its one class.

    Args:
        config: classes and rules.
        part: of a picture with its annotation or label.

    Raises:
        UnusableImage: the picture or its map cannot be read, or they do not fit.
        InputError: a class that no mapping explains, or whole images.
    """
    if part.image.annotation is not None:
        return _find_mapped(config, part)
    # Where glass is a class, a blank patch is no artifact.
    found = _find_labeled(config, part, keeps_blank=True)
    if config.task != "shares":
        return found
    # A picture of one class shows nothing else.
    whole = np.eye(len(config.classes)).tolist()
    refs = [ref._replace(quantities=tuple(whole[ref.label])) for ref in found.refs]
    return dataclasses.replace(found, refs=refs)


def find_target(config: TargetSetConfig, part: Part) -> Found:
    """Give every patch of a picture the picture's label.

    See :func:`find_tissue`.
    """
    return _find_labeled(config, part, keeps_blank=False)


def find_nuclei(config: NucleiSetConfig, part: Part) -> Found:
    """Measure the nuclei of every patch of a picture, as it will be stored.

    Measured after the resize, so that sources of different scale give numbers that
    mean the same. See :func:`find_tissue`.
    """
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = View(config, part.image, picture)
        found = view.grid(part, label=0)
        kept: list[PatchRef] = []
        rows: list[tuple[float, ...]] = []
        mpp = view.mpp
        if config.stored_size is not None:
            mpp *= (view.side or picture.shape[0]) / config.stored_size
        nuclei = dataclasses.replace(config.nuclei, mpp=mpp or config.nuclei.mpp)
        if config.task == "measures":
            _check_measurable(part.image.image_id, nuclei.mpp)
        elif found.refs and (nuclei.mpp or 0) > COARSEST_MPP:
            found.notes.append(TOO_COARSE)
        for ref in found.refs:
            patch = view.patch(ref)
            reason = view.artifact(patch)
            if reason is not None:
                found.dropped[reason] += 1
                continue
            measured = measure_nuclei(view.normalized(patch), nuclei)
            if measured.tissue_fraction < config.clusters.min_tissue:
                found.dropped[TOO_LITTLE_TISSUE] += 1
                continue
            kept.append(ref)
            row: tuple[float, ...] = (
                measured.count,
                measured.total_area,
                measured.contrast,
                measured.unevenness,
            )
            if config.task == "measures":
                row += measure_population(measured, nuclei.mpp or 0.0)
            rows.append(row)
    return dataclasses.replace(found, refs=kept, nuclei=rows)


def _check_measurable(image_id: str, mpp: float | None) -> None:
    """Set a picture aside whose nuclei cannot be measured."""
    if mpp is None or mpp > COARSEST_MPP:
        scale = "no scale" if mpp is None else f"{mpp:.4g} µm/px as stored"
        raise UnusableImage(
            f"A picture must have a scale of at most {COARSEST_MPP} µm/px with task: "
            f"measures, got image={image_id} with {scale}. Give mpp in the config's "
            "source, take finer pictures or a larger stored_size, or leave it out."
        )


def _find_labeled(config: SetConfig, part: Part, *, keeps_blank: bool) -> Found:
    assert part.image.label is not None
    source = config.sources[part.image.source]
    labels = {**config.labels, **source.labels}
    number = class_number(part.image.label, config.classes, labels)
    if not number:
        return Found([], Counter({IGNORED: 1}))
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = View(config, part.image, picture)
        found = view.grid(part, label=number - 1)
        return view.without_artifacts(found, keeps_blank=keeps_blank)


def _find_mapped(config: TissueSetConfig, part: Part) -> Found:
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = View(config, part.image, picture)
        if not view.side:
            raise InputError(
                "patch_size must be above 0 in a tissue set, since a whole picture "
                f"shows several tissues, got {view.side} for {part.image.image_id}. "
                "Set it in px."
            )
        left, above, width, height = picture.bounds
        top = above + part.first * view.stride
        bottom = above + height
        if part.rows is not None:
            last = top + (part.rows - 1) * view.stride + view.side
            bottom = min(bottom, last)
        mapped = _read_map(view, part.image)
        class_map = mapped.window(top, bottom)
        if view.source.white is not None:
            class_map = apply_white_rule(
                class_map,
                picture.read(left, top, width, bottom - top),
                view.source.white,
                classes=config.classes,
            )
        refs, dropped = label_patches(
            class_map,
            view.side,
            classes=config.classes,
            rules=config.rules,
            stride=view.stride,
            with_shares=config.task == "shares",
        )
        refs = [ref._replace(x=ref.x + left, y=ref.y + top) for ref in refs]
        found = view.with_pixels(view.found(refs, dropped))
        if part.first == 0:
            found = mapped.told(found)
        return view.without_artifacts(found, keeps_blank=True)


def _read_map(view: View, image: ImageSource) -> MaskMap | OutlineMap:
    assert image.annotation is not None
    kind = MaskMap if is_label_mask(image.annotation) else OutlineMap
    return kind(view, image.annotation, _orientation_of_map(view, image))


def _orientation_of_map(view: View, image: ImageSource) -> int:
    """By which EXIF orientation a region map is turned to lie on its picture."""
    orientation, frame = view.picture.orientation, view.source.map_frame
    if orientation == 1 or frame == "upright":
        return 1
    if frame is None:
        # QuPath and ImageJ draw on the stored pixels, browsers on the upright ones.
        raise UnusableImage(
            "A picture with a region map must be stored upright, or the config must "
            f"say what its map was drawn on, got image={image.image_id}, EXIF "
            f"orientation={orientation}. Give map_frame in the config's source: stored "
            "for QuPath and ImageJ, which do not turn pictures, or upright for those "
            "that do; or save the picture upright and draw again."
        )
    return orientation
