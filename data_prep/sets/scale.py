"""What is doubtful of the scale of a set: said where it is made and where sets meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.config.sets import SetConfig
from data_prep.sets.found import Found, Pictures
from gastric_keras.imaging.scale import USUAL_MPP, is_usual
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.records.treatment import meeting_warnings, treatment_of

#: Ratio of the scales of one source: pictures of one objective differ by less.
_MOST_SPREAD = 1.5
#: The same where patches of equal µm even it out: ×10 beside ×40.
_MOST_SPREAD_IN_UM = 4.0
#: Patches of widths up to this ratio show equal areas.
_SAME_WIDTH = 1.05


def tell_scales(config: SetConfig, found: Pictures, ledger: Ledger) -> None:
    """Warn of what is doubtful of the scales of a set, and count the unknown ones.

    Args:
        config: of the set.
        found: its pictures.
        ledger: keeps both.
    """
    if unknown := sum(not seen.mpp for _, seen in found if seen.refs):
        ledger.assumed["pictures of unknown scale: one scale in each source"] += unknown
    for doubt in scale_doubts(config, found):
        ledger.warn(doubt)


def scale_doubts(config: SetConfig, found: Pictures) -> Iterator[str]:
    """What is doubtful of the pictures of a set.

    Args:
        config: of the set.
        found: its pictures; those that give no patch are not looked at.

    Yields:
        A sentence or two for each doubt, with the number of pictures and the first.
    """
    used = [(image, seen) for image, seen in found if seen.refs]
    odd = [
        (image.image_id, seen.impossible_mpp)
        for image, seen in used
        if seen.impossible_mpp
    ]
    if odd:
        yield (
            f"{len(odd)} pictures give a scale that no microscope has, first "
            f"{odd[0][0]} with {odd[0][1]:.4g} µm/px: their scale counts as not known. "
            "Give mpp in the config of their source."
        )
    rare = [
        (image.image_id, seen.mpp)
        for image, seen in used
        if seen.mpp and not is_usual(seen.mpp)
    ]
    if rare:
        yield (
            f"{len(rare)} pictures have a scale beyond {USUAL_MPP[0]} to "
            f"{USUAL_MPP[1]} µm/px, first {rare[0][0]} with {rare[0][1]:.4g} µm/px. "
            "Pathology scanners give 0.25 (×40) or 0.5 (×20): compare mpp with the "
            "scanner, a factor of ten is easily lost."
        )
    by_source: dict[int, list[tuple[str, Found]]] = defaultdict(list)
    for image, seen in used:
        by_source[image.source].append((image.image_id, seen))
    for source, pictures in sorted(by_source.items()):
        yield from _spread(config, config.sources[source].images, pictures)
    # A picture taken whole counts as one wide.
    widths = {seen.mpp * (seen.side or 1) for _, seen in used if seen.mpp}
    if widths and max(widths) > _SAME_WIDTH * min(widths):
        yield (
            "the pictures differ in mpp or patch_size, so that their patches show "
            f"unequal areas of tissue, by a factor of {max(widths) / min(widths):.3g} "
            "in width. Use patch_um in place of patch_size."
        )
    squeezed = count_not_square(found)
    if squeezed:
        yield (
            f"{squeezed} pictures that are taken whole (patch_size 0) are not square: "
            "the network sees them squeezed to squares. Set a patch_size."
        )


def _spread(
    config: SetConfig, source: str, pictures: Sequence[tuple[str, Found]]
) -> Iterator[str]:
    scales = {seen.mpp: name for name, seen in reversed(pictures)}
    unknown = sum(not seen.mpp for _, seen in pictures)
    if 0 < unknown < len(pictures):
        yield (
            f"the scale of {unknown} of the {len(pictures)} pictures of {source} is "
            f"not known, first {scales[0.0]}: their patches may show another area. "
            "Give mpp in the config of that source."
        )
    known = sorted(mpp for mpp in scales if mpp)
    most = _MOST_SPREAD if config.patch_um is None else _MOST_SPREAD_IN_UM
    if known and known[-1] > most * known[0]:
        yield (
            f"the scale within {source} goes from {known[0]:.4g} µm/px "
            f"({scales[known[0]]}) to {known[-1]:.4g} µm/px ({scales[known[-1]]}). "
            "Give each scale its own source, or patch_um in place of patch_size."
        )


def count_not_square(found: Pictures) -> int:
    """Patches whose sides differ: whole pictures that are stored as they are."""
    return sum(len(seen.refs) for _, seen in found if not seen.is_square)


def doubts_where_sets_meet(folders: Sequence[str]) -> list[str]:
    """What is doubtful of sets that one run would use together.

    Args:
        folders: of sets; other folders, as of pictures, are passed over.
    """
    made = {
        folder: treatment_of(read_manifest(folder))
        for folder in folders
        if (Path(folder) / MANIFEST_NAME).is_file()
    }
    return list(meeting_warnings(made))
