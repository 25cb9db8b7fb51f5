"""What pass 1 finds in a picture or a part of it, and how workers hand it over."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.config.sets import SetConfig
from data_prep.sets.patches import PatchRef
from data_prep.sources.pictures import ImageSource
from gastric_keras.imaging.images import UnusableImage


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
        impossible_mpp: scale that the file gives and no microscope has, where the
            config gives none; else 0.0.
        is_square: False where the picture is taken whole and its sides differ.
        nuclei: (count, total area in px² as stored, contrast, unevenness) of each
            patch that stays, and its MEASURES where they are asked for; empty where
            nuclei are not.
        notes: what was assumed of the picture's pixels.
        outlines: how the outlines of its region map were used -> number of them.
        mask_values: value of a label mask -> number of its pixels.
        warnings: what is probably wrong with the picture, one sentence each.
    """

    refs: list[PatchRef]
    dropped: Counter[str]
    side: int = 0
    mpp: float = 0.0
    is_normalized: bool = True
    impossible_mpp: float = 0.0
    is_square: bool = True
    nuclei: list[tuple[float, ...]] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    outlines: Counter[str] = dataclasses.field(default_factory=Counter)
    mask_values: Counter[str] = dataclasses.field(default_factory=Counter)
    warnings: list[str] = dataclasses.field(default_factory=list)


#: The pictures that could be used, with what was found in each.
Pictures = list[tuple[ImageSource, Found]]


@dataclasses.dataclass(frozen=True)
class LookAtParts:
    """Looks at a bundle of parts; picklable for the workers.

    Attributes:
        find: one of the functions of ``look``.
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
        entry["refs"] = [
            PatchRef(x, y, label, tuple(quantities))
            for x, y, label, quantities in entry["refs"]
        ]
        entry["dropped"] = Counter(entry["dropped"])
        entry["outlines"] = Counter(entry["outlines"])
        entry["mask_values"] = Counter(entry["mask_values"])
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
        outlines=first.outlines + second.outlines,
        mask_values=first.mask_values + second.mask_values,
        warnings=first.warnings + second.warnings,
    )


def assumed(found: Pictures) -> dict[str, list[str]]:
    """Note -> ids of the pictures of which that was assumed."""
    images: dict[str, list[str]] = {}
    for image, seen in found:
        for note in seen.notes:
            images.setdefault(note, []).append(image.image_id)
    return dict(sorted(images.items()))
