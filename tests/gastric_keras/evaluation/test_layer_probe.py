"""A linear probe of each layer, on a run whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.evaluation import layer_probe
from gastric_keras.evaluation.layer_probe import probe_layers, run_probe
from gastric_keras.models.classifier import build_classifier
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.shapes import LayerScore, read_layer_scores
from gastric_keras.support.errors import InputError
from gastric_keras.training import ladder as stages
from gastric_keras.training.head_probe import extract_features, probe_head
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_models import SMALL


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("probe")
    return write_experiment(
        root,
        "probed",
        target={"train": 9, "validation": 6, "test": 3},
        fit=FitConfig(epochs=0, batch_size=6, head="probe"),
    )


def test_every_layer_of_every_stage_is_probed(
    config: ExperimentConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    with pytest.raises(InputError, match="Stage target must be finished"):
        run_probe(config, run_dir)
    stages.run_target(config, run_dir)
    run_probe(config, run_dir)
    scores = read_layer_scores(run_dir.layer_scores)
    layers = list(BACKBONES["alexnet"].probed_layers)
    assert [s.stage for s in scores] == ["initial"] * 6 + ["target"] * 6
    assert [s.layer for s in scores] == layers * 2
    assert [s.channels for s in scores[:6]] == [64, 192, 384, 256, 256, 256]
    # More dots, higher label: even random filters see that.
    assert min(s.val_auc for s in scores) > 0.8
    with Image.open(run_dir.stage("probe") / "layers.png") as picture:
        assert picture.format == "PNG"
    capsys.readouterr()
    run_probe(config, run_dir)
    assert "probe: finished" in capsys.readouterr().out
    run_dir.reopen("target")
    assert not run_dir.done("probe").exists()


def test_the_last_layer_scores_as_the_probed_head(
    config: ExperimentConfig,
) -> None:
    keras.utils.set_random_seed(1)
    model = build_classifier("alexnet", 2, image_size=64, weights="none")
    last = probe_layers(config, model, stage="initial")[-1]
    from sklearn.metrics import roc_auc_score

    from gastric_keras.data.pipeline import eval_dataset
    from gastric_keras.data.selection import Selection

    def dataset(split: str) -> object:
        selection = Selection(config.target.records, split)
        return eval_dataset(selection, image_size=64, batch_size=6)

    probe_head(model, dataset("train"), strength=0.1, balance=True)
    features, label = extract_features(model, dataset("validation"))
    head = model.get_layer("head")
    logit = features @ head.kernel.numpy() + head.bias.numpy()
    wanted = roc_auc_score(label, logit[:, 1] - logit[:, 0])
    assert last.val_auc == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("backbone", ["vgg16", "inception_v3"])
def test_the_taps_are_the_pooled_layers(
    backbone: str, classifiers: dict[str, tuple]
) -> None:
    model = classifiers[backbone][0]
    taps = layer_probe._taps(backbone, model)
    size = SMALL[backbone]
    patches = np.random.default_rng(0).integers(0, 256, (2, size, size, 3))
    found = taps(patches.astype(np.uint8), training=False).numpy()
    names = BACKBONES[backbone].probed_layers
    network = model.get_layer("backbone")
    assert found.shape[1] == sum(network.get_layer(n).output.shape[-1] for n in names)
    pooled = keras.Model(model.input, model.get_layer("pool").output)
    end = pooled(patches.astype(np.uint8), training=False).numpy()
    np.testing.assert_allclose(found[:, -end.shape[1] :], end, rtol=1e-4, atol=1e-5)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layers.csv"
    path.write_text("stage,layer,channels,val_auc\nmid,conv1,64,0.5\n")
    assert read_layer_scores(path) == [LayerScore("mid", "conv1", 64, 0.5)]
    for text in ("stage,layer\nmid,conv1\n", "stage,layer,channels,val_auc\na,b,c,d\n"):
        path.write_text(text)
        with pytest.raises(InputError, match="Run --stage probe --force"):
            read_layer_scores(path)


def test_subsets_and_seeds_are_those_of_the_target(config: ExperimentConfig) -> None:
    model = build_classifier("alexnet", 2, image_size=64, weights="none")
    target = replace(config.target, subset=4, subset_seed=3)
    taps = layer_probe._taps("alexnet", model)
    few, label = layer_probe._features(replace(config, target=target), taps, "train")
    assert len(few) == 8 and np.bincount(label).tolist() == [4, 4]
    held_out, _ = layer_probe._features(
        replace(config, target=target), taps, "validation"
    )
    assert len(held_out) == 12
