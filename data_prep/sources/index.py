"""The index CSV of a collection, read row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from data_prep.config.sources import ColumnsConfig, SourceConfig
from data_prep.sources.split_column import check_unused
from data_prep.sources.unused_columns import tell_unused
from gastric_keras.imaging.slides import SUFFIXES
from gastric_keras.records.cases import case_in
from gastric_keras.records.folders import count_unlisted
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import clean, few, spelling_key
from gastric_keras.records.table import Row, Table, read_table
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.strict_yaml import override, snippet

#: What a set needs to know of each picture beside its pixels and its case.
Need = Literal["annotation", "label", "nothing"]


def read_index(
    source: SourceConfig,
    need: Need,
    *,
    position: int = 0,
    ledger: Ledger | None = None,
) -> list[dict[str, str]]:
    """Read the rows of a source's index that its ``where`` keeps.

    Args:
        source: its ``index``, ``columns`` and ``where``.
        need: what each row must tell.
        position: of the source in the config, for the advice of messages.
        ledger: is told how many rows were read and left out, and what was assumed.

    Returns:
        path, case, label, annotation and split as they stand there; "" where they
        are not asked for or not told.

    Raises:
        InputError: no such file or column, a row without its path or label, a value of
            ``where`` that no row has, or a column of splits that is not used.
    """
    ledger = Ledger() if ledger is None else ledger
    path = Path(source.index or "")
    columns = source.columns
    require(
        bool(columns.split) or not source.splits,
        f"sources.{position}.splits must come with columns.split",
        "Name the column that it explains, or leave splits out.",
        splits=source.splits,
        split=columns.split,
    )
    wanted = {"path": columns.path, "split": columns.split or None}
    wanted["label"] = columns.label if need == "label" else None
    wanted["annotation"] = columns.annotation if need == "annotation" else None
    asked = [*wanted.values(), *source.where]
    table = read_table(path, {name for name in (*asked, columns.case) if name})
    # Without its column the case is unknown; read_sources says what to do.
    wanted["case"] = columns.case if columns.case in table.header else None
    require(
        wanted["case"] is None or source.case_pattern is None,
        "The case must be told once, by a column or by case_pattern",
        "Leave case_pattern out, or take the column out of the index.",
        column=columns.case,
        case_pattern=source.case_pattern,
    )
    _check_columns(table, position, [*wanted.values(), *source.where], columns)
    rows = _rows_kept(source, position, table, ledger)
    check_unused(source, position, table, rows, ledger)
    tell_unused(source, position, table, rows, ledger)
    entries = []
    for row in rows:
        entry = {key: row.cells[name] if name else "" for key, name in wanted.items()}
        if wanted["case"] is None:
            entry["case"] = case_in(source.case_pattern, entry["path"])
        # Files are spelled as the disk spells them, names of other things alike.
        for key in ("label", "split"):
            entry[key] = clean(entry[key])
        _check_row(path, row.line, entry, need, columns.label)
        entries.append(entry)
    _tell_read(source, table, ledger)
    return entries


def _tell_read(source: SourceConfig, table: Table, ledger: Ledger) -> None:
    """What was read of an index, and what lies beside it."""
    path, columns = table.path, source.columns
    ledger.read[f"rows of {path.name}"] += len(table.rows)
    paths = [row.cells[columns.path] for row in table.rows]
    maps = [row.cells.get(columns.annotation or "", "") for row in table.rows]
    unlisted = count_unlisted(source.images, [*paths, *maps], SUFFIXES)
    ledger.left_out[f"pictures beside those of {path.name}, in no row"] += unlisted
    ledger.left_out[f"blank rows of {path.name}"] += table.blank
    if table.form:
        ledger.assumed[f"{path.name} is {table.form}"] += 1


def columns_of(source: SourceConfig) -> tuple[str, ...]:
    """The columns of a source's index; none without one."""
    if source.index is None:
        return ()
    return read_table(Path(source.index), {source.columns.path}).header


