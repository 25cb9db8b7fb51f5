"""What pass 1 finds in one picture: its patches, their labels, and what was dropped."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    SourceConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.measure.artifacts import BLANK, artifact_reason
from data_prep.measure.exclusion import TOO_LITTLE_TISSUE
from data_prep.measure.normalization import StainFit, normalize
from data_prep.measure.nuclei import measure_nuclei
from data_prep.sets.patches import (
    TOO_SMALL,
    PatchRef,
    cut_patch,
    fit_picture,
    grid_origins,
    label_patches,
)
from data_prep.sources.pictures import ImageSource
from data_prep.sources.region_maps import (
    apply_white_rule,
    class_number,
    draw_regions,
    is_label_mask,
    read_class_map,
    read_regions,
)
from gastric_keras.imaging.images import UnusableImage
from gastric_keras.imaging.slides import Picture, is_slide, open_picture
from gastric_keras.imaging.tissue import tissue_mask, tissue_share
from gastric_keras.support.errors import InputError

IGNORED = "class ignored"

#: Pixels at full resolution that a part of a slide may show.
_PART_PIXELS = 50_000_000


@dataclasses.dataclass(frozen=True)
class Part:
    """A picture, or a band of a slide: what one call looks at.

    Attributes:
        image: the picture.
        first: first row of its grid of patches.
        rows: number of rows; None takes all that follow.
    """

    image: ImageSource
    first: int = 0
    rows: int | None = None


@dataclasses.dataclass(frozen=True)
class Found:
    """Of one picture or a part of it.

    Attributes:
        refs: the patches that stay, row by row.
        dropped: reason -> number of those that do not.
        side: of the patches in px at full resolution; 0 is the whole picture.
        mpp: µm per px of the picture; 0.0 is not known.
        is_normalized: False when the stain was to be normalized and no fit was found.
        nuclei: (count, total area in px² as stored, contrast, unevenness) of each
            patch that stays; empty where nuclei are not asked for.
    """

    refs: list[PatchRef]
    dropped: Counter[str]
    side: int = 0
    mpp: float = 0.0
    is_normalized: bool = True
    nuclei: list[tuple[float, ...]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class LookAtParts:
    """Looks at a bundle of parts; picklable for the workers.

    Attributes:
        find: one of the functions below.
        config: of the set.
        strict: a picture that cannot be used ends the run.
    """

    find: Callable[[Any, Part], Found]
    config: SetConfig
    strict: bool

    def __call__(self, parts: Sequence[Part]) -> bytes:
        """JSON: of each part what was found, or why it cannot be used."""
        return json.dumps([self._look(part) for part in parts]).encode()

    def _look(self, part: Part) -> dict[str, Any]:
        try:
            # vars() and not asdict(), which spoils a Counter.
            return vars(self.find(self.config, part))
        except UnusableImage as error:
            if self.strict:
                raise
            return {"unusable": str(error)}


def read_found(path: Path) -> Iterator[Found | str]:
    """What ``LookAtParts`` wrote: of each part what was found, or why it was not."""
    for entry in json.loads(path.read_bytes()):
        if "unusable" in entry:
            yield entry["unusable"]
            continue
        entry["refs"] = [PatchRef(*ref) for ref in entry["refs"]]
        entry["dropped"] = Counter(entry["dropped"])
        entry["nuclei"] = [tuple(row) for row in entry["nuclei"]]
        yield Found(**entry)


def joined(first: Found, second: Found) -> Found:
    """What was found in two parts of one picture."""
    return dataclasses.replace(
        first,
        refs=first.refs + second.refs,
        dropped=first.dropped + second.dropped,
        is_normalized=first.is_normalized and second.is_normalized,
        nuclei=first.nuclei + second.nuclei,
    )


def parts_of(config: SetConfig, image: ImageSource) -> list[Part]:
    """A picture in parts: one, or the bands of a slide that fit the memory."""
    if not is_slide(image.path):
        return [Part(image)]
    try:
        with open_picture(image.path, max_pixels=config.max_pixels) as slide:
            view = _View(config, image, slide)
    except UnusableImage:
        # The worker that opens it says so, in its turn.
        return [Part(image)]
    if not view.side:
        return [Part(image)]
    rows = len(set(view.origins()[:, 1].tolist()))
    band = max(1, _PART_PIXELS // (view.stride * slide.shape[1]))
    return [Part(image, first, band) for first in range(0, max(rows, 1), band)]


def find_tissue(config: TissueSetConfig, part: Part) -> Found:
    """Label the patches of a picture by its region map, or by its one class.

    Args:
        config: classes and rules.
        part: of a picture with its annotation or label.

    Raises:
        UnusableImage: the picture or its map cannot be read, or they do not fit.
        InputError: a class that no mapping explains, or whole images.
    """
    if part.image.annotation is None:
        found = _find_labeled(config, part)
    else:
        found = _find_mapped(config, part)
    return found


def find_target(config: TargetSetConfig, part: Part) -> Found:
    """Give every patch of a picture the picture's label.

    See :func:`find_tissue`.
    """
    return _find_labeled(config, part)


def find_nuclei(config: NucleiSetConfig, part: Part) -> Found:
    """Measure the nuclei of every patch of a picture, as it will be stored.

    Measured after the resize, so that sources of different scale give numbers that
    mean the same. See :func:`find_tissue`.
    """
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = _View(config, part.image, picture)
        found = view.grid(part, label=0)
        kept: list[PatchRef] = []
        rows: list[tuple[float, ...]] = []
        for ref in found.refs:
            patch = view.patch(ref)
            mpp = view.mpp
            if config.stored_size is not None:
                mpp *= (view.side or picture.shape[0]) / config.stored_size
            reason = view.artifact(patch)
            nuclei = dataclasses.replace(config.nuclei, mpp=mpp or config.nuclei.mpp)
            if reason is not None:
                found.dropped[reason] += 1
                continue
            measured = measure_nuclei(view.normalized(patch), nuclei)
            if measured.tissue_fraction < config.clusters.min_tissue:
                found.dropped[TOO_LITTLE_TISSUE] += 1
                continue
            kept.append(ref)
            rows.append(
                (
                    measured.count,
                    measured.total_area,
                    measured.contrast,
                    measured.unevenness,
                )
            )
    return dataclasses.replace(found, refs=kept, nuclei=rows)


class _View:
    """A picture as its source's settings see it: scale, side, grid, patches."""

    def __init__(self, config: SetConfig, image: ImageSource, picture: Picture) -> None:
        self.config = config
        self.picture = picture
        self.source: SourceConfig = config.sources[image.source]
        # What the user says of the scale wins over what the file says.
        given = config.mpp if self.source.mpp is None else self.source.mpp
        self.mpp = given or picture.mpp
        self.side = self._side()
        stride = config.stride if self.source.stride is None else self.source.stride
        self.stride = self.side if stride is None else stride
        self.fit: StainFit | None = None
        self.is_normalized = True
        if config.normalization is not None:
            self.fit = fit_picture(picture, config.normalization)
            self.is_normalized = self.fit is not None

    def _side(self) -> int:
        if self.config.patch_um is not None:
            if not self.mpp:
                raise UnusableImage(
                    "A scale was expected, since patch_um gives the patches in µm. "
                    "Received: mpp=0.0, not known. Give mpp in the config's source."
                )
            return max(1, round(self.config.patch_um / self.mpp))
        own = self.source.patch_size
        return self.config.patch_size if own is None else own

    def origins(self) -> npt.NDArray[np.int64]:
        return grid_origins(self.picture.shape, self.side, stride=self.stride)

    def patch(self, ref: PatchRef) -> npt.NDArray[np.uint8]:
        return cut_patch(self.picture, ref, self.side, self.config.stored_size)

    def normalized(self, patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        # After the artifacts are looked for: ink is known by its own color.
        return patch if self.fit is None else normalize(patch, self.fit)

    def artifact(self, patch: npt.NDArray[np.uint8]) -> str | None:
        if self.config.artifacts is None:
            return None
        stored = patch.shape[0] / (self.side or self.picture.shape[0])
        return artifact_reason(patch, self.config.artifacts, mpp=self.mpp / stored)

    def found(self, refs: list[PatchRef], dropped: Counter[str]) -> Found:
        return Found(refs, dropped, self.side, self.mpp, self.is_normalized)

    def grid(self, part: Part, *, label: int) -> Found:
        """The patches of a part, those on the bare glass of a slide left out."""
        if not self.side:
            self._check_square()
            return self.found([PatchRef(0, 0, label)], Counter())
        origins = self.origins()
        if not len(origins):
            return self.found([], Counter({TOO_SMALL: 1}))
        row = np.unique(origins[:, 1], return_inverse=True)[1].reshape(-1)
        end = len(origins) if part.rows is None else part.first + part.rows
        origins = origins[(row >= part.first) & (row < end)]
        dropped = Counter[str]()
        if self.picture.is_slide and self.config.min_slide_tissue > 0:
            mask, downsample = tissue_mask(self.picture)
            share = tissue_share(mask, downsample, origins, self.side)
            is_tissue = share >= self.config.min_slide_tissue
            dropped[TOO_LITTLE_TISSUE] = int((~is_tissue).sum())
            origins = origins[is_tissue]
        refs = [PatchRef(x, y, label) for x, y in origins.tolist()]
        return self.found(refs, +dropped)

    def _check_square(self) -> None:
        height, width = self.picture.shape
        if self.config.stored_size is not None and height != width:
            raise UnusableImage(
                "A square picture was expected, since patch_size 0 takes it whole and "
                f"stored_size makes it square. Received: size={width}×{height}. Set "
                "stored_size: null, or a patch_size."
            )


def _find_labeled(config: SetConfig, part: Part) -> Found:
    assert part.image.label is not None
    source = config.sources[part.image.source]
    labels = {**config.labels, **source.labels}
    number = class_number(part.image.label, config.classes, labels)
    if not number:
        return Found([], Counter({IGNORED: 1}))
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = _View(config, part.image, picture)
        return _without_artifacts(view, view.grid(part, label=number - 1))


def _find_mapped(config: TissueSetConfig, part: Part) -> Found:
    with open_picture(part.image.path, max_pixels=config.max_pixels) as picture:
        view = _View(config, part.image, picture)
        if not view.side:
            raise InputError(
                "A patch size was expected, since a whole picture shows several "
                f"tissues. Received: image={part.image.image_id}, patch_size=0. "
                "Give px."
            )
        height, width = picture.shape
        top = part.first * view.stride
        bottom = height
        if part.rows is not None:
            last = top + (part.rows - 1) * view.stride + view.side
            bottom = min(height, last)
        class_map = _class_map(view, part.image, top, bottom)
        if view.source.white is not None:
            class_map = apply_white_rule(
                class_map,
                picture.read(0, top, width, bottom - top),
                view.source.white,
                classes=config.classes,
            )
        refs, dropped = label_patches(
            class_map,
            view.side,
            classes=config.classes,
            rules=config.rules,
            stride=view.stride,
        )
        refs = [ref._replace(y=ref.y + top) for ref in refs]
        return _without_artifacts(view, view.found(refs, dropped))


def _class_map(
    view: _View, image: ImageSource, top: int, bottom: int
) -> npt.NDArray[np.uint8]:
    """The region map between two rows of the picture."""
    assert image.annotation is not None
    config, source = view.config, view.source
    labels = {**config.labels, **source.labels}
    if is_label_mask(image.annotation) or not view.picture.is_slide:
        return read_class_map(
            image.annotation,
            view.picture.shape,
            classes=config.classes,
            labels=labels,
            mask_values=source.mask_values,
            unannotated=source.unannotated,
        )[top:bottom]
    regions = _regions(
        image.annotation, tuple(config.classes), tuple(sorted(labels.items()))
    )
    window = (bottom - top, view.picture.shape[1])
    class_map = draw_regions(regions, window, offset=(0, top))
    if source.unannotated is not None:
        class_map[class_map == 0] = class_number(source.unannotated, config.classes)
    return class_map


@lru_cache(maxsize=1)
def _regions(
    path: Path, classes: tuple[str, ...], labels: tuple[tuple[str, str], ...]
) -> list[tuple[int, Any]]:
    # The bands of a slide share one map, which may hold a million corners.
    return read_regions(path, classes=classes, labels=dict(labels))


def _without_artifacts(view: _View, found: Found) -> Found:
    if view.config.artifacts is None:
        return found
    kept, dropped = [], Counter(found.dropped)
    is_glass_a_class = isinstance(view.config, TissueSetConfig)
    for ref in found.refs:
        reason = view.artifact(view.patch(ref))
        if reason is None or (reason == BLANK and is_glass_a_class):
            kept.append(ref)
        else:
            dropped[reason] += 1
    return dataclasses.replace(found, refs=kept, dropped=dropped)
