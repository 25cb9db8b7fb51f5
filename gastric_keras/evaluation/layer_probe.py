"""--stage probe: what a linear probe can read off each layer, before and after t=1.

How good a mid-level set is for a question shows in the features it leaves: a logistic
regression on the pooled features of a layer (Alain & Bengio 2016, arXiv 1610.01644) is
fitted on the training patches of the target and scored on its validation patches. The
test split is not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

import keras
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from gastric_keras.config.backbones import find_backbone
from gastric_keras.config.experiment import LADDER, ExperimentConfig
from gastric_keras.data.stage_data import class_weight, training_data, validation_data
from gastric_keras.figures.style import STYLE, WIDTH, png_of, style_of
from gastric_keras.models.inference import build_forward, predict
from gastric_keras.models.layers import find_layers
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import require_target
from gastric_keras.runs.shapes import LayerScore
from gastric_keras.support.files import write_csv, write_json
from gastric_keras.training.head_probe import fit_head
from gastric_keras.training.start import load_stage


def run_probe(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage probe: the table ``probe/layers.csv`` and its picture.

    Args:
        config: of the run.
        run_dir: with a finished stage target.
        force: do it again.

    Raises:
        InputError: an earlier stage is not finished.
    """
    scores = run_dir.layer_scores
    if run_dir.done("probe").is_file() and scores.is_file() and not force:
        print(f"probe: finished, {scores.name} is in {run_dir.stage('probe')}")
        return
    require_target(run_dir)
    run_dir.done("probe").unlink(missing_ok=True)
    rows = []
    for stage in config.ladder:
        rows += probe_layers(config, load_stage(config, run_dir, stage), stage=stage)
        last = rows[-1]
        print(f"probe: {stage}, {last.layer}: validation AUC {last.val_auc:.4f}")
    names = [field.name for field in fields(LayerScore)]
    write_csv(run_dir.layer_scores, names, [astuple(row) for row in rows])
    plot_layers(run_dir.layer_picture, scores=rows)
    write_json(run_dir.done("probe"), {"layers": run_dir.layer_scores.name})


def probe_layers(
    config: ExperimentConfig, model: keras.Model, *, stage: str
) -> list[LayerScore]:
    """Probe every block of a classifier's backbone.

    Args:
        config: of the run; its target section names the patches.
        model: a classifier with that backbone.
        stage: name for the scores.

    Returns:
        One score a layer, from the input on.
    """
    target, taps = config.target, _taps(config.backbone.name, model)
    train, label = _features(config, taps, "train")
    held_out, truth = _features(config, taps, "validation")
    scores, start, is_two = [], 0, not target.is_multiclass
    network = model.get_layer("backbone")
    for layer in find_layers(network, find_backbone(config.backbone.name)).probed:
        channels = network.get_layer(layer).output.shape[-1]
        part = slice(start, start + channels)
        kernel, bias = fit_head(
            train[:, part],
            label,
            strength=target.fit.probe_strength,
            balance=class_weight(target) is not None,
        )
        logit = held_out[:, part] @ kernel + bias
        # Of two classes their difference ranks; of more, each against the rest.
        score = logit[:, 1] - logit[:, 0] if is_two else softmax(logit, axis=1)
        auc = float(roc_auc_score(truth, score, multi_class="ovr"))
        scores.append(LayerScore(stage, layer, channels, auc))
        start += channels
    return scores


def _taps(backbone: str, model: keras.Model) -> keras.Model:
    """uint8 patches to the pooled features of every probed layer, side by side."""
    kind, network = find_backbone(backbone), model.get_layer("backbone")
    probed = find_layers(network, kind).probed
    outputs = [network.get_layer(name).output for name in probed]
    pooled = [keras.layers.GlobalAveragePooling2D()(x) for x in outputs]
    features = keras.Model(network.input, keras.layers.Concatenate()(pooled))
    inputs = keras.Input(model.input_shape[1:], dtype="uint8")
    prepared = kind.preprocess(keras.ops.cast(inputs, "float32"))
    return keras.Model(inputs, features(prepared))


def _features(
    config: ExperimentConfig, taps: keras.Model, split: str
) -> tuple[np.ndarray, np.ndarray]:
    seed, size = config.seed, config.backbone.image_size
    if split == "train":
        dataset = training_data(config.target, seed=seed, image_size=size).plain()
    else:
        dataset = validation_data(config.target, seed=seed, image_size=size)
    columns = predict(build_forward(taps), dataset)
    return columns["probability"].astype(np.float32), columns["label"]


def plot_layers(path: Path | None, *, scores: Sequence[LayerScore]) -> bytes:
    """A line for each stage over the layers.

    Args:
        path: PNG to write; None: only return it.
        scores: of one run, each stage with the same layers.

    Returns:
        The PNG.
    """
    layers = list(dict.fromkeys(score.layer for score in scores))
    with rc_context(STYLE):
        figure = Figure((WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for i, stage in enumerate(dict.fromkeys(score.stage for score in scores)):
            values = [score.val_auc for score in scores if score.stage == stage]
            style = style_of(i)
            axes.plot(values, marker="o", ms=4, label=LADDER[stage], **style)
        axes.set_xticks(range(len(layers)), layers, rotation=45, ha="right")
        axes.set(ylabel="validation AUC", title="Linear probe of each layer")
        axes.legend(loc="best")
        return png_of(figure, path)
