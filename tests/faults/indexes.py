"""Spoilt index CSVs: encodings, columns, rows, and paths that lead elsewhere."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.faults.kinds import Kind
from tests.faults.mutations import spoil_bytes

_COLUMNS = ["path", "label", "case_id"]
_Rows = list[list[str]]
#: Bytes of the index, and the end that is asked for: "right" gives every row,
#: "refused", "either", or "any", where nothing says how many rows there were.
_Spoilt = tuple[bytes, str]


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault; write its index, and the pictures that it names (empty files:
    nothing opens them here)."""
    rows = [
        [f"{'sub/' if i % 2 else ''}p{i}.png", ("benign", "malignant")[i % 2], f"c{i}"]
        for i in range(rng.randint(2, 12))
    ]
    pictures = folder / "pictures"
    (pictures / "sub").mkdir(parents=True)
    for path, *_ in rows:
        (pictures / path).touch()
    (folder / "outside.png").touch()
    name = rng.choice(sorted(_FAULTS))
    content, must = _FAULTS[name](rng, rows)
    (folder / "index.csv").write_bytes(content)
    truth = {"must": must, "rows": sorted(rows)}
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """List the pictures as ``data_prep target`` does before it opens any."""
    from data_prep.config.sets import SourceConfig, TargetSetConfig
    from data_prep.sets.kinds import check_labels
    from data_prep.sources.pictures import read_sources
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    root = folder / "pictures"
    source = SourceConfig(images=str(root), index=str(folder / "index.csv"))
    config = TargetSetConfig(sources=(source,))
    try:
        images = read_sources(config, "label")
        check_labels(config, images)
    except InputError as error:
        assert truth["must"] != "right", f"refused: {error}"
        raise
    assert truth["must"] != "refused", f"{len(images)} pictures read"
    found = sorted([i.image_id, i.label or "", i.case_id] for i in images)
    for image in images:
        assert image.path.resolve().is_relative_to(root.resolve()), image.path
        # A row that swallowed others would carry their line breaks.
        assert "\n" not in image.case_id + (image.label or ""), image
    assert truth["must"] == "any" or found == truth["rows"], found


def _spell(rows: _Rows, header: list[str] | None = None, **options: str) -> str:
    stream = io.StringIO()
    csv.writer(stream, **options).writerows([header or _COLUMNS, *rows])  # type: ignore
    return stream.getvalue()


def _encoding(rng: random.Random, rows: _Rows) -> _Spoilt:
    kind = rng.choice(("utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037"))
    # With their mark, all forms of Unicode are known for what they are.
    return _spell(rows).encode(kind), "refused" if kind == "cp037" else "right"


def _accents(rng: random.Random, rows: _Rows) -> _Spoilt:
    # Not UTF-8: letters that are not ASCII must not become other letters.
    rows[0][2] = "Müller"
    return _spell(rows).encode(rng.choice(("latin-1", "cp1252"))), "refused"


def _line_ends(rng: random.Random, rows: _Rows) -> _Spoilt:
    end = rng.choice(("\n", "\r\n", "\r"))
    return _spell(rows, lineterminator=end).encode(), "right"


def _delimiter(rng: random.Random, rows: _Rows) -> _Spoilt:
    delimiter = rng.choice(";\t|")
    # Excel may name it in a line of its own.
    first = f"sep={delimiter}\r\n" * rng.randrange(2)
    return (first + _spell(rows, delimiter=delimiter)).encode(), "right"


def _missing_column(rng: random.Random, rows: _Rows) -> _Spoilt:
    place = rng.randrange(3)
    header = [name for i, name in enumerate(_COLUMNS) if i != place]
    left = [[value for i, value in enumerate(row) if i != place] for row in rows]
    return _spell(left, header).encode(), "refused"


def _renamed_column(rng: random.Random, rows: _Rows) -> _Spoilt:
    header = list(_COLUMNS)
    header[rng.randrange(3)] = rng.choice(("Path", "", " path", "label ", "klass"))
    is_meant = [name.strip() for name in header] == _COLUMNS
    return _spell(rows, header).encode(), "right" if is_meant else "refused"


