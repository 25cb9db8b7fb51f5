"""Region maps that several pictures share, by their name or by their bytes."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

from data_prep.config.sources import SourceConfig
from data_prep.sources.image_source import ImageSource
from data_prep.sources.region_maps import is_label_mask
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import few
from gastric_keras.support.errors import InputError

#: An id, as QuPath gives each of its objects.
_ID = re.compile(rb"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
#: Less than this are a few boxes.
_DRAWN_BYTES = 4000
#: Pictures whose region maps are one file, or equal files.
_Group = list[tuple[Path, str]]


def check_shared_maps(
    images: Sequence[ImageSource], sources: Sequence[SourceConfig], ledger: Ledger
) -> None:
    """Warn of pictures with one region map, or refuse them where none named it.

    Pictures of equal name in two folders find one map by their name. Of outlines,
    equal files are a copy where they have ids or many corners: two hands never draw
    the same, and simple boxes may well be equal.

    Args:
        images: of all sources.
        sources: by their position.
        ledger: is told.

    Raises:
        InputError: a map that was found for several pictures by its name.
    """
    mapped = [
        (image.annotation, image) for image in images if image.annotation is not None
    ]
    for group in _groups((path, path, image.image_id) for path, image in mapped):
        ids = few(name for _, name in group)
        first = next(i for _, i in mapped if i.image_id == group[0][1])
        if _is_found_by_name(sources[first.source]):
            raise InputError(
                "A region map that is found by the name of its picture must belong to "
                f"one picture, got {group[0][0]} for {ids}. Put the maps into "
                "folders like those of the pictures, or name them in a column of the "
                "index (columns.annotation)."
            )
        ledger.warn(
            f"one region map for {len(group)} pictures: {group[0][0]} for {ids}."
        )
    once = {path: image.image_id for path, image in mapped if not is_label_mask(path)}
    sized = _groups((path.stat().st_size, path, name) for path, name in once.items())
    alike = [entry for group in sized for entry in group]
    for group in _groups((_print_of(path), path, name) for path, name in alike):
        ledger.warn(
            f"{len(group)} pictures with the same outlines, in files of equal bytes: "
            f"{few(name for _, name in group)}. Was one exported under two names?"
        )


def _groups(entries: Iterable[tuple[Hashable, Path, str]]) -> list[_Group]:
    """Entries of equal keys, where there are several, in order."""
    found: dict[Hashable, _Group] = defaultdict(list)
    for key, path, name in entries:
        found[key].append((path, name))
    return [group for group in found.values() if len(group) > 1]


def _print_of(path: Path) -> Hashable:
    """Equal for copies; that of a file of mere boxes is its own."""
    data = path.read_bytes()
    is_drawn = len(data) >= _DRAWN_BYTES or _ID.search(data)
    return hashlib.blake2b(data).digest() if is_drawn else path


def _is_found_by_name(source: SourceConfig) -> bool:
    return source.layout is None and not source.columns.annotation
