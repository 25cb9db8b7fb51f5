"""The HParams table: a row a run, however often it is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from gastric_keras.config.grid import Axis, GridConfig
from gastric_keras.grid.hparams import has_row, write_row
from gastric_keras.grid.rows import GridRow
from gastric_keras.training.tensorboard import PATTERN
from tests.helpers.events import read_events

GRID = GridConfig(
    name="a-grid",
    base="none.yaml",
    axes=(Axis("labels", {"n20": (), "all": ()}), Axis("path", {"tissue": ()})),
    seeds=(0, 3),
)
ROW = GridRow({"labels": "all", "path": "tissue"}, 3, 0.75)


def test_a_row_written_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    grid = replace(GRID, output=str(tmp_path))
    assert not has_row(grid, "all-tissue-s3")
    # Curves of the run's stages lie in folders inside, and stay.
    curves = tmp_path / "a-grid/all-tissue-s3/target/train/events.out.tfevents.1"
    curves.parent.mkdir(parents=True)
    curves.touch()
    write_row(grid, "all-tissue-s3", ROW)
    write_row(
        grid, "all-tissue-s3", replace(ROW, val_auc=0.875, tests={"test_auc": None})
    )
    assert has_row(grid, "all-tissue-s3") and curves.is_file()
    events = read_events(grid.folder / "all-tissue-s3")
    [(_, value)] = events["summary/val_auc"]
    assert value == np.float32(0.875)
    assert "summary/test_auc" not in events


def test_what_a_run_was_given_is_told_in_words(tmp_path: Path) -> None:
    grid = replace(GRID, output=str(tmp_path))
    write_row(grid, "all-tissue-s3", replace(ROW, best_epoch=2, seconds=9.0))
    start = _read(grid.folder / "all-tissue-s3").session_start_info
    assert start.group_name == "all-tissue-s3"
    given = {name: value.string_value for name, value in start.hparams.items()}
    assert given == {"labels": "all", "path": "tissue", "seed": "3"}
    head = _read(grid.folder).experiment
    assert [info.name for info in head.hparam_infos] == ["labels", "path", "seed"]
    assert [info.display_name for info in head.metric_infos] == ["val_auc"]


def _read(folder: Path) -> HParamsPluginData:
    """What the HParams plugin finds in the one event file of a folder."""
    (path,) = folder.glob(PATTERN)
    for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        for value in Event.FromString(raw).summary.value:
            if value.tag.startswith("_hparams_"):
                content = value.metadata.plugin_data.content
                return HParamsPluginData.FromString(content)
    raise AssertionError(f"no hyperparameters in {path}")