def _column_twice(rng: random.Random, rows: _Rows) -> _Spoilt:
    place = rng.randrange(3)
    header = [*_COLUMNS, _COLUMNS[place]]
    return _spell([[*row, row[place] + "x"] for row in rows], header).encode(), (
        "refused"
    )


def _row_twice(rng: random.Random, rows: _Rows) -> _Spoilt:
    again = list(rng.choice(rows))
    again[0] = rng.choice((again[0], f"./{again[0]}", f"sub/../{again[0]}"))
    return _spell([*rows, again]).encode(), "refused"


def _leads_outside(rng: random.Random, rows: _Rows) -> _Spoilt:
    rows = [list(row) for row in rows]
    rng.choice(rows)[0] = rng.choice(
        ("../outside.png", "/etc/passwd", "sub/../../outside.png", "..", "/", "~/x")
    )
    return _spell(rows).encode(), "refused"


def _odd_path(rng: random.Random, rows: _Rows) -> _Spoilt:
    rows = [list(row) for row in rows]
    odd = (
        "",
        ".",
        "a" * 300,
        "a/" * 3000,
        "\0",
        "p0.png\0",
        "none.png",
        "sub",
        "C:\\x",
    )
    rng.choice(rows)[0] = rng.choice(odd)
    return _spell(rows).encode(), "refused"


def _quotes(rng: random.Random, rows: _Rows) -> _Spoilt:
    lines = _spell(rows).splitlines()
    number = rng.randrange(1, len(lines))
    cells = lines[number].split(",")
    cells[rng.randrange(3)] = '"' + cells[rng.randrange(3)]
    lines[number] = ",".join(cells)
    return "\n".join(lines).encode(), "either"


def _ragged(rng: random.Random, rows: _Rows) -> _Spoilt:
    rows = [list(row) for row in rows]
    row = rng.choice(rows)
    if rng.random() < 0.5:
        row += ["more", "and more"]
        return _spell(rows).encode(), "refused"
    del row[rng.randrange(1, 3) :]
    return _spell(rows).encode(), "refused"


def _unknown_label(rng: random.Random, rows: _Rows) -> _Spoilt:
    rows = [list(row) for row in rows]
    rng.choice(rows)[1] = rng.choice(("", "tumor", "benign?", "=1+1", "a" * 5000))
    return _spell(rows).encode(), "refused"


def _huge_cell(rng: random.Random, rows: _Rows) -> _Spoilt:
    rows = [list(row) for row in rows]
    rng.choice(rows)[rng.randrange(3)] = "a" * 200_000
    return _spell(rows).encode(), "refused"


def _nothing(rng: random.Random, rows: _Rows) -> _Spoilt:
    return (
        rng.choice((b"", b"\n\n", b"path,label,case_id\n", b"\xef\xbb\xbf")),
        "refused",
    )


def _bytes_spoilt(rng: random.Random, rows: _Rows) -> _Spoilt:
    return spoil_bytes(rng, _spell(rows).encode()), "any"


_FAULTS: dict[str, Callable[[random.Random, _Rows], _Spoilt]] = {
    "other encoding": _encoding,
    "accents that are not UTF-8": _accents,
    "line ends": _line_ends,
    "other delimiter": _delimiter,
    "missing column": _missing_column,
    "renamed column": _renamed_column,
    "a column twice": _column_twice,
    "a row twice": _row_twice,
    "path outside the folder": _leads_outside,
    "path that is none": _odd_path,
    "unbalanced quotes": _quotes,
    "rows too short or too long": _ragged,
    "unknown label": _unknown_label,
    "cell of 200,000 letters": _huge_cell,
    "nothing in it": _nothing,
    "bytes cut, flipped, removed or noise": _bytes_spoilt,
}

KIND = Kind("indexes", write, read)
