"""A network of the user's own goes through every stage that the three go through."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastric_keras import run
from gastric_keras.config.experiment import BackboneConfig, ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.runs.run_dir import RUN_STAGES, RunDir
from gastric_keras.runs.shapes import read_layer_scores
from gastric_keras.serving.exported_model import load_exported
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object
from tests.helpers.own_network import registered
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_models import draw_patches


def test_an_own_network_goes_through_every_stage(tmp_path: Path) -> None:
    with registered() as name:
        _go_through(tmp_path, name)
    # Who did not register it cannot read what it left.
    with pytest.raises(InputError, match="one of vgg16, .*, got 'two_blocks'"):
        config_io.load(ExperimentConfig, tmp_path / "own.yaml")


def _go_through(folder: Path, name: str) -> None:
    config = write_experiment(
        folder,
        "own",
        target={"train": 6, "validation": 4, "test": 4},
        mid={"train": 4, "validation": 2},
        fit=FitConfig(epochs=1, batch_size=4, trainable_from="conv2"),
        mid_fit=FitConfig(epochs=1, batch_size=4),
        backbone=BackboneConfig(name, "none", image_size=16),
    )
    config_io.save(config, folder / "own.yaml")
    for stage in ("all", "probe"):
        assert run.main(["--stage", stage, "--config", str(folder / "own.yaml")]) == 0
    run_dir = RunDir(Path(config.runtime.output) / "own")
    assert all(run_dir.done(stage).is_file() for stage in (*RUN_STAGES, "probe"))
    # Two convolutions and a batch normalization came from t=1; the head did not.
    warm = read_object(run_dir.transfer_report("target"))
    assert len(warm["copied"]) == 8 and set(warm["initialised"]) == {
        "head/kernel",
        "head/bias",
    }
    figures = {path.name for path in run_dir.figures.iterdir()}
    assert "filters.png" in figures
    for block in ("block1", "block2"):
        assert any(name.endswith(f"_{block}.png") for name in figures)
    assert any(name.startswith("gradcam_") for name in figures)
    assert [
        (row.stage, row.layer) for row in read_layer_scores(run_dir.layer_scores)
    ] == [
        (stage, layer)
        for stage in ("initial", "mid", "target")
        for layer in ("pool1", "pool2")
    ]
    assert "Two blocks fine-tuned" in run_dir.report_html.read_text()
    card = (run_dir.export / "1" / "model_card.md").read_text()
    assert "Two blocks, two classes: benign, malignant" in card
    model = load_exported(run_dir.export)
    assert model.size == 16 and model.metadata["backbone"] == name
    answer = model.predict(draw_patches(3, 16, 16))
    assert answer.probability.shape == (3,)