def check_without_index(source: SourceConfig, position: int) -> None:
    """Refuse settings of an index where there is none: they would do nothing.

    Raises:
        InputError: naming the first of them.
    """
    given = {
        "where": bool(source.where),
        "columns": source.columns != ColumnsConfig(),
        "splits": bool(source.splits),
    }
    for name in (name for name, is_given in given.items() if is_given):
        raise InputError(
            f"sources.{position}.{name} must come with an index, got "
            f"{name}={getattr(source, name)} and index=None. Give --cases index.csv, "
            f"or leave {name} out."
        )


def _check_columns(
    table: Table,
    position: int,
    wanted: Sequence[str | None],
    columns: ColumnsConfig,
) -> None:
    header = table.header
    twice = sorted({name for name in wanted if name and header.count(name) > 1})
    if twice:
        raise InputError(
            f"The index must have each column once, got {table.path} with "
            f"{', '.join(twice)} twice. Remove or rename one of the two."
        )
    missing = [name for name in wanted if name and name not in header]
    if not missing:
        return
    near = [
        override(f"sources.{position}.columns.{key}", name)
        for key, value in vars(columns).items()
        for name in header
        if value in missing and spelling_key(name) == spelling_key(value)
    ]
    raise InputError(
        f"The index must have the columns {', '.join(missing)}, got {table.path} with "
        f"columns {', '.join(header) or '(none)'}. Rename them there, or name yours in "
        f"the config, such as {near[0] if near else 'columns: {path: file}'}"
    )


def _rows_kept(
    source: SourceConfig, position: int, table: Table, ledger: Ledger
) -> list[Row]:
    """The rows that ``where`` keeps; the others are counted, by column."""
    rows = list(table.rows)
    for name, values in source.where.items():
        wanted = {clean(value) for value in values}
        _check_where(source, position, table, name, wanted)
        kept = [row for row in rows if clean(row.cells[name]) in wanted]
        others = {clean(row.cells[name]) or "(blank)" for row in rows} - wanted
        what = f"rows of {table.path.name} by where, {name} is {few(sorted(others))}"
        ledger.left_out[what] += len(rows) - len(kept)
        rows = kept
    return rows


def _check_where(
    source: SourceConfig, position: int, table: Table, name: str, wanted: set[str]
) -> None:
    """Refuse a value that no row has, or that is spelled in two ways."""
    cells = {clean(row.cells[name]) for row in table.rows}
    for value in sorted(wanted):
        key = spelling_key(value)
        near = sorted(cell for cell in cells - wanted if spelling_key(cell) == key)
        if not near and value in cells:
            continue
        spelled = (
            f"{name}={value!r} in no row, and its cells are {few(sorted(cells), 8)}"
        )
        if near:
            spelled = f"{name}={value!r}, and cells {few(map(repr, near))}"
        # Both spellings, so that no row is lost; or what is there.
        known = sorted((wanted & cells) | set(near)) or sorted(cells)[:8]
        where = {key: [*values] for key, values in source.where.items()}
        flag = override(f"sources.{position}.where", {**where, name: known})
        raise InputError(
            f"Each value of where must be spelled as in the index, got {spelled}, in "
            f"{table.path}. Give the values that you mean, such as {flag} or fix the "
            "index."
        )


def _check_row(
    path: Path, number: int, entry: dict[str, str], need: Need, label_column: str
) -> None:
    if not entry["path"] or (need == "label" and not entry["label"]):
        both = f" and a {label_column}" if need == "label" else ""
        example = snippet(where={label_column: ["benign", "malignant"]})
        raise InputError(
            f"Each row of the index must have a path{both}, got {path}, line {number}: "
            f"path={entry['path']!r}, label={entry['label']!r}. Fill it in, or leave "
            f"the row out with where, such as {example}"
        )
