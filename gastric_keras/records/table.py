"""A CSV as spreadsheets write it: its encoding, its separator, its rows."""

from __future__ import annotations

import codecs
import csv
import io
import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from gastric_keras.records.spelling import clean, trim
from gastric_keras.support.errors import InputError

#: Mark at the start of a file -> its encoding; UTF-32 begins as UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: First bytes of .xlsx and .ods, and of .xls.
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
#: Separator -> its name; the first wins where several fit.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
#: Excel's first line that names the separator.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A row: the line that it ends in, and column -> cell, without blanks around."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A CSV that was read.

    Attributes:
        path: the file.
        header: the columns.
        rows: those that hold anything.
        blank: number of the others.
        form: how the file differs from a UTF-8 file with commas; "" where it does not.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    blank: int
    form: str


def read_table(path: Path, columns: Collection[str]) -> Table:
    """Read a CSV in UTF-8, UTF-16 or UTF-32, separated by commas or otherwise.

    UTF-16 and UTF-32 are known by the mark that Excel writes. The separator is the one
    that finds most of the columns in the header.

    Args:
        path: the file.
        columns: names that the header should hold.

    Raises:
        InputError: no such file, another encoding, or rows that are no rows.
    """
    try:
        text, encoding = _decode(path, path.read_bytes())
        named = _SEPARATOR_LINE.match(text)
        if named:
            text = text[named.end() :]
        separator = named[1] if named else _separator(text, columns)
        # Strict, or a quote that is never closed takes the rest of the file in.
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=separator, strict=True
        )
        header = tuple(clean(name) for name in next(reader, []))
        # How many lines an own first line took from the count.
        before = int(named is not None)
        rows = list(_rows(path, header, reader, before))
    except (OSError, csv.Error) as error:
        raise InputError(
            f"The index must be a CSV file, got index={path} ({error}). Check the "
            "path, or save the table as CSV UTF-8 again."
        ) from error
    kept = tuple(row for row in rows if any(row.cells.values()))
    forms = [] if encoding.startswith("utf-8") else [encoding.upper()]
    if separator != ",":
        forms.append(f"separated by {_SEPARATORS.get(separator, repr(separator))}")
    return Table(path, header, kept, len(rows) - len(kept), ", ".join(forms))


def _decode(path: Path, data: bytes) -> tuple[str, str]:
    if data.startswith(_WORKBOOKS):
        raise InputError(
            f"The index must be a CSV file, got index={path}, a spreadsheet's own file "
            "under another name. Open it there and save it as CSV UTF-8."
        )
    marked = (encoding for mark, encoding in _MARKS if data.startswith(mark))
    encoding = next(marked, "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x} in line {line}"
        guess = "UTF-16LE" if data[1:2] == b"\0" else _one_byte_or_chinese(data)
        raise _no_encoding(path, found, guess) from error
    if text.count("\0") * 4 > len(text) > 0:
        guess = "UTF-16BE" if text[0] == "\0" else "UTF-16LE"
        raise _no_encoding(path, "every other byte 0", guess)
    return text, encoding


def _one_byte_or_chinese(data: bytes) -> str:
    """A guess: Chinese where bytes above 127 come in pairs of its letters."""
    runs = re.findall(rb"[\x80-\xff]+", data)
    try:
        data.decode("gb2312")
    except UnicodeDecodeError:
        return "WINDOWS-1252"
    return "GB18030" if all(len(run) % 2 == 0 for run in runs) else "WINDOWS-1252"


def _no_encoding(path: Path, found: str, guess: str) -> InputError:
    name, new = shlex.quote(str(path)), shlex.quote(f"{path.stem}-utf8.csv")
    return InputError(
        "The index must be a CSV in UTF-8 or in UTF-16 with its mark, got "
        f"index={path} with {found}, most likely {guess}. Save it as CSV UTF-8, or "
        f"run iconv -f {guess} -t UTF-8 {name} > {new}"
    )


def _separator(text: str, columns: Collection[str]) -> str:
    def found(separator: str) -> int:
        stream = io.StringIO(text, newline="")
        try:
            header = next(csv.reader(stream, delimiter=separator, strict=True), [])
        except csv.Error:
            return 0
        return len({clean(name) for name in header} & {*columns})

    return max(_SEPARATORS, key=found)


def _rows(
    path: Path, header: tuple[str, ...], reader: Iterator[list[str]], before: int
) -> Iterator[Row]:
    for cells in reader:
        line = reader.line_num + before  # type: ignore[attr-defined]
        if not cells:
            continue
        if len(cells) != len(header):
            raise InputError(
                "Each row of the index must have as many cells as there are columns, "
                f"got {path}, line {line}, with "
                f"{'more' if len(cells) > len(header) else 'fewer'}. Put a name that "
                "holds the separator in double quotes, or fill the row up."
            )
        if any("\n" in cell or "\r" in cell for cell in cells):
            raise InputError(
                f"Each cell of the index must be one line, got {path}, the row that "
                f"ends in line {line}. Close the quotes that were opened there."
            )
        yield Row(line, dict(zip(header, map(trim, cells))))
