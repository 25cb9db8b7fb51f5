"""Which pictures a set is made of: an index CSV or a folder, checked at the door."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from data_prep.config import SetConfig, SourceConfig
from data_prep.images import SUFFIXES
from gastric_keras.errors import InputError
from gastric_keras.records import SPLITS

#: What a set needs to know of each picture beside its pixels and its case.
Need = Literal["annotation", "label", "nothing"]

ANNOTATION_SUFFIXES = (".geojson", ".json", ".png")


@dataclass(frozen=True)
class ImageSource:
    """One picture and what is known of it.

    Attributes:
        path: the file.
        image_id: its path below the source's folder, after the source's name.
        case_id: the patient; the image itself where cases are unknown.
        source: position in the config's ``sources``.
        label: class name as the data spell it, or None.
        annotation: region map, or None.
        split: train, validation or test where the index fixes it, or None.
        is_grouped: whether the case is known.
    """

    path: Path
    image_id: str
    case_id: str
    source: int = 0
    label: str | None = None
    annotation: Path | None = None
    split: str | None = None
    is_grouped: bool = True


def read_sources(
    config: SetConfig, need: Need, *, allow_ungrouped: bool = False
) -> list[ImageSource]:
    """List the pictures of every source, ordered by source and image id.

    Args:
        config: its ``sources`` say where and how.
        need: what each picture must come with.
        allow_ungrouped: take each picture of unknown case for a case of its own.

    Returns:
        The pictures; every file named is there.

    Raises:
        InputError: a missing file or column, a path that leaves its folder, a
            repeated picture, no pictures, an unknown case or split, or a fixed split
            that parts a case.
    """
    if not config.sources:
        raise InputError(
            "A source of pictures was expected. Received: sources=(). Give --images "
            "DIR, or list sources in the config."
        )
    images: list[ImageSource] = []
    for position, source in enumerate(config.sources):
        found = sorted(
            _read_source(source, position, need, allow_ungrouped),
            key=lambda image: image.image_id,
        )
        if not found:
            raise InputError(
                f"Pictures ({', '.join(SUFFIXES)}) were expected. Received: "
                f"images={source.images}, index={source.index}, where={source.where}: "
                "none. Check the folder, the index and its where filter."
            )
        images.extend(found)
    _check_unique(images)
    _check_fixed_splits(images)
    return images


def _read_source(
    source: SourceConfig, position: int, need: Need, allow_ungrouped: bool
) -> Iterator[ImageSource]:
    root = Path(source.images)
    if not source.images or not root.is_dir():
        raise InputError(
            "A folder of pictures was expected. Received: "
            f"images={source.images or None}. Give --images DIR, or mend "
            f"sources[{position}].images."
        )
    prefix = f"{source.name}/" if source.name else ""
    entries = _walk(source) if source.index is None else _read_index(source, need)
    for entry in entries:
        image_id = prefix + Path(os.path.normpath(entry["path"])).as_posix()
        case = entry["case"]
        if not case and not allow_ungrouped:
            raise _unknown_case(source, image_id)
        yield ImageSource(
            path=_inside(root, entry["path"], "picture"),
            image_id=image_id,
            case_id=prefix + case if case else image_id,
            source=position,
            label=entry["label"] if need == "label" else None,
            annotation=_annotation(source, entry) if need == "annotation" else None,
            split=_split(source, entry["split"]),
            is_grouped=bool(case),
        )


def _read_index(source: SourceConfig, need: Need) -> Iterator[dict[str, str]]:
    path = Path(source.index or "")
    columns = source.columns
    wanted = {"path": columns.path, "split": columns.split}
    wanted["label"] = columns.label if need == "label" else None
    wanted["annotation"] = columns.annotation if need == "annotation" else None
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = csv.DictReader(stream)
            header = list(rows.fieldnames or ())
            # Without its column the case is unknown; read_sources says what to do.
            wanted["case"] = columns.case if columns.case in header else None
            _check_columns(path, header, [*wanted.values(), *source.where])
            for number, row in enumerate(rows, start=2):
                if any(row[name] not in kept for name, kept in source.where.items()):
                    continue
                entry = {
                    key: (row[name] or "").strip() if name else ""
                    for key, name in wanted.items()
                }
                _check_row(path, number, entry, need, columns.label)
                yield entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"An index CSV in UTF-8 was expected. Received: index={path} ({error}). "
            "Check the path, or save it as CSV UTF-8."
        ) from error


def _check_columns(path: Path, header: list[str], wanted: Sequence[str | None]) -> None:
    missing = [name for name in wanted if name and name not in header]
    if missing:
        raise InputError(
            f"An index with the columns {', '.join(missing)} was expected. Received: "
            f"{path} with columns {', '.join(header) or '(none)'}. Rename them there, "
            "or name yours under columns in the config."
        )


def _check_row(
    path: Path, number: int, entry: dict[str, str], need: Need, label_column: str
) -> None:
    if not entry["path"] or (need == "label" and not entry["label"]):
        raise InputError(
            f"A path{' and a ' + label_column if need == 'label' else ''} in every row "
            f"was expected. Received: {path}, line {number}: path={entry['path']!r}, "
            f"label={entry['label']!r}. Fill it in, or leave the row out with where."
        )


def _walk(source: SourceConfig) -> Iterator[dict[str, str]]:
    root = Path(source.images)
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        relative = path.relative_to(root)
        yield {
            "path": relative.as_posix(),
            "case": _case_in(source, relative.as_posix()),
            # In a folder of classes the first folder is the class.
            "label": relative.parts[0] if len(relative.parts) > 1 else "",
            "annotation": "",
            "split": "",
        }


def _case_in(source: SourceConfig, path: str) -> str:
    if source.case_pattern is None:
        return ""
    try:
        match = re.search(source.case_pattern, path)
        case = match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise InputError(
            "A regular expression with one group was expected. Received: "
            f"case_pattern={source.case_pattern!r} ({error}). "
            r"Example: case_pattern: '(case-\d+)'"
        ) from error
    if not case:
        raise InputError(
            f"A path that holds the case was expected. Received: {path}, "
            f"case_pattern={source.case_pattern!r}. Mend the pattern or the name."
        )
    return case


def _unknown_case(source: SourceConfig, image_id: str) -> InputError:
    return InputError(
        "The case (patient) of every picture was expected, since pictures of one case "
        f"in two splits make every score too good. Received: image={image_id}, "
        f"index={source.index}, case column={source.columns.case!r}. Give an index "
        "with that column (--cases index.csv), or case_pattern in the config, or type "
        "--allow-ungrouped to take each picture for a case of its own."
    )


def _inside(root: Path, name: str, what: str) -> Path:
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"A {what} inside {root} was expected. Received: path={name}. Write paths "
            "relative to that folder, or name a folder that holds them all."
        )
    if not path.is_file():
        raise InputError(
            f"A {what} was expected at {path}. Received: path={name}, no such file. "
            "Mend the index, or leave its row out with where."
        )
    return path


def _annotation(source: SourceConfig, entry: dict[str, str]) -> Path:
    root = Path(source.annotations or source.images)
    if not root.is_dir():
        raise InputError(
            "A folder of region maps was expected. Received: "
            f"annotations={source.annotations}. Give --annotations DIR."
        )
    if source.columns.annotation:
        return _inside(root, entry["annotation"], "region map")
    stem = Path(entry["path"]).with_suffix("")
    # The map may lie beside its picture's own subfolder or flat in the folder.
    found = {
        path
        for base in (root / stem, root / stem.name)
        for suffix in ANNOTATION_SUFFIXES
        if (path := base.with_name(base.name + suffix)).is_file()
        and path.resolve() != (Path(source.images) / entry["path"]).resolve()
    }
    if len(found) != 1:
        raise InputError(
            f"One region map {stem.name}.geojson, .json or .png in {root} was "
            f"expected. Received: {', '.join(sorted(map(str, found))) or 'none'}. Name "
            "the maps like their pictures, or give columns.annotation in the config."
        )
    return found.pop()


def _split(source: SourceConfig, value: str) -> str | None:
    if source.columns.split is None or (not value and not source.splits):
        return None
    split = source.splits.get(value, value)
    if split not in SPLITS:
        raise InputError(
            f"A split among {', '.join(SPLITS)} was expected. Received: "
            f"{source.columns.split}={value!r} in {source.index}. Map it, splits: "
            f"{{{value}: train}}, or leave such rows out, where: "
            f"{{{source.columns.split}: [...]}}."
        )
    return split


def _check_unique(images: Sequence[ImageSource]) -> None:
    for key in ("path", "image_id"):
        values = Counter(str(getattr(image, key)) for image in images)
        value, times = values.most_common(1)[0]
        if times > 1:
            raise InputError(
                f"Every picture once was expected. Received: {key}={value}, "
                f"{times} times. Remove the repeated rows; two collections with equal "
                "file names need a name each, sources: [{name: …}]."
            )


def _check_fixed_splits(images: Sequence[ImageSource]) -> None:
    split_of: dict[str, str] = {}
    for image in images:
        if image.split and split_of.setdefault(image.case_id, image.split) != (
            image.split
        ):
            raise InputError(
                "Each case in one split was expected. Received: "
                f"case={image.case_id} in {split_of[image.case_id]} and {image.split}. "
                "Mend the split column, or leave it out and let the cases be drawn."
            )
