"""A grid on tiny sets: cells, shared t=1, skips, another process, the table."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gastric_keras import run
from gastric_keras.config.experiment import EvaluateConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.grid import Axis, GridConfig
from gastric_keras.grid import stage as grid
from gastric_keras.grid.cells import load_cells
from gastric_keras.grid.rows import (
    GridRow,
    read_rows,
    summarize,
    summarize_differences,
)
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from gastric_keras.training.tensorboard import PATTERN
from tests.helpers.events import read_events
from tests.helpers.paths import REPOSITORY
from tests.helpers.small_experiments import write_experiment

GRIDS = [
    *sorted((REPOSITORY / "configs").glob("*_grid.yaml")),
    *sorted((REPOSITORY / "configs" / "recipe").glob("*.yaml")),
]
FIT = FitConfig(epochs=1, batch_size=6)

# No test here looks at them.
pytestmark = pytest.mark.usefixtures("without_pictures", "blank_figures")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> GridConfig:
    root = tmp_path_factory.mktemp("grid")
    base = write_experiment(
        root,
        "base",
        mid={"train": 4, "validation": 3},
        target={"train": 8, "validation": 4, "test": 4},
        fit=FIT,
        subsets={"small": 6},
        evaluate=EvaluateConfig(bootstrap=100, subgroups={"some": r"[1-4]$"}),
    )
    config_io.save(base, root / "base.yaml")
    return GridConfig(
        name="small-grid",
        base=str(root / "base.yaml"),
        axes=(
            Axis("subset", {"few": ("target.subset=small",), "all": ()}),
            Axis("path", {"one": ("mid=null",), "half": ("mid.blend=0.5",), "two": ()}),
        ),
        seeds=(0, 1),
        set=("target.subset_seed={seed}",),
        evaluate=True,
        output=str(root / "runs"),
    )


@pytest.fixture(scope="module")
def finished(small: GridConfig) -> GridConfig:
    one_seed = replace(small, seeds=(0,), only={"subset": ("few",)})
    grid.run_grid(one_seed)
    return one_seed


def test_a_part_of_an_axis_can_be_run_alone(small: GridConfig) -> None:
    part = replace(small, only={"path": ("two", "one")})
    names = [cell.config.name for cell in load_cells(part)]
    assert names[:3] == ["few-two-s0", "few-one-s0", "all-two-s0"]
    assert len(names) == 8
    for only in ({"way": ("one",)}, {"path": ("three",)}, {"path": ()}):
        with pytest.raises(
            InputError, match="only must name an axis and some of its values"
        ):
            replace(small, only=only)


def test_cells_are_every_combination_seed_by_seed(small: GridConfig) -> None:
    cells = load_cells(small)
    names = [cell.config.name for cell in cells]
    assert len(names) == len(set(names)) == 12
    assert names[:3] == ["few-one-s0", "few-half-s0", "few-two-s0"]
    assert all(name.endswith("s1") for name in names[6:])
    assert cells[6].config.seed == cells[6].config.target.subset_seed == 1
    assert [cell.config.target.subset for cell in cells[:6]] == ["small"] * 3 + [
        None
    ] * 3


def test_cells_share_a_t1_where_it_is_the_same(small: GridConfig) -> None:
    cells = load_cells(small)
    mids = [cell.mid.name if cell.mid else None for cell in cells]
    # The subset and the blend do not change what t=1 learns; the seed does.
    assert len(set(mids)) == 3 and mids[0] is None
    assert mids[1] == mids[2] == mids[4] == mids[5] != mids[7]
    for cell in cells:
        assert cell.mid is None or cell.mid.mid.blend == 1.0
        if cell.mid:
            assert cell.config.mid.init.endswith(f"{cell.mid.name}/mid/best.weights.h5")


def test_a_grid_ends_with_a_table(finished: GridConfig) -> None:
    with open(finished.folder / "grid.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3
    for row, cell in zip(rows, load_cells(finished), strict=True):
        run_dir = RunDir(finished.folder / cell.config.name)
        done, report = read_json(run_dir.done("target")), read_json(run_dir.report_json)
        assert float(row["val_auc"]) == done["val_auc"]
        whole = report["test"]["patch"]["scores"]["auc"]["value"]
        some = report["subgroups"]["some"]["test"]["patch"]
        assert float(row["test_auc"]) == whole
        assert float(row["test_auc_some"]) == some["scores"]["auc"]["value"]
        assert some["n"] == 4
    table = (finished.folder / "grid.md").read_text()
    scores, differences = table.split("\n\n")
    assert scores.count("\n") == 4 and "| few    | half |" in scores
    assert differences.count("\n") == 4 and "path, less one" in differences


def test_a_finished_cell_has_one_row_in_tensorboard(finished: GridConfig) -> None:
    cells = load_cells(finished)
    for cell, row in zip(cells, read_rows(finished, cells), strict=True):
        events = read_events(finished.folder / cell.config.name)
        assert {tag: len(points) for tag, points in events.items()} == {
            "_hparams_/session_start_info": 1,
            "summary/val_auc": 1,
            "summary/test_auc": 1,
            "summary/test_auc_some": 1,
        }
        assert events["summary/test_auc"][0][1] == np.float32(row.tests["test_auc"])
    assert len(read_events(finished.folder)["_hparams_/experiment"]) == 1


def test_a_cell_that_was_killed_before_its_row_gets_it(finished: GridConfig) -> None:
    name = load_cells(finished)[0].config.name
    (file,) = (finished.folder / name).glob(PATTERN)
    file.unlink()
    grid.run_grid(finished)
    assert "summary/val_auc" in read_events(finished.folder / name)


def test_differences_by_hand(finished: GridConfig) -> None:
    grid_of_two = replace(finished, seeds=(0, 1))
    rows = [
        GridRow({"subset": "few", "path": path}, seed, auc)
        for path, seed, auc in (
            ("one", 0, 0.5),
            ("one", 1, 0.7),
            ("two", 0, 0.6),
            ("two", 1, 0.6),
            ("half", 1, 0.9),
        )
    ]
    table = summarize_differences(grid_of_two, rows).splitlines()
    header = [cell.strip() for cell in table[0].split("|")[1:-1]]
    assert header == ["subset", "path, less one", "val_auc"]
    assert "+0.0000 ± 0.1414 (1 of 2)" in table[2]
    assert "+0.2000 (1 of 1)" in table[3]


def test_a_score_that_is_not_defined_is_said_to_be(finished: GridConfig) -> None:
    values = {"subset": "few", "path": "one"}
    row = GridRow(values, 0, 0.75, {"test_auc_hard": None})
    table = summarize(finished, [row, replace(row, val_auc=0.25)])
    assert "| 2     | 0.5000 ± 0.3536 | not defined   |" in table


def test_finished_cells_are_not_run_again(
    finished: GridConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a finished cell was run")

    monkeypatch.setattr(grid.stages, "run_mid", fail)
    monkeypatch.setattr(grid.stages, "run_target", fail)
    grid.run_grid(finished)


def test_a_cell_that_another_process_holds_is_left_to_it(
    finished: GridConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = load_cells(finished)[0]
    run_dir = RunDir(finished.folder / cell.config.name)
    text = run_dir.done("evaluate").read_text()
    run_dir.done("evaluate").unlink()
    slept = []

    def other_process_ends(seconds: float) -> None:
        slept.append(seconds)
        lock.__exit__(None, None, None)
        run_dir.done("evaluate").write_text(text)

    monkeypatch.setattr(grid.time, "sleep", other_process_ends)
    lock = run_dir.locked()
    lock.__enter__()
    grid.run_grid(finished)
    assert slept == [grid.WAIT]


def test_a_cell_that_fails_does_not_stop_the_others(
    finished: GridConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = (
        Axis(
            "subset", {"few": ("target.subset=small",), "huge": ("target.subset=99",)}
        ),
        Axis("path", {"one": ("mid=null",)}),
    )
    broken = replace(finished, name="broken", axes=axes, only={}, evaluate=False)
    with pytest.raises(
        InputError,
        match="1 that failed, first huge-one-s0: .*target.subset must be .*, got 99",
    ):
        grid.run_grid(broken)
    assert "1 of 2 done, 0 left" in capsys.readouterr().out
    assert (broken.folder / "grid.csv").read_text().count("\n") == 2


def test_a_wrong_override_names_its_cell(small: GridConfig, tmp_path: Path) -> None:
    axis = Axis("fit", {"good": (), "bad": ("target.fit.epoch=1",)})
    wrong = replace(small, axes=(axis,), output=str(tmp_path))
    config_io.save(wrong, tmp_path / "grid.yaml")
    with pytest.raises(InputError, match="cell bad-s0: .*unknown key target.fit.epoch"):
        load_cells(wrong)
    assert run.main(["--stage", "grid", "--config", str(tmp_path / "grid.yaml")]) == 2


@pytest.mark.parametrize(
    "change, message",
    [
        ({"axes": ()}, "axes and seeds must each have an entry"),
        ({"seeds": ()}, "axes and seeds must each have an entry"),
        ({"axes": (Axis("a", {"b": ()}),) * 2}, "every axis another name"),
        ({"name": "a b"}, "name must have letters"),
    ],
)
def test_what_is_no_grid_is_refused(
    small: GridConfig, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        replace(small, **change)
    with pytest.raises(InputError, match="must not be empty"):
        Axis("empty", {})
    with pytest.raises(InputError, match="names of folders"):
        Axis("a", {"../b": ()})


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_grid_loads_and_comes_back(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    loaded = config_io.load(GridConfig, path)
    assert len(load_cells(loaded)) >= 5
    opening = path.read_text().split("\nname:")[0]
    for word in (
        "Command: ",
        str(path.relative_to(REPOSITORY)),
        "Cost: ",
        "Expected: ",
    ):
        assert word in opening
    config_io.save(loaded, tmp_path / "grid.yaml")
    assert config_io.load(GridConfig, tmp_path / "grid.yaml") == loaded
