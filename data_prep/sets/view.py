"""A picture as the settings of its source see it: scale, side, grid, patches."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import SetConfig, SourceConfig
from data_prep.measure.artifacts import BLANK, artifact_reason
from data_prep.measure.exclusion import TOO_LITTLE_TISSUE
from data_prep.sets.found import Found, Part
from data_prep.sets.patches import (
    NO_PIXELS,
    TOO_SMALL,
    PatchRef,
    cut_patch,
    grid_origins,
)
from data_prep.sources.pictures import ImageSource
from gastric_keras.imaging.images import UnusableImage
from gastric_keras.imaging.normalization import StainFit, fit_picture, normalize
from gastric_keras.imaging.slides import Picture, is_slide, open_picture
from gastric_keras.imaging.tissue import has_pixels, tissue_mask, tissue_share

#: Pixels at full resolution that a part of a slide may show.
_PART_PIXELS = 50_000_000


class View:
    """A picture as the settings of its source see it.

    Attributes:
        config: of the set.
        picture: the open picture.
        source: the settings.
        mpp: µm per px of the picture; 0.0 is not known.
        impossible_mpp: see ``Found``.
        side: of its patches, px at full resolution; 0 takes the whole picture.
        stride: px between patches.
        fit: of its stain; None where it is not normalized.
        is_normalized: False when the stain was to be normalized and no fit was found.
    """

    def __init__(self, config: SetConfig, image: ImageSource, picture: Picture) -> None:
        self.config = config
        self.picture = picture
        self.source: SourceConfig = config.sources[image.source]
        # What the user says of the scale wins over what the file says.
        given = config.mpp if self.source.mpp is None else self.source.mpp
        self.mpp = given or picture.mpp
        self.impossible_mpp = 0.0 if given else picture.impossible_mpp
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
                    "A picture must have a known scale where patch_um gives the "
                    "patches in µm, got mpp=0.0. Set mpp in the config's source."
                )
            return max(1, round(self.config.patch_um / self.mpp))
        own = self.source.patch_size
        return self.config.patch_size if own is None else own

    def origins(self) -> npt.NDArray[np.int64]:
        """(N, 2): x, y of the patches, row by row, where the slide may have pixels."""
        x, y, width, height = self.picture.bounds
        corners = grid_origins((height, width), self.side, stride=self.stride)
        return corners + np.array([x, y])

    def patch(self, ref: PatchRef) -> npt.NDArray[np.uint8]:
        """A patch as it is stored, its stain as it is."""
        return cut_patch(self.picture, ref, self.side, self.config.stored_size)

    def normalized(self, patch: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The same with its stain as it is stored."""
        # After the artifacts are looked for: ink is known by its own color.
        return patch if self.fit is None else normalize(patch, self.fit)

    def artifact(self, patch: npt.NDArray[np.uint8]) -> str | None:
        """Why a patch shows no tissue that can be read; None to keep it."""
        if self.config.artifacts is None:
            return None
        stored = patch.shape[0] / (self.side or self.picture.shape[0])
        return artifact_reason(patch, self.config.artifacts, mpp=self.mpp / stored)

    def found(self, refs: list[PatchRef], dropped: Counter[str]) -> Found:
        """Of these patches, what pass 1 hands over."""
        height, width = self.picture.shape
        return Found(
            refs,
            dropped,
            self.side,
            self.mpp,
            is_normalized=self.is_normalized,
            impossible_mpp=self.impossible_mpp,
            is_square=self.side > 0 or height == width,
            notes=list(self.picture.notes),
        )

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
        is_there = has_pixels(self.picture, origins, self.side)
        dropped = Counter({NO_PIXELS: int((~is_there).sum())})
        origins = origins[is_there]
        if self.picture.is_slide and self.config.min_slide_tissue > 0:
            mask, downsample = tissue_mask(self.picture)
            share = tissue_share(mask, downsample, origins, self.side)
            is_tissue = share >= self.config.min_slide_tissue
            dropped[TOO_LITTLE_TISSUE] = int((~is_tissue).sum())
            origins = origins[is_tissue]
        refs = [PatchRef(x, y, label) for x, y in origins.tolist()]
        return self.found(refs, +dropped)

    def with_pixels(self, found: Found) -> Found:
        """The same without patches where the slide has no pixels."""
        if not found.refs:
            return found
        origins = np.array([ref[:2] for ref in found.refs])
        is_there = has_pixels(self.picture, origins, self.side)
        dropped = found.dropped + Counter({NO_PIXELS: int((~is_there).sum())})
        refs = [ref for ref, is_here in zip(found.refs, is_there) if is_here]
        return dataclasses.replace(found, refs=refs, dropped=dropped)

    def without_artifacts(self, found: Found, *, keeps_blank: bool) -> Found:
        """The same without patches that show glass, ink or blur.

        Args:
            found: of this picture.
            keeps_blank: bare glass is a class of the set, and stays.
        """
        if self.config.artifacts is None:
            return found
        kept, dropped = [], Counter(found.dropped)
        for ref in found.refs:
            reason = self.artifact(self.patch(ref))
            if reason is None or (reason == BLANK and keeps_blank):
                kept.append(ref)
            else:
                dropped[reason] += 1
        return dataclasses.replace(found, refs=kept, dropped=dropped)

    def _check_square(self) -> None:
        height, width = self.picture.shape
        if self.config.stored_size is not None and height != width:
            raise UnusableImage(
                "A picture must be square where patch_size is 0 and stored_size is "
                f"set, got size={width}×{height}. Set stored_size: null, or a "
                "patch_size."
            )


def parts_of(config: SetConfig, image: ImageSource) -> list[Part]:
    """A picture in parts: one, or the bands of a slide that fit the memory."""
    if not is_slide(image.path):
        return [Part(image)]
    try:
        with open_picture(image.path, max_pixels=config.max_pixels) as slide:
            view = View(config, image, slide)
    except UnusableImage:
        # The worker that opens it says so, in its turn.
        return [Part(image)]
    if not view.side:
        return [Part(image)]
    rows = len(set(view.origins()[:, 1].tolist()))
    band = max(1, _PART_PIXELS // (view.stride * slide.shape[1]))
    return [Part(image, first, band) for first in range(0, max(rows, 1), band)]
