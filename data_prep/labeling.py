"""What pass 1 finds in one picture: its patches, their labels, and what was dropped."""

from __future__ import annotations

import dataclasses
from collections import Counter

from data_prep import images
from data_prep.annotations import apply_white_rule, class_number, read_class_map
from data_prep.clusters import exclusion_reason
from data_prep.config import (
    NucleiSetConfig,
    SetConfig,
    SourceConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.nuclei import measure_nuclei
from data_prep.patches import (
    TOO_SMALL,
    PatchRef,
    cut_patch,
    grid_origins,
    label_patches,
)
from data_prep.sources import ImageSource

IGNORED = "class ignored"


@dataclasses.dataclass(frozen=True)
class Found:
    """Of one picture.

    Attributes:
        refs: the patches that stay, row by row.
        dropped: reason -> number of those that do not.
        nuclei: (count, total area in px² as stored) of each patch that stays; empty
            where nuclei are not asked for.
    """

    refs: list[PatchRef]
    dropped: Counter[str]
    nuclei: list[tuple[int, float]] = dataclasses.field(default_factory=list)


def find_tissue(config: TissueSetConfig, image: ImageSource) -> Found:
    """Label the patches of a picture by its region map.

    Args:
        config: classes and rules.
        image: with its annotation.

    Raises:
        UnusableImage: the picture or its map cannot be read, or they do not fit.
        InputError: a class that no mapping explains, or whole images.
    """
    assert image.annotation is not None
    source = config.sources[image.source]
    pixels = images.read_image(image.path, max_pixels=config.max_pixels)
    class_map = read_class_map(
        image.annotation,
        (pixels.shape[0], pixels.shape[1]),
        classes=config.classes,
        labels={**config.labels, **source.labels},
        mask_values=source.mask_values,
        unannotated=source.unannotated,
    )
    if source.white is not None:
        class_map = apply_white_rule(
            class_map, pixels, source.white, classes=config.classes
        )
    refs, dropped = label_patches(
        class_map,
        patch_size(config, source),
        classes=config.classes,
        rules=config.rules,
        stride=_stride(config, source),
    )
    return Found(refs, dropped)


def find_target(config: TargetSetConfig, image: ImageSource) -> Found:
    """Give every patch of a picture the picture's label.

    See :func:`find_tissue`.
    """
    assert image.label is not None
    source = config.sources[image.source]
    labels = {**config.labels, **source.labels}
    number = class_number(image.label, config.classes, labels)
    if not number:
        return Found([], Counter({IGNORED: 1}))
    pixels = images.read_image(image.path, max_pixels=config.max_pixels)
    return _grid(config, source, pixels.shape[:2], label=number - 1)


def find_nuclei(config: NucleiSetConfig, image: ImageSource) -> Found:
    """Measure the nuclei of every patch of a picture, as it will be stored.

    Measured after the resize, so that sources of different scale give numbers that
    mean the same. See :func:`find_tissue`.
    """
    source = config.sources[image.source]
    pixels = images.read_image(image.path, max_pixels=config.max_pixels)
    grid = _grid(config, source, pixels.shape[:2], label=0)
    found = Found([], grid.dropped)
    for ref in grid.refs:
        patch = cut_patch(pixels, ref, patch_size(config, source))
        mpp = scale_of(config, source)
        if config.stored_size is not None:
            mpp *= patch.shape[0] / config.stored_size
            patch = images.resize(patch, config.stored_size)
        nuclei = dataclasses.replace(config.nuclei, mpp=mpp or config.nuclei.mpp)
        measurement = measure_nuclei(patch, nuclei)
        reason = exclusion_reason(measurement, config.clusters)
        if reason is not None:
            found.dropped[reason] += 1
            continue
        found.refs.append(ref)
        found.nuclei.append((measurement.count, measurement.total_area))
    return found


def patch_size(config: SetConfig, source: SourceConfig) -> int:
    """Side in px of the patches of a source; 0 is the whole picture."""
    return config.patch_size if source.patch_size is None else source.patch_size


def scale_of(config: SetConfig, source: SourceConfig) -> float:
    """µm per px of the pictures of a source; 0.0 is not known."""
    return config.mpp if source.mpp is None else source.mpp


def _stride(config: SetConfig, source: SourceConfig) -> int | None:
    return config.stride if source.stride is None else source.stride


def _grid(
    config: SetConfig, source: SourceConfig, shape: tuple[int, ...], *, label: int
) -> Found:
    size = patch_size(config, source)
    height, width = shape
    if size:
        origins = grid_origins((height, width), size, stride=_stride(config, source))
    elif config.stored_size is None or height == width:
        return Found([PatchRef(0, 0, label)], Counter())
    else:
        raise images.UnusableImage(
            "A square picture was expected, since patch_size 0 takes it whole and "
            f"stored_size makes it square. Received: size={width}×{height}. Set "
            "stored_size: null, or a patch_size."
        )
    refs = [PatchRef(x, y, label) for x, y in origins.tolist()]
    return Found(refs, Counter() if refs else Counter({TOO_SMALL: 1}))
