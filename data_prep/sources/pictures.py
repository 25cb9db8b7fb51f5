"""Which pictures a set is made of: an index, a folder or a public layout, checked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data_prep.config.layouts import Kind, class_of, find_layout, lay_out
from data_prep.config.sets import SetConfig, SourceConfig
from data_prep.sources.cases import check_cases, check_fixed_splits, unknown_case
from data_prep.sources.image_source import ImageSource
from data_prep.sources.index import Need, check_without_index, columns_of, read_index
from data_prep.sources.look_alikes import check_names, count_unused_maps
from data_prep.sources.shared_maps import check_shared_maps
from data_prep.sources.split_column import check_folders, guess_splits
from data_prep.sources.unused_columns import patient_columns
from gastric_keras.imaging.slides import SUFFIXES
from gastric_keras.records.cases import case_in, check_pattern, known_case
from gastric_keras.records.folders import Finder, list_files
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.manifest import SPLITS
from gastric_keras.records.spelling import clean, is_empty_like, spelled
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import override

ANNOTATION_SUFFIXES = (".geojson", ".json", ".xml", ".png")


def read_sources(
    config: SetConfig,
    need: Need,
    *,
    allow_ungrouped: bool = False,
    ledger: Ledger | None = None,
) -> list[ImageSource]:
    """List the pictures of every source, ordered by source and image id.

    Args:
        config: its ``sources`` say where and how.
        need: what each picture must come with.
        allow_ungrouped: count each picture of unknown case as its own case.
        ledger: is told what was read, left out and assumed.

    Returns:
        The pictures; every file named is there.

    Raises:
        InputError: a missing file or column, a path that leaves its folder, a
            repeated picture, no pictures, an unknown case or split, or a fixed split
            that parts a case.
    """
    ledger = Ledger() if ledger is None else ledger
    if not config.sources:
        raise InputError(
            "A set must have a source of pictures, got sources=(). Give --images DIR, "
            "or list sources in the config."
        )
    images: list[ImageSource] = []
    for position, source in enumerate(config.sources):
        found = sorted(
            _read_source(config, position, need, allow_ungrouped, ledger),
            key=lambda image: image.image_id,
        )
        if not found:
            raise InputError(
                f"A source must have pictures ({', '.join(SUFFIXES)}), got "
                f"images={source.images}, index={source.index}, where={source.where}: "
                "none. Check the folder, the index and its where filter."
            )
        images.extend(found)
        root = os.path.normpath(source.images)
        paths = [image.path.relative_to(root).as_posix() for image in found]
        if source.columns.split is None:
            check_folders(paths, source.images, ledger)
        check_names(paths, source.images, ledger)
        check_pattern(source.case_pattern, paths, ledger)
        count_unused_maps(source, found, ANNOTATION_SUFFIXES, ledger)
    _check_unique(images)
    check_cases(images, ledger)
    check_fixed_splits(images, ledger)
    check_shared_maps(images, config.sources, ledger)
    ledger.read["pictures"] += len(images)
    ledger.assumed["pictures of unknown case, each its own case"] += sum(
        not image.is_grouped for image in images
    )
    return images


def _read_source(
    config: SetConfig,
    position: int,
    need: Need,
    allow_ungrouped: bool,
    ledger: Ledger,
) -> Iterator[ImageSource]:
    source = config.sources[position]
    root = Path(source.images)
    if not source.images or not os.path.isdir(root):
        raise InputError(
            "images must be a folder of pictures, got "
            f"images={source.images or None}. Give --images DIR, or fix "
            f"sources[{position}].images."
        )
    prefix = f"{source.name}/" if source.name else ""
    has_labels = need == "annotation" and source.whole_patch_labels
    asked: Need = "label" if has_labels else need
    if source.index is None:
        check_without_index(source, position)
    if source.layout is not None:
        labels = {**config.labels, **source.labels}
        entries = [*_walk_layout(source, need, labels, ledger)]
    elif source.index is not None:
        entries = read_index(source, asked, position=position, ledger=ledger)
    else:
        entries = [*_walk(source, need, ledger)]
    splits = _splits(source, position, {entry["split"] for entry in entries})
    pictures, maps = Finder(root, ledger), _maps(source, ledger)
    for entry in entries:
        path = pictures.find(entry["path"], "picture")
        image_id = prefix + spelled(path)
        case = known_case(entry["case"], image_id, ledger)
        if not case and not allow_ungrouped:
            flags = patient_columns(source, position, columns_of(source))
            raise unknown_case(source, image_id, entry["case"], flags)
        has_map = asked == "annotation"
        yield ImageSource(
            path=pictures.root / path,
            image_id=image_id,
            case_id=prefix + spelled(case) if case else image_id,
            source=position,
            label=clean(entry["label"]) if asked == "label" else None,
            annotation=_annotation(source, entry, path, maps) if has_map else None,
            split=splits[entry["split"]],
            is_grouped=bool(case),
        )


def _walk(source: SourceConfig, need: Need, ledger: Ledger) -> Iterator[dict[str, str]]:
    beside = ANNOTATION_SUFFIXES if need == "annotation" else ()
    for path in list_files(Path(source.images), SUFFIXES, ledger, beside=beside):
        folder, *rest = path.split("/")
        yield {
            "path": path,
            "case": case_in(source.case_pattern, path),
            # In a folder of classes the first folder is the class.
            "label": folder if rest else "",
            "annotation": "",
            "split": "",
        }


def _walk_layout(
    source: SourceConfig, need: Need, labels: Mapping[str, str], ledger: Ledger
) -> Iterator[dict[str, str]]:
    assert source.layout is not None
    layout = find_layout(source.layout)
    kind: Kind = "tissue" if need == "annotation" else "target"
    needs_map = need == "annotation" and layout.mask_folder is not None
    explained = {name.lower() for name in labels}
    unmasked = 0
    paths = list_files(Path(source.images), SUFFIXES, ledger, beside=())
    for found in lay_out(source.layout, source.images, paths):
        label = found.folder
        if needs_map or need == "nothing":
            label = ""
        elif label.lower() not in explained:
            label = class_of(source.layout, label, kind)
        if needs_map and not found.annotation:
            unmasked += 1
            ledger.left_out[f"pictures of {source.layout} without a region map"] += 1
            if unmasked > layout.unmasked:
                raise _without_map(source, found.path, layout.unmasked)
            continue
        yield {
            "path": found.path,
            "case": case_in(source.case_pattern, found.path),
            "label": label,
            "annotation": found.annotation,
            "split": "",
        }


def _without_map(source: SourceConfig, path: str, published: int) -> InputError:
    return InputError(
        f"Every picture of {source.layout} but {published} must have a region map, got "
        f"images={source.images}, picture={path}: none. Unpack the whole archive."
    )


def _maps(source: SourceConfig, ledger: Ledger) -> Finder:
    """Finds the region maps that are named: by the index, or by the layout."""
    apart = source.annotations if source.layout is None else None
    return Finder(apart or source.images, ledger)


def _annotation(
    source: SourceConfig, entry: dict[str, str], path: str, maps: Finder
) -> Path:
    if source.layout is not None:
        return maps.root / maps.find(entry["annotation"], "region map")
    root = maps.root
    if not os.path.isdir(root):
        raise InputError(
            "annotations must be a folder of region maps, got "
            f"annotations={source.annotations}. Give --annotations DIR."
        )
    if source.columns.annotation:
        return root / maps.find(entry["annotation"], "region map")
    stem = Path(path).with_suffix("")
    # The map may lie beside its picture's own subfolder or flat in the folder.
    found = {
        map_path
        for base in (root / stem, root / stem.name)
        for suffix in ANNOTATION_SUFFIXES
        if os.path.isfile(map_path := base.with_name(base.name + suffix))
        and map_path.resolve() != (Path(source.images) / path).resolve()
    }
    if len(found) != 1:
        raise InputError(
            f"Each picture must have one region map {stem.name}.geojson, .json, .xml "
            f"or .png in {root}, got {', '.join(sorted(map(str, found))) or 'none'}. "
            "Name the maps like their pictures, or set columns.annotation in the "
            "config."
        )
    return found.pop()


def _splits(
    source: SourceConfig, position: int, values: set[str]
) -> dict[str, str | None]:
    """Value of the split column -> split; None where the case is drawn."""
    if not source.columns.split:
        return dict.fromkeys(values)
    given = {clean(value): split for value, split in source.splits.items()}
    splits: dict[str, str | None] = {}
    for value in values:
        split = given.get(value, value.casefold())
        is_open = is_empty_like(value) and value not in given and not given
        splits[value] = None if is_open else split
    wrong = sorted(value for value in values if splits[value] not in (None, *SPLITS))
    if wrong:
        guessed = override(
            f"sources.{position}.splits", {**given, **guess_splits(wrong)}
        )
        kept = sorted(values - {*wrong})
        where = {name: [*cells] for name, cells in source.where.items()}
        left_out = override(
            f"sources.{position}.where", {**where, source.columns.split: kept}
        )
        raise InputError(
            f"Each split must be one of {', '.join(SPLITS)}, got "
            f"{source.columns.split}={', '.join(map(repr, wrong))} in {source.index}. "
            f"Map them, such as {guessed}"
            + (f" or leave such rows out with {left_out}" if kept else "")
        )
    return splits


def _check_unique(images: Sequence[ImageSource]) -> None:
    for key in ("path", "image_id"):
        values = Counter(str(getattr(image, key)) for image in images)
        value, times = values.most_common(1)[0]
        if times > 1:
            raise InputError(
                f"Each picture must be listed once, got {key}={value}, {times} times. "
                "Remove the repeated rows; two collections with equal file names need "
                f"a name each, such as {override('sources.0.name', 'lab')}"
            )
