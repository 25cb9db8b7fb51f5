"""Files that may not be the pictures that are meant: copies, masks, shared maps."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from data_prep.config.sources import SourceConfig
from data_prep.sources.image_source import ImageSource
from gastric_keras.records.folders import list_files
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import few

#: What programs add to the name of a picture for its mask, a small view or a copy.
_ADDED = re.compile(
    r"(.+?)(?:[ _.-]*(?:masks?|labels?|seg|segmentation|gt|annotations?|anno|overlay|"
    r"contours?|thumb|thumbnail|preview|copy|kopie|copie)\d*|[ _]?\(\d+\)|"
    r" - (?:copy|kopie|copie)(?: \(\d+\))?)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?:copy of|kopie von|copie de|mask_|thumb_) ?(.+)", re.IGNORECASE
)
#: Folders of such files.
_FOLDERS = frozenset(
    "mask masks overlay overlays thumb thumbs thumbnail thumbnails preview previews "
    "thumb_cache".split()
)


def check_names(paths: Iterable[str], root: str, ledger: Ledger) -> None:
    """Warn of pictures that look like masks, small views or copies of others.

    Args:
        paths: of the pictures, with slashes.
        root: the folder that they lie in.
        ledger: is told.
    """
    suffixes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(set(paths)):
        suffixes[os.path.splitext(path)[0]].append(path)
    several = [" and ".join(group) for group in suffixes.values() if len(group) > 1]
    if several:
        ledger.warn(
            f"{len(several)} times pictures in {root} differ in their suffix alone: "
            f"{few(several)}. If they are the same picture, list one of each in an "
            "index."
        )
    derived = [path for stem in suffixes for path in _derived(stem, suffixes)]
    if derived:
        ledger.warn(
            f"{len(derived)} pictures in {root} look like masks, small views or copies "
            f"of others: {few(derived)}. If they are, move them away or list the "
            "others in an index."
        )


def _derived(stem: str, suffixes: dict[str, list[str]]) -> Sequence[str]:
    """The pictures of a stem, if another picture's name is in it; else none."""
    folder, name = os.path.split(stem)
    if not _FOLDERS.isdisjoint(part.casefold() for part in PurePosixPath(folder).parts):
        return suffixes[stem]
    matches = (_ADDED.fullmatch(name), _BEFORE.fullmatch(name))
    others = {os.path.join(folder, match[1]) for match in matches if match}
    return suffixes[stem] if others & suffixes.keys() else ()


def count_unused_maps(
    source: SourceConfig,
    images: Sequence[ImageSource],
    suffixes: tuple[str, ...],
    ledger: Ledger,
) -> None:
    """Count the region maps of no picture.

    Args:
        source: of the pictures.
        images: that were found.
        suffixes: of region maps.
        ledger: is told of maps that belong to no picture.
    """
    used = {image.annotation for image in images if image.annotation}
    if used and source.annotations and source.layout is None:
        root = Path(source.annotations)
        known = {os.path.realpath(path) for path in used}
        known |= {os.path.realpath(image.path) for image in images}
        found = list_files(root, suffixes, Ledger(), beside=())
        ledger.left_out["region maps of no picture"] += sum(
            os.path.realpath(root / path) not in known for path in found
        )
