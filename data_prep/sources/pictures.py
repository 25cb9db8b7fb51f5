"""Which pictures a set is made of: an index, a folder or a public layout, checked."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.config.layouts import Kind, class_of, find_layout, walk_layout
from data_prep.config.sets import SetConfig, SourceConfig
from data_prep.sources.index import Need, read_index
from gastric_keras.imaging.images import SUFFIXES as PICTURE_SUFFIXES
from gastric_keras.imaging.slides import SLIDE_SUFFIXES
from gastric_keras.records.manifest import SPLITS
from gastric_keras.support.errors import InputError

#: Pictures and whole slides.
SUFFIXES = (*PICTURE_SUFFIXES, *SLIDE_SUFFIXES)
ANNOTATION_SUFFIXES = (".geojson", ".json", ".xml", ".png")


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
            _read_source(config, position, need, allow_ungrouped),
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
    config: SetConfig, position: int, need: Need, allow_ungrouped: bool
) -> Iterator[ImageSource]:
    source = config.sources[position]
    root = Path(source.images)
    if not source.images or not os.path.isdir(root):
        raise InputError(
            "A folder of pictures was expected. Received: "
            f"images={source.images or None}. Give --images DIR, or mend "
            f"sources[{position}].images."
        )
    prefix = f"{source.name}/" if source.name else ""
    has_labels = need == "annotation" and source.whole_patch_labels
    asked: Need = "label" if has_labels else need
    if source.layout is not None:
        entries = _walk_layout(source, need, {**config.labels, **source.labels})
    elif source.index is not None:
        entries = read_index(source, asked)
    else:
        entries = _walk(source)
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
            label=entry["label"] if asked == "label" else None,
            annotation=_annotation(source, entry) if asked == "annotation" else None,
            split=_split(source, entry["split"]),
            is_grouped=bool(case),
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


def _walk_layout(
    source: SourceConfig, need: Need, labels: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    assert source.layout is not None
    layout = find_layout(source.layout)
    kind: Kind = "tissue" if need == "annotation" else "target"
    needs_map = need == "annotation" and layout.mask_folder is not None
    explained = {name.lower() for name in labels}
    unmasked = 0
    for found in walk_layout(source.layout, source.images, SUFFIXES):
        label = found.folder
        if needs_map or need == "nothing":
            label = ""
        elif label.lower() not in explained:
            label = class_of(source.layout, label, kind)
        if needs_map and not found.annotation:
            unmasked += 1
            if unmasked > layout.unmasked:
                raise _without_map(source, found.path, layout.unmasked)
            continue
        yield {
            "path": found.path,
            "case": _case_in(source, found.path),
            "label": label,
            "annotation": found.annotation,
            "split": "",
        }


def _without_map(source: SourceConfig, path: str, published: int) -> InputError:
    return InputError(
        f"A region map for every picture of {source.layout} but {published} was "
        f"expected. Received: images={source.images}, picture={path}: none. Unpack "
        "the whole archive."
    )


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
    wanted = (
        "The case (patient) of every picture was expected, since pictures of one case "
        f"in two splits make every score too good. Received: image={image_id}, "
    )
    if source.layout is not None:
        return InputError(
            f"{wanted}layout={source.layout}, whose file names do not tell the case. "
            "Give case_pattern in the config if yours do, or type --allow-ungrouped to "
            "take each picture for a case of its own."
        )
    return InputError(
        f"{wanted}index={source.index}, case column={source.columns.case!r}. Give an "
        "index with that column (--cases index.csv), or case_pattern in the config, or "
        "type --allow-ungrouped to take each picture for a case of its own."
    )


def _inside(root: Path, name: str, what: str) -> Path:
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(os.path.normpath(root)):
        raise InputError(
            f"A {what} inside {root} was expected. Received: path={name}. Write paths "
            "relative to that folder, or name a folder that holds them all."
        )
    # os.path, since Path raises where the name is too long for the disk.
    if not os.path.isfile(path):
        raise InputError(
            f"A {what} was expected at {path}. Received: path={name}, no such file. "
            "Mend the index, or leave its row out with where."
        )
    return path


def _annotation(source: SourceConfig, entry: dict[str, str]) -> Path:
    if source.layout is not None:
        return _inside(Path(source.images), entry["annotation"], "region map")
    root = Path(source.annotations or source.images)
    if not os.path.isdir(root):
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
        if os.path.isfile(path := base.with_name(base.name + suffix))
        and path.resolve() != (Path(source.images) / entry["path"]).resolve()
    }
    if len(found) != 1:
        raise InputError(
            f"One region map {stem.name}.geojson, .json, .xml or .png in {root} was "
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
