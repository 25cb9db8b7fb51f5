"""The index CSV of a collection, read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from data_prep.config.sources import SourceConfig
from gastric_keras.support.errors import InputError

#: What a set needs to know of each picture beside its pixels and its case.
Need = Literal["annotation", "label", "nothing"]


def read_index(source: SourceConfig, need: Need) -> Iterator[dict[str, str]]:
    """Read the rows of a source's index that its ``where`` keeps.

    Args:
        source: its ``index``, ``columns`` and ``where``.
        need: what each row must tell.

    Yields:
        path, case, label, annotation and split as they stand there; "" where they
        are not asked for or not told.

    Raises:
        InputError: no such file or column, or a row without its path or label.
    """
    path = Path(source.index or "")
    columns = source.columns
    wanted = {"path": columns.path, "split": columns.split}
    wanted["label"] = columns.label if need == "label" else None
    wanted["annotation"] = columns.annotation if need == "annotation" else None
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            # Strict, or a quote that is never closed takes the rest of the file in.
            rows = csv.DictReader(stream, strict=True)
            header = list(rows.fieldnames or ())
            # Without its column the case is unknown; read_sources says what to do.
            wanted["case"] = columns.case if columns.case in header else None
            _check_columns(path, header, [*wanted.values(), *source.where])
            for row in rows:
                _check_cells(path, rows.line_num, row)
                if any(row[name] not in kept for name, kept in source.where.items()):
                    continue
                entry = {
                    key: (row[name] or "").strip() if name else ""
                    for key, name in wanted.items()
                }
                _check_row(path, rows.line_num, entry, need, columns.label)
                yield entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"An index CSV in UTF-8 was expected. Received: index={path} ({error}). "
            "Check the path, or save it as CSV UTF-8."
        ) from error


def _check_columns(path: Path, header: list[str], wanted: Sequence[str | None]) -> None:
    twice = sorted({name for name in wanted if name and header.count(name) > 1})
    if twice:
        raise InputError(
            "An index with each column once was expected. Received: "
            f"{path} with {', '.join(twice)} twice. Remove or rename one of the two."
        )
    missing = [name for name in wanted if name and name not in header]
    if missing:
        raise InputError(
            f"An index with the columns {', '.join(missing)} was expected. Received: "
            f"{path} with columns {', '.join(header) or '(none)'}. Rename them there, "
            "or name yours under columns in the config."
        )


def _check_cells(path: Path, number: int, row: dict[str, str]) -> None:
    # DictReader fills up short rows and hides what is too much under None.
    cells = [cell for name, cell in row.items() if name is not None]
    if None in row or None in cells:
        raise InputError(
            "As many cells as columns were expected in every row. Received: "
            f"{path}, line {number}, with {'more' if None in row else 'fewer'}. Put a "
            "name that holds a comma in double quotes, or fill the row up."
        )
    if any("\n" in cell or "\r" in cell for cell in cells):
        raise InputError(
            "Cells of one line were expected. Received: "
            f"{path}, the row that ends in line {number}. Close the quotes that were "
            "opened there."
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
