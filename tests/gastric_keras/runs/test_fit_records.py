"""History and figures of a fit: whole, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.runs.fit_records import read_done, read_history
from gastric_keras.support.errors import InputError

DONE = {"best_epoch": 1, "val_auc": 0.9, "epochs": 2, "steps": 9, "seconds": 1.5}


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
        (b"epoch,loss\n0\n", "a row that has not 2 cells"),
        (b"epoch,loss\n0,0.5,7\n", "a row that has not 2 cells"),
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
    with pytest.raises(InputError, match=f"of numbers was expected.*{reason}.*--force"):
        read_history(path)


@pytest.mark.parametrize(
    "content",
    [[], 3, {}, DONE | {"val_auc": "x"}, DONE | {"epochs": -1}, DONE | {"val_auc": 7}],
)
def test_damaged_figures_of_a_fit_are_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "done.json"
    path.write_text(json.dumps(DONE | {"weights_sha256": "0"}))
    assert read_done(path)["val_auc"] == 0.9
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="best_epoch, val_auc, .* were expected. Rec"):
        read_done(path)
