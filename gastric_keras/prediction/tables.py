"""The tables of predictions: by patch, by picture and by case."""

from __future__ import annotations

import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gastric_keras.heatmap.inference import answer_columns
from gastric_keras.heatmap.whole_slide import PATCHES, patch_columns
from gastric_keras.prediction.calls import Calls, ClassCalls
from gastric_keras.prediction.inputs import Input
from gastric_keras.prediction.pictures import Part, Seen, read_part
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.treatment import MOST_RATIO
from gastric_keras.serving.exported_model import ExportedModel
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_csv


@dataclass
class Found:
    """What there is to write, filled while the table of patches is written.

    Attributes:
        read: pictures and slides that were read, in the order of the table.
        set_aside: image_id -> why it was not.
        scores: of every patch, float32; of more than two classes one after the other.
        units: place in ``read`` of every patch.
        notes: what was assumed of pixels -> image ids.
        sizes: of the pictures that are one patch -> how many, the first of them.
    """

    read: list[Input] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    scores: array = field(default_factory=lambda: array("f"))
    units: array = field(default_factory=lambda: array("q"))
    notes: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[tuple[int, int], list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Totals:
    """How many there were: patches, pictures and slides, cases; and how many of each
    were called positive, or of more than two classes, class -> how many called so."""

    patches: int
    pictures: int
    cases: int
    patches_called: int | dict[str, int]
    pictures_called: int | dict[str, int]
    cases_called: int | dict[str, int]


def write_patches(
    path: Path,
    parts: Sequence[Part],
    slides: Mapping[Input, Path],
    *,
    model: ExportedModel,
    calls: Calls | ClassCalls,
    found: Found,
) -> None:
    """Write one row a patch; the rows go to the disk as they are read.

    Args:
        path: of the table.
        parts: pictures, all answered.
        slides: slide -> its heatmap's folder.
        model: the model.
        calls: names the columns of the score.
        found: is filled.

    Raises:
        InputError: a part or a heatmap was changed by hand.
    """
    columns = answer_columns(model)
    places = [columns.index(name) for name in calls.columns]

    def keep(cells: Sequence[str]) -> None:
        found.scores.extend(float(cells[place]) for place in places)
        found.units.append(len(found.read) - 1)

    def rows() -> Iterator[Sequence[object]]:
        for part in parts:
            for each, (seen, cells) in zip(part.inputs, read_part(part, model)):
                if _keep(found, each, seen):
                    keep(cells)
                    place_of = (0, 0, seen.width, seen.height)
                    yield (each.case_id, each.image_id, *place_of, *cells)
        for each, folder in slides.items():
            found.read.append(each)
            for x, y, width, _, *cells in _rows_of(folder / PATCHES, model):
                keep(cells)
                yield (each.case_id, each.image_id, x, y, width, width, *cells)

    keys = ["case_id", "image_id", "x", "y", "width", "height"]
    write_csv(path, [*keys, *columns], rows())


def _keep(found: Found, each: Input, seen: Seen) -> bool:
    if seen.fault:
        found.set_aside[each.image_id] = seen.fault
        return False
    found.read.append(each)
    for note in seen.notes:
        found.notes.setdefault(note, []).append(each.image_id)
    found.sizes.setdefault((seen.width, seen.height), []).append(each.image_id)
    return True


def _rows_of(path: Path, model: ExportedModel) -> Iterator[list[str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        if next(reader, []) != patch_columns(model):
            raise InputError(
                f"The table must be as --stage heatmap writes it, got {path} with "
                "other columns. Run the command again with --force."
            )
        yield from reader


def write_calls(
    folder: Path,
    found: Found,
    *,
    scored: Sequence[str],
    names: Sequence[str],
    calls: Calls | ClassCalls,
) -> Totals:
    """Write one row a picture or slide, and one row a case.

    Args:
        folder: of the tables.
        found: filled by :func:`write_patches`; one picture at least was read.
        scored: classes that have a score: the positive one of two, or of more each.
        names: of all classes, those in front.
        calls: the rule.
    """
    scores = np.frombuffer(found.scores, np.float32).reshape(-1, len(scored))
    units = np.frombuffer(found.units, np.int64)
    case_ids, cases = np.unique(
        [each.case_id for each in found.read], return_inverse=True
    )
    patches = calls.of_patches(scores)

    def table(unit: np.ndarray) -> tuple[list[tuple[object, ...]], np.ndarray]:
        score, called = calls.of_units(scores, unit)
        by_call = [np.bincount(unit, weights=patches == i) for i in range(len(scored))]
        columns = (
            np.bincount(unit).tolist(),
            *(number.astype(int).tolist() for number in by_call),
            *score.T.tolist(),
            [names[place] for place in called],
        )
        return list(zip(*columns, strict=True)), called

    header = [f"patches_{name}" for name in scored]
    header = ["patches", *header, *(f"{name}_score" for name in scored), "label"]
    by_picture, pictures_called = table(units)
    keys = ((each.case_id, each.image_id) for each in found.read)
    _write_rows(
        folder / "pictures.csv", ["case_id", "image_id"], keys, header, by_picture
    )
    by_case, cases_called = table(cases[units])
    case_keys = zip(case_ids, np.bincount(cases).tolist(), strict=True)
    _write_rows(
        folder / "cases.csv", ["case_id", "pictures"], case_keys, header, by_case
    )
    return Totals(
        patches=len(scores),
        pictures=len(found.read),
        cases=len(case_ids),
        patches_called=_count(patches, scored),
        pictures_called=_count(pictures_called, scored),
        cases_called=_count(cases_called, scored),
    )


def _write_rows(
    path: Path,
    names: Sequence[str],
    keys: Iterable[tuple[object, ...]],
    header: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Write a table of calls, ``names`` and ``keys`` being what each row is of."""
    joined = ((*key, *row) for key, row in zip(keys, rows, strict=True))
    write_csv(path, [*names, *header], joined)


def _count(called: np.ndarray, scored: Sequence[str]) -> int | dict[str, int]:
    """How many are called positive, or of more than two classes each."""
    numbers = np.bincount(called, minlength=len(scored)).tolist()
    return dict(zip(scored, numbers)) if len(scored) > 1 else int(numbers[0])


def write_set_aside(path: Path, found: Found, ledger: Ledger) -> None:
    """List what could not be read, and count it by reason.

    Args:
        path: of the list.
        found: what there is.
        ledger: is told.
    """
    rows = sorted(found.set_aside.items())
    write_csv(path, ["image_id", "reason"], rows)
    # What must hold comes first in a message, then what came.
    reasons = Counter(reason.partition(", got ")[0] for _, reason in rows)
    for reason, number in reasons.items():
        ledger.left_out[f"pictures and slides that cannot be read: {reason}"] += number
    if rows:
        counts = "; ".join(f"{n} × {reason}" for reason, n in reasons.most_common())
        ledger.warn(
            f"{len(rows)} of {len(rows) + len(found.read)} pictures and slides cannot "
            f"be read and are left out: {counts}. {path} lists them."
        )


def tell_pixels(found: Found, side: int | None, ledger: Ledger) -> None:
    """What was assumed of the pixels and the size of pictures that are one patch.

    Args:
        found: what there is.
        side: of the training patches, px; None: they differed, or it is not told.
        ledger: is told.
    """
    for note, images in sorted(found.notes.items()):
        ledger.assumed[f"pictures: {note}"] += len(images)
        s = "s" * (len(images) > 1)
        ledger.warn(f"{len(images)} picture{s}: {note}; first {images[0]}.")
    oblong = sum(len(ids) for (w, h), ids in found.sizes.items() if w != h)
    ledger.assumed["pictures that are not square, squeezed to squares"] += oblong
    if side is None:
        return
    others = {size: ids for size, ids in found.sizes.items() if size != (side, side)}
    ledger.assumed[
        "pictures of another size than the training patches, resized"
    ] += sum(map(len, others.values()))
    far = {
        size: ids
        for size, ids in others.items()
        if max(max(size), side) > MOST_RATIO * min(min(size), side)
    }
    if far:
        (width, height), ids = next(iter(far.items()))
        ledger.warn(
            f"{sum(map(len, far.values()))} pictures are of a size far from that of "
            f"the training patches, {side} px, and are resized; first {ids[0]}, of "
            f"{width}×{height} px. The network sees them at another scale: cut them "
            f"into patches with --set pictures=slide --set side={side}."
        )
