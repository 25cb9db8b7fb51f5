"""The small files of a run: read as they were written, or refused in words."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gastric_keras.records.manifest import Manifest, write_manifest
from gastric_keras.report.pictures import visualized_pictures
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.sets import set_card
from gastric_keras.runs.shapes import (
    ListedPicture,
    Provenance,
    read_fit,
    read_history,
    read_pictures,
    read_provenance,
    read_transfer,
)
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json
from tests.helpers.fake_runs import add_pictures, add_quality, make_run
from tests.helpers.small_sets import write_small_set

DONE = {"best_epoch": 1, "val_auc": 0.9, "epochs": 2, "steps": 9, "seconds": 1.5}


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    config = make_run(tmp_path, "one")
    return RunDir(tmp_path / "runs" / config.name)


def test_what_was_written_comes_back(run_dir: RunDir) -> None:
    made = read_provenance(run_dir.provenance)
    assert made.commit == "0123456789ab" and made.packages["tensorflow-io"] is None
    (folder,) = made.records
    assert len(made.manifest_sha256(folder) or "") == 64
    assert made.manifest_sha256("elsewhere") is None
    transfer = read_transfer(run_dir.transfer_report("target"))
    assert len(transfer.copied) == 5 and transfer.unused == ()
    add_pictures(run_dir, kinds=("error",))
    (picture,) = read_pictures(run_dir.pictures)
    assert picture == ListedPicture(
        "made_error.png", "error", "Made picture of kind error, of case <b>7</b>"
    )


def test_of_earlier_and_later_versions_what_is_known_is_read(run_dir: RunDir) -> None:
    write_json(run_dir.provenance, {"seed": 3, "weather": ["fine"]})
    assert read_provenance(run_dir.provenance) == Provenance(seed=3)


@pytest.mark.parametrize(
    "read, content",
    [
        (read_provenance, []),
        (read_provenance, {"seed": "3"}),
        (read_provenance, {"records": {"a": 1}}),
        (read_provenance, {"packages": ["keras"]}),
        (read_transfer, {}),
        (read_transfer, {"source": "", "copied": [1], "initialised": [], "unused": []}),
        (read_pictures, {}),
        (read_pictures, [3]),
        (read_pictures, [{"file": "a.png", "kind": "song", "text": ""}]),
    ],
)
def test_a_file_of_another_shape_is_refused(
    tmp_path: Path, read: Callable[[Path], Any], content: object
) -> None:
    path = tmp_path / "some.json"
    write_json(path, content)
    with pytest.raises(InputError, match="must .*, got path=.*make it again"):
        read(path)


@pytest.mark.parametrize("name", ["../provenance.json", "/etc/hostname", "a/b.png"])
def test_a_page_takes_no_file_of_another_folder(run_dir: RunDir, name: str) -> None:
    add_pictures(run_dir, kinds=("error",))
    write_json(run_dir.pictures, [{"file": name, "kind": "error", "text": ""}])
    with pytest.raises(InputError, match="file must be a file beside the list"):
        visualized_pictures(run_dir)


@pytest.mark.parametrize(
    "change",
    [
        {"share_kept": "x"},
        {"largest_cases": 3},
        {"source_association": 2},
        {"images": None},
        {"share_kept": 10**400},
        {"hematoxylin_auc": []},
        {"warnings": 7},
    ],
)
def test_damaged_figures_of_a_set_are_refused(tmp_path: Path, change: dict) -> None:
    folder = tmp_path / "tissue"
    write_small_set(folder, "tissue", ("a", "b"), per_class={"train": 2})
    add_quality(folder)
    assert set_card("Set", str(folder), None).quality.rows
    path = folder / "quality.json"
    write_json(path, read_json(path) | change)
    with pytest.raises(InputError, match="must hold what data_prep measures"):
        set_card("Set", str(folder), None)


def test_a_history_is_read_by_columns(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss,val_auc\n0,0.5,\n1,0.25,0.9\n")
    history = read_history(path)
    assert history["epoch"] == [0, 1] and history["loss"] == [0.5, 0.25]
    assert np.isnan(history["val_auc"][0]) and history["val_auc"][1] == 0.9
    path.write_text("epoch,loss\n")
    assert read_history(path) == {}


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"epoch,loss\n0,bad\n", "could not convert"),
        (b"epoch,loss\n0\n", "a row without 2 cells"),
        (b"epoch,loss\n0,0.5,7\n", "a row without 2 cells"),
        (b"epoch,loss,loss\n0,1,2\n", "columns"),
        (b"epochs,loss\n0,1\n", "columns"),
        (b"epoch,loss\n0,1\n0,1\n", "epochs that are not 0, 1, 2"),
        (b"epoch,loss\n1,1\n", "epochs that are not 0, 1, 2"),
        ("epoch,loss\n0,1\n".encode("utf-16"), "codec"),
    ],
)
def test_a_damaged_history_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=f"hold rows of numbers, got .*{reason}.*--force"
    ):
        read_history(path)


@pytest.mark.parametrize(
    "content",
    [[], 3, {}, DONE | {"val_auc": "x"}, DONE | {"epochs": -1}, DONE | {"val_auc": 7}],
)
def test_damaged_figures_of_a_fit_are_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "done.json"
    path.write_text(json.dumps(DONE | {"weights_sha256": "0"}))
    assert read_fit(path).val_auc == 0.9
    path.write_text(json.dumps(content))
    with pytest.raises(
        InputError, match="finished stage, best_epoch, val_auc, .*, got"
    ):
        read_fit(path)


def test_a_card_has_the_ledger_of_its_set(tmp_path: Path) -> None:
    manifest = Manifest("target", ("a", "b"), {}, {}, 0, 0.0, {}, {}, ())
    ledger = {"left_out": {"rows": 3}, "warnings": ["look"]}
    made = dataclasses.replace(manifest, config={"ledger": ledger})
    for config, lines in (
        (made, ("left out: 3 × rows", "warning: look")),
        (manifest, ()),
    ):
        write_manifest(tmp_path, config)
        assert set_card("Set", str(tmp_path), None).ledger == lines
    assert set_card("Set", str(tmp_path / "nowhere"), None).ledger == ()
