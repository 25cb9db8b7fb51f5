"""TensorBoard in a real browser: what a user sees of two stages and of a grid."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gastric_keras.config.experiment import ExperimentConfig, RuntimeConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.grid import Axis, GridConfig
from gastric_keras.grid.hparams import write_row
from gastric_keras.grid.rows import GridRow
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.training import ladder as stages
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.start import load_stage
from gastric_keras.visualization import projector
from gastric_keras.visualization.projector import (
    SPRITE_SIZE,
    choose_patches,
    write_projector,
)
from tests.helpers.small_experiments import write_experiment

NAMES = ("few-s0", "all-s0")


@dataclass(frozen=True)
class Watched:
    """A grid whose second cell was trained in two stages, here."""

    config: ExperimentConfig
    run_dir: RunDir
    folder: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    root = tmp_path_factory.mktemp("board")
    grid = GridConfig(
        "a-grid", "none", (Axis("labels", {"few": (), "all": ()}),), output=str(root)
    )
    config = write_experiment(
        root,
        NAMES[1],
        mid={"train": 2, "validation": 2},
        mid_fit=FitConfig(2, batch_size=6),
        target={"train": 3, "validation": 5},
        fit=FitConfig(1, batch_size=6),
        runtime=RuntimeConfig(output=str(grid.folder)),
    )
    run_dir = RunDir(grid.folder / config.name)
    stages.run_mid(config, run_dir)
    stages.run_target(config, run_dir)
    models = {stage: load_stage(config, run_dir, stage) for stage in config.ladder}
    write_projector(config, run_dir, models)
    for name, auc in zip(NAMES, (0.625, 0.8125), strict=True):
        values = {"labels": name.split("-")[0]}
        write_row(grid, name, GridRow(values, 0, auc, {"test_auc": 0.5}))
    return Watched(config, run_dir, grid.folder)


def test_the_projector_has_the_features_of_every_stage(watched: Watched) -> None:
    folder = watched.run_dir.projector
    records = choose_patches(watched.config.target.records)
    assert len(records) == 10
    with open(folder / "metadata.tsv", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["case"] for row in rows] == [record.case_id for record in records]
    assert {row["split"] for row in rows} == {"validation"}
    assert rows[1]["label"] == ("benign", "malignant")[records[1].label]
    with Image.open(folder / "sprite.png") as image:
        # Ten patches in a square of four by four.
        assert image.size == (4 * SPRITE_SIZE, 4 * SPRITE_SIZE)
    found = {
        stage: np.loadtxt(folder / f"features_{stage}.tsv", delimiter="\t")
        for stage in ("initial", "mid", "target")
    }
    assert {values.shape for values in found.values()} == {(10, 256)}
    assert not np.allclose(found["initial"], found["mid"])
    assert not np.allclose(found["mid"], found["target"])


def test_features_in_half_precision_are_written_as_numbers() -> None:
    features = tf.constant([[0.5, -2.0], [1024.0, 0.0]], tf.bfloat16).numpy()
    assert projector._tsv(features) == "0.5\t-2\n1024\t0\n"


def test_patches_are_chosen_the_same_every_time(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = choose_patches(watched.config.target.records)
    monkeypatch.setattr("gastric_keras.visualization.projector.LIMIT", 4)
    some = choose_patches(watched.config.target.records)
    assert len(some) == 4 and [r for r in every if r in some] == some


@pytest.fixture(scope="module")
def url(watched: Watched) -> Iterator[str]:
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    from tests.helpers.tensorboard_pages import serve

    with serve(watched.folder) as address:
        yield address


def test_a_browser_shows_curves_pictures_and_the_table(
    url: str, watched: Watched
) -> None:
    from tests.helpers import tensorboard_pages as pages

    with pages.open_browser() as page:
        pages.show_scalars(page, url)
        card = page.locator("scalar-card").filter(has_text="scores/auc")
        for stage in ("mid", "target"):
            card.get_by_text(f"{NAMES[1]}/{stage}/validation").first.wait_for()
        text = card.inner_text()
        for stage, step in (("mid", 2), ("target", 3)):
            value = read_epochs(watched.run_dir.history(stage))[-1]["val_auc"]
            assert f"{NAMES[1]}/{stage}/validation" in text
            assert f"{value:.4g}" in text and str(step) in text
        pages.show_images(page, url)
        for name in ("confusion", "precision_recall", "roc"):
            page.locator("image-card").filter(has_text=name).first.wait_for()
        pages.show_hparams(page, url)
        for word in ("labels", "seed", "val_auc", "test_auc", *NAMES, "0.81250"):
            page.get_by_text(word, exact=True).locator("visible=true").first.wait_for()


def test_a_browser_shows_the_points_of_a_stage(url: str) -> None:
    from tests.helpers import tensorboard_pages as pages

    with pages.open_browser(webgl=True) as page:
        frame = pages.show_projector(page, url, tensor="t=1 (mid)")
        assert frame.locator(".numDataPoints").inner_text() == "10"
        assert frame.locator(".dim").first.inner_text() == "256"
        assert frame.locator("#scatter canvas").count() >= 1
        assert "t=0 (initial)" in frame.locator("paper-listbox").first.inner_text()
