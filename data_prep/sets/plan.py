"""Which patches a set will hold, before any is cut: their split and their place."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from data_prep.config.sets import SetConfig
from data_prep.sets import splits
from data_prep.sets.found import Pictures
from data_prep.sets.patches import PatchRef
from data_prep.sources.pictures import ImageSource
from gastric_keras.records.manifest import SPLITS
from gastric_keras.records.schema import record_key
from gastric_keras.records.spelling import near_equal
from gastric_keras.records.subsets import nested_rank

#: Patches that are cut in one go, of one picture or several: their bytes are in
#: memory together, and neither a slide nor a thousand of them may fill it.
_MAX_REFS = 1024


@dataclasses.dataclass(frozen=True)
class PlannedImage:
    """The patches that one picture gives.

    Attributes:
        path: the file.
        image_id: its name in the records.
        case_id: the patient.
        split: where its case went.
        patch_size: side of the patches in px; 0 takes the whole picture.
        mpp: µm per px of the picture; 0.0 is not known.
        refs: the patches.
        positions: place of each in the order of the whole set, as the writer fills
            it in.
    """

    path: Path
    image_id: str
    case_id: str
    split: str
    patch_size: int
    mpp: float
    refs: tuple[PatchRef, ...]
    positions: tuple[int, ...] = ()

    def key(self, ref: PatchRef) -> str:
        """The record key of one of the patches."""
        return record_key(self.image_id, ref.x, ref.y)


def plan_images(config: SetConfig, found: Pictures) -> list[PlannedImage]:
    """Give every picture with patches the split of its case.

    Cases whose names are near-equal may be one patient: they are drawn as one.
    """
    unit_of = _units(image for image, _ in found)
    counts = splits.count_by_case(
        (unit_of[image.case_id], ref.label)
        for image, seen in found
        for ref in seen.refs
    )
    fixed = {image.case_id: image.split for image, _ in found if image.split}
    split_of = splits.assign_splits(
        counts,
        config=config.splits,
        num_classes=len(config.classes),
        fixed={unit_of[case]: split for case, split in fixed.items()},
    )
    plan = []
    for image, seen in found:
        if seen.refs:
            plan.append(
                PlannedImage(
                    path=image.path,
                    image_id=image.image_id,
                    case_id=image.case_id,
                    split=fixed.get(image.case_id, split_of[unit_of[image.case_id]]),
                    patch_size=seen.side,
                    mpp=seen.mpp,
                    refs=tuple(seen.refs),
                )
            )
    return plan


def _units(images: Iterable[ImageSource]) -> dict[str, str]:
    """case -> the first of the cases whose names are near-equal to its own."""
    images = list(images)
    units = {image.case_id: image.case_id for image in images}
    for group in near_equal({image.case_id for image in images if image.is_grouped}):
        units |= dict.fromkeys(group, group[0])
    return units


def count_patches(
    plan: Iterable[PlannedImage], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """split -> class -> number of planned patches, zeros included."""
    counts = Counter((image.split, ref.label) for image in plan for ref in image.refs)
    present = {split for split, _ in counts}
    return {
        split: {name: counts[split, label] for label, name in enumerate(classes)}
        for split in SPLITS
        if split in present
    }


def cases_of(plan: Iterable[PlannedImage]) -> dict[str, tuple[str, ...]]:
    """split -> its cases, in order; no split that is empty."""
    found: dict[str, set[str]] = {split: set() for split in SPLITS}
    for image in plan:
        found[image.split].add(image.case_id)
    return {split: tuple(sorted(cases)) for split, cases in found.items() if cases}


def placed(plan: Sequence[PlannedImage]) -> list[PlannedImage]:
    """Every patch with its place in the set; pictures in parts that fit the memory."""
    keys: dict[str, list[str]] = {split: [] for split in SPLITS}
    for image in plan:
        keys[image.split].extend(image.key(ref) for ref in image.refs)
    places: dict[str, int] = {}
    for entries in keys.values():
        # The key itself settles what two equal ranks would leave open.
        for key in sorted(entries, key=lambda key: (nested_rank(key), key)):
            places[key] = len(places)
    placed = []
    for image in plan:
        for start in range(0, len(image.refs), _MAX_REFS):
            refs = image.refs[start : start + _MAX_REFS]
            positions = tuple(places[image.key(ref)] for ref in refs)
            placed.append(dataclasses.replace(image, refs=refs, positions=positions))
    return placed


def share_of_bundle(image: PlannedImage) -> float:
    """Part of what may be cut in one go that a picture takes."""
    return len(image.refs) / _MAX_REFS
