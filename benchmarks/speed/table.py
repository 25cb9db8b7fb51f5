"""The rows of all benchmarks as one table, with where and when they were measured.

    python -m benchmarks.speed.table                       # prints it
    python -m benchmarks.speed.table --into docs/SPEED.md  # and puts it into the page

Each benchmark of this folder leaves its rows in build/bench; ``make bench`` runs them
all. In the page, what stands between the two marks is replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.rows import FOLDER, Found, Row, read
from gastric_keras.support.files import write_atomic

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main() -> int:
    """Print the table; 1 when there is nothing to print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--into", type=Path, metavar="PAGE")
    options = parser.parse_args()
    found = {path.stem: read(path) for path in sorted(options.rows.glob("*.json"))}
    if not found:
        print(f"--rows must have the JSON of a benchmark, got {options.rows}. Run one.")
        return 1
    table = "\n".join(lines_of(found))
    print(table)
    if options.into:
        put_into(options.into, table)
    return 0


def lines_of(found: dict[str, Found]) -> Iterator[str]:
    """The table in Markdown, then a line for each benchmark."""
    yield "| what | peer or limit | theirs | ours | unit | ratio | aim | from |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, one in found.items():
        for row in one.rows:
            yield _line(row, name)
    yield ""
    for name, one in found.items():
        packages = ", ".join(f"{k} {v}" for k, v in one.versions.items())
        yield (
            f"- *{name}*: `{one.command}`; {one.machine}; {one.date}, commit "
            f"{one.commit}, load average {one.load:.1f} before the start; {packages}"
        )


def _line(row: Row, name: str) -> str:
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    if row.aim is not None and row.ratio is not None:
        ratio = f"**{ratio}**" if row.ratio < row.aim else ratio
    cells = (
        row.what,
        row.peer,
        _number(row.theirs),
        _number(row.ours),
        row.unit,
        ratio,
        "" if row.aim is None else f"{row.aim:g}",
        name,
    )
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def put_into(page: Path, table: str) -> None:
    """Replace what stands between the marks of a page."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"--into must have {BEGIN} and {END}, got {page}. Add them.")
    write_atomic(page, f"{before}{begin}\n\n{table}\n\n{end}{after}")


if __name__ == "__main__":
    sys.exit(main())
