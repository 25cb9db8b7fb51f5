"""The region map of one picture: a label mask, or outlines and what is told of them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import TissueSetConfig
from data_prep.sets.found import Found
from data_prep.sets.view import View
from data_prep.sources.class_names import NOTHING
from data_prep.sources.outline_conflicts import find_conflicts
from data_prep.sources.outline_places import PlaceCheck, place_regions, turn_regions
from data_prep.sources.outlines import spell_counts
from data_prep.sources.region_maps import mark_regions, read_label_map, settle
from data_prep.sources.regions import Regions, read_regions
from gastric_keras.imaging.orientation import turn_upright
from gastric_keras.imaging.pillow import UnusableImage

#: A scale that a file names and that of its picture may differ by this much.
_SCALE_SLACK = 1.2


class MaskMap:
    """A label mask.

    Args:
        view: of its picture.
        path: of the mask.
        orientation: by which the mask is turned to lie on the picture.
    """

    def __init__(self, view: View, path: Path, orientation: int) -> None:
        config, source = view.config, view.source
        x, _, width, _ = view.picture.bounds
        self._columns = slice(x, x + width)
        shape = view.picture.shape
        drawn, self._values = read_label_map(
            path,
            shape if orientation < 5 else shape[::-1],
            classes=config.classes,
            mask_values=source.mask_values,
            bounds=view.picture.bounds,
        )
        settled = settle(drawn, source.unannotated, config.classes)
        self._map = turn_upright(settled, orientation)

    def window(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Class map between two rows of the picture, as wide as its bounds."""
        return self._map[top:bottom, self._columns]

    def told(self, found: Found) -> Found:
        """The same with the number of pixels of each value."""
        return dataclasses.replace(found, mask_values=self._values)


class OutlineMap:
    """Outlines, in px of their picture.

    Args:
        view: of the picture.
        path: of the file.
        orientation: by which the outlines are turned to lie on the picture.

    Raises:
        UnusableImage: not such a file.
        InputError: an unknown class.
    """

    def __init__(self, view: View, path: Path, orientation: int) -> None:
        self.view, self.path = view, path
        labels = {**view.config.labels, **view.source.labels}
        placed, self._origin = _placed(
            path,
            tuple(view.config.classes),
            tuple(sorted(labels.items())),
            view.source.annotation_origin,
            view.picture.bounds[:2],
            _state(path),
        )
        self._regions = turn_regions(placed, view.picture.shape, orientation)

    def window(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Class map between two rows of the picture, as wide as its bounds."""
        x, _, width, _ = self.view.picture.bounds
        marked = mark_regions(self._regions, (bottom - top, width), offset=(x, top))
        return settle(marked, self.view.source.unannotated, self.view.config.classes)

    def told(self, found: Found) -> Found:
        """The same with the numbers of outlines, and what is wrong with them.

        Raises:
            UnusableImage: no outline lies in the picture, and ``unannotated`` would
                take all of it.
        """
        check = PlaceCheck(
            self._regions,
            self.view.picture,
            classes=self.view.config.classes,
            origin=self._origin,
            mpp=self.view.mpp,
        )
        faults = list(check.find_faults())
        is_lost = not check.inside or check.is_in_shares
        if self.view.source.unannotated is not None and is_lost:
            self._set_aside(faults)
        faults += find_conflicts(self._regions.drawn, self.view.config.classes)
        faults += self._too_small(sum(area.area for area in check.areas))
        regions = self._regions
        counts = Counter({"read": len(check.areas)})
        counts["mapped to ignore"] = len(regions.left_out)
        counts["hole"] = sum(number == NOTHING for number, _ in regions.drawn)
        for kind, number in regions.passed_over.items():
            counts[f"passed over: {kind}"] = number
        counts += regions.guessed
        if self._origin:
            counts[f"counted from the {_ORIGINS[self._origin]}"] = counts["read"]
        said = [f"{self.path.name}: {words}" for words in [*self._guesses(), *faults]]
        return dataclasses.replace(
            found, outlines=+counts, warnings=[*found.warnings, *said]
        )

    def _too_small(self, area: float) -> Iterator[str]:
        """Whether all outlines together are smaller than one patch."""
        config, side = self.view.config, self.view.side
        assert isinstance(config, TissueSetConfig)
        least = config.rules.min_coverage * side**2
        if self.view.source.unannotated is None and 0 < area < least:
            yield (
                f"all outlines together have {area:.4g} px², less than a patch of "
                f"{side}×{side} px, so the picture gives no patch"
            )

    def _set_aside(self, faults: list[str]) -> None:
        passed = spell_counts(self._regions.passed_over)
        unannotated = self.view.source.unannotated
        raise UnusableImage(
            "A region map must have an outline inside its picture where unannotated "
            f"is set, got {self.path}: {'; '.join(faults).rstrip('?')}"
            + (f" ({passed} passed over). " if passed else ". ")
            + f"Outline what is {unannotated} too, or leave the picture out."
        )

    def _guesses(self) -> Iterator[str]:
        if self._regions.passed_over:
            yield f"{spell_counts(self._regions.passed_over)} passed over"
        guessed = self._regions.guessed
        # What QuPath itself means by a derived class is counted, and no warning.
        names = {words: guessed[words] for words in guessed if "its name" in words}
        if names:
            yield spell_counts(names)
        given, own = self._regions.mpp, self.view.mpp
        if given and own and max(given / own, own / given) > _SCALE_SLACK:
            yield (
                f"the file says {given:.4g} µm/px, its picture {own:.4g}: the outlines "
                f"may have to be multiplied by {given / own:.3g}"
            )


#: What an origin is called.
_ORIGINS = {"bounds": "bounds of their slide", "slide": "corner of their slide"}


def _state(path: Path) -> tuple[int, ...]:
    """What tells that a file changed; what is wrong with it is said by its reader."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1)
def _placed(
    path: Path,
    classes: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    origin: str,
    corner: tuple[int, int],
    state: tuple[int, ...],
) -> tuple[Regions, str]:
    # The bands of a slide share one map, which may hold a million corners.
    regions = read_regions(path, classes=classes, labels=dict(labels))
    return place_regions(regions, corner, origin=origin)
