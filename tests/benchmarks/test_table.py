"""The rows that benchmarks leave, and the table of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.speed import rows, table

ROWS = [
    rows.Row("fit", 90.0, "images/s", "bare step", 100.0, aim=0.95),
    rows.Row("wait", 1.0, "% of a step", "aim", 2.0, better="less", aim=1.0),
    rows.Row("memory", 1234.5, "MB", better="less"),
]


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["x", "--turns", "3"])
    return rows.save(ROWS, machine="a card")


def test_rows_come_back_with_where_they_were_measured(saved: Path) -> None:
    found = rows.read(saved)
    assert found.rows == tuple(ROWS) and found.machine == "a card"
    assert found.command.startswith("python -m ")
    assert found.command.endswith(" --turns 3")
    assert found.load >= 0 and found.commit and "tensorflow" in found.versions


def test_a_ratio_above_one_is_better_whatever_the_unit() -> None:
    assert [row.ratio for row in ROWS] == [0.9, 2.0, None]


def test_the_table_marks_what_misses_its_aim(
    saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path("page.md")
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    monkeypatch.setattr(sys, "argv", ["x", "--into", str(page)])
    assert table.main() == 0
    name = saved.stem
    wanted = (
        f"| fit | bare step | 100 | 90 | images/s | **0.90** | 0.95 | {name} |",
        f"| wait | aim | 2 | 1 | % of a step | 2.00 | 1 | {name} |",
        f"| memory |  |  | 1,234 | MB |  |  | {name} |",
    )
    said, written = capsys.readouterr().out, page.read_text()
    for line in wanted:
        assert line in said and line in written
    assert written.startswith("before\n") and written.endswith("\nafter\n")
    assert "old" not in written and f"- *{name}*: `python -m" in written


def test_a_page_without_marks_and_a_folder_without_rows_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing")
    with pytest.raises(SystemExit, match="--into must have .*, got .*page.md"):
        table.put_into(page, "rows")
    monkeypatch.setattr(sys, "argv", ["x", "--rows", str(tmp_path)])
    assert table.main() == 1
    assert "--rows must have the JSON of a benchmark, got" in capsys.readouterr().out
