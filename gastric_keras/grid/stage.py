"""--stage grid: every cell of a grid, each t=1 once, and a table of what came out.

Cells are independent runs that lock their folders: the same command on another machine
that shares the folder takes the cells that nobody works on.
"""

from __future__ import annotations

import time

import keras

from gastric_keras.config.grid import GridConfig
from gastric_keras.evaluation import evaluate
from gastric_keras.grid import hparams
from gastric_keras.grid.cells import Cell, load_cells
from gastric_keras.grid.rows import read_rows, summarize, summarize_differences
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import FolderInUse, write_atomic, write_csv
from gastric_keras.training import ladder as stages

#: Seconds between two looks at cells that another process works on.
WAIT = 20.0


def run_grid(grid: GridConfig) -> None:
    """Run what is not finished of a grid, then write its table.

    Args:
        grid: which cells; finished ones are skipped, half-finished ones resume.

    Raises:
        InputError: one cell or more could not be run; all others are finished.
    """
    cells = load_cells(grid)
    config_io.save(grid, grid.folder / "grid.yaml")
    left, failed = list(cells), {}
    started, done_here = time.monotonic(), 0
    while left:
        busy = []
        for cell in left:
            try:
                done_here += _run_cell(grid, cell)
            except FolderInUse:
                busy.append(cell)
                continue
            except InputError as error:
                failed[cell.config.name] = str(error)
                print(f"grid: {cell.config.name} failed: {error}", flush=True)
            _say_progress(grid, cells, len(failed), started, done_here)
        if busy:
            time.sleep(WAIT)
        left = busy
    _write_table(grid, [cell for cell in cells if cell.config.name not in failed])
    if failed:
        first, reason = next(iter(failed.items()))
        raise InputError(
            f"Every cell must run, got {len(failed)} that failed, first {first}: "
            f"{reason} Fix it and run the same command again; finished cells are kept."
        )


def is_done(grid: GridConfig, cell: Cell) -> bool:
    """Whether every stage that the grid asks for is finished in a cell."""
    run_dir = RunDir(grid.folder / cell.config.name)
    return run_dir.done("evaluate" if grid.evaluate else "target").is_file()


def _run_cell(grid: GridConfig, cell: Cell) -> int:
    """1 when something was computed, 0 when all of it was finished."""
    if is_done(grid, cell):
        return 0
    if cell.mid is not None:
        run_dir = RunDir(grid.folder / cell.mid.name)
        # Not even locked when finished: other cells may start from it meanwhile.
        if not run_dir.done("mid").is_file():
            with run_dir.locked():
                open_run(cell.mid, run_dir)
                stages.run_mid(cell.mid, run_dir)
    run_dir = RunDir(grid.folder / cell.config.name)
    with run_dir.locked():
        print(f"grid: {cell.config.name}", flush=True)
        open_run(cell.config, run_dir)
        stages.run_target(cell.config, run_dir)
        if grid.evaluate:
            evaluate.run_evaluate(cell.config, run_dir)
        hparams.write_row(grid, cell.config.name, read_rows(grid, [cell])[0])
    # Or the graphs of all cells would stay in memory.
    keras.backend.clear_session()
    return 1


def _say_progress(
    grid: GridConfig, cells: list[Cell], failed: int, started: float, done_here: int
) -> None:
    done = sum(is_done(grid, cell) for cell in cells)
    left = len(cells) - done - failed
    seconds = time.monotonic() - started
    guess = f", about {left * seconds / done_here / 60:.0f} min" if done_here else ""
    print(f"grid: {done} of {len(cells)} done, {left} left{guess}", flush=True)


def _write_table(grid: GridConfig, cells: list[Cell]) -> None:
    if not cells:
        return
    rows = read_rows(grid, cells)
    for cell, row in zip(cells, rows, strict=True):
        # The cell was killed just before it wrote its row.
        if not hparams.has_row(grid, cell.config.name):
            hparams.write_row(grid, cell.config.name, row)
    header = list(rows[0].cells)
    write_csv(
        grid.folder / "grid.csv", header, (list(row.cells.values()) for row in rows)
    )
    table = summarize(grid, rows)
    if len(grid.axes[-1].values) > 1:
        table += "\n\n" + summarize_differences(grid, rows)
    write_atomic(grid.folder / "grid.md", table + "\n")
    print(table)
