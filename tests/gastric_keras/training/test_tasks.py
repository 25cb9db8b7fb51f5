"""What t=1 can learn beside classes: losses by hand, and each task as a whole."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig, MidConfig
from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.config.mid import ContrastConfig
from gastric_keras.data.contrast import crop_views, pair_views
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.shapes import read_fit, read_history
from gastric_keras.support.errors import InputError
from gastric_keras.training import ladder as stages
from gastric_keras.training.contrast import (
    ContrastiveAccuracy,
    NTXent,
    contrast_scores,
)
from gastric_keras.training.head_probe import fit_head, fit_linear_head
from gastric_keras.training.start import build_start
from gastric_keras.training.tasks import measure_scores, share_scores
from tests.helpers.events import read_events
from tests.helpers.quantity_sets import write_quantity_set
from tests.helpers.small_experiments import TISSUE, write_experiment

FIT = FitConfig(epochs=2, batch_size=6)
MEASURES = ("count", "area")


def test_nt_xent_is_its_formula() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6, 4))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i, own in enumerate(unit):
        others = [math.exp(own @ unit[k] / 0.2) for k in range(6) if k != i]
        losses.append(-math.log(math.exp(own @ unit[i ^ 1] / 0.2) / sum(others)))
    wanted = float(np.mean(losses))
    found = NTXent(0.2)(tf.zeros(6), tf.constant(z, tf.float32))
    assert float(found) == pytest.approx(wanted, rel=1e-5)
    scores = contrast_scores(z, temperature=0.2)
    assert scores["val_loss"] == pytest.approx(wanted)
    metric = ContrastiveAccuracy()
    metric.update_state(tf.zeros(6), tf.constant(z, tf.float32))
    assert float(metric.result()) == pytest.approx(scores["val_contrast"])
    # Neither the length of a projection nor a turn of all of them counts.
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = contrast_scores(3 * z @ turn, temperature=0.2)
    assert turned == pytest.approx(scores)


def test_equal_views_are_always_found() -> None:
    z = np.repeat(np.eye(4), 2, axis=0)
    assert contrast_scores(z, temperature=0.5)["val_contrast"] == 1


def test_views_come_in_pairs_and_by_seed_alone() -> None:
    rng = np.random.default_rng(0)
    images = tf.constant(rng.integers(0, 255, (3, 16, 16, 3)), tf.uint8)
    none = AugmentConfig(flip=False, turn=False, stain=0)
    plain = pair_views(images, tf.constant([1, 2]), none, crop=0)
    np.testing.assert_array_equal(plain, np.repeat(images, 2, axis=0))
    one = pair_views(images, tf.constant([1, 2]), AugmentConfig(), crop=0.5)
    same = pair_views(images, tf.constant([1, 2]), AugmentConfig(), crop=0.5)
    np.testing.assert_array_equal(one, same)
    assert one.dtype == tf.uint8 and (one[0].numpy() != one[1].numpy()).any()
    flat = tf.fill((2, 8, 8, 3), tf.constant(7, tf.uint8))
    np.testing.assert_array_equal(crop_views(flat, tf.constant([0, 1]), crop=0.5), flat)


def test_scores_of_shares_by_hand() -> None:
    truth = np.array([[0.5, 0.5], [1.0, 0.0], [0.75, 0.25]])
    scores = share_scores(truth, truth, classes=("a", "b"))
    assert scores["val_mae"] == 0
    assert scores["val_rank_a"] == scores["val_rank_b"] == pytest.approx(1)
    entropy = math.log(2) - 0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert scores["val_loss"] == pytest.approx(entropy / 3)
    # The loss is least at the truth, whatever else is predicted.
    other = share_scores(truth, truth[::-1], classes=("a", "b"))
    assert other["val_loss"] > scores["val_loss"] and other["val_mae"] > 0


def test_scores_of_measures_by_hand() -> None:
    truth = np.array([[0.0, 1.0], [2.0, 1.0]])
    predicted = np.array([[0.5, 1.0], [-1.0, 1.0]])
    scores = measure_scores(truth, predicted, names=MEASURES)
    # 0.5² / 2 within a deviation, 3 − 1 / 2 beyond.
    assert scores["val_loss"] == pytest.approx((0.125 + 2.5) / 4)
    keras_loss = keras.losses.Huber(delta=1.0)(truth, predicted)
    assert scores["val_loss"] == pytest.approx(float(keras_loss))
    assert scores["val_r2_count"] == scores["val_r2"] == pytest.approx(1 - 9.25 / 2)
    assert math.isnan(scores["val_r2_area"])
    mean = measure_scores(truth, np.ones((2, 2)), names=MEASURES)
    assert mean["val_r2_count"] == pytest.approx(0)


def test_probed_heads() -> None:
    rng = np.random.default_rng(1)
    features, label = rng.normal(size=(40, 3)), np.arange(40) % 2
    features[:, 0] += label
    hard = fit_head(features, label, strength=1, balance=True)
    soft = fit_head(features, np.eye(2)[label], strength=1, balance=True)
    for one, two in zip(hard, soft, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-3)
    truth = features @ np.array([[1.0, 0], [0, 2], [0, 0]]) + 3
    kernel, bias = fit_linear_head(features, truth, strength=1e6)
    np.testing.assert_allclose(features @ kernel + bias, truth, atol=1e-3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("tasks")
    write_quantity_set(root / "shares", TISSUE, TISSUE)
    write_quantity_set(root / "measures", TISSUE, MEASURES)
    return write_experiment(root, "base", target={"train": 6, "validation": 3}, fit=FIT)


def _mid(base: ExperimentConfig, task: str, **options: object) -> ExperimentConfig:
    root = Path(base.target.records).parent
    name = "measures" if task == "measures" else "shares"
    classes = MEASURES if task == "measures" else TISSUE
    head = "random" if task == "self_supervised" else "probe"
    values: dict = {"records": str(root / name), "classes": classes}
    values |= {"fit": replace(FIT, head=head), "task": task}
    mid = MidConfig(**{**values, **options})
    return replace(base, name=task, mid=mid)


SCORES = {
    "shares": ["val_mae", *(f"val_rank_{name}" for name in TISSUE)],
    "measures": ["val_r2", "val_r2_count", "val_r2_area"],
    "self_supervised": ["val_contrast"],
}


@pytest.mark.parametrize("task", SCORES)
def test_a_task_from_its_set_to_t_2(base: ExperimentConfig, task: str) -> None:
    config = _mid(base, task)
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    stages.run_mid(config, run_dir)
    done, history = read_fit(run_dir.done("mid")), read_history(run_dir.history("mid"))
    assert done.val_auc is None and "val_auc" not in history
    assert [*done.scores] == ["val_loss", *SCORES[task]]
    values = history[SCORES[task][0]]
    best = min(values) if task == "shares" else max(values)
    assert done.score == best == values[done.best_epoch]
    events = read_events(run_dir.stage("mid") / "validation")
    assert f"scores/{SCORES[task][0].removeprefix('val_')}" in events
    assert ("validation/predicted" in events) == (task != "self_supervised")
    _, report = build_start(config, run_dir, "target")
    left = ["head/kernel", "head/bias"]
    if task == "self_supervised":
        left = ["projection/kernel", "projection/bias", *left]
    assert [*report.unused] == left and len(report.copied) == 10
    assert [*report.initialised] == ["head/kernel", "head/bias"]


def test_what_a_task_cannot_do(base: ExperimentConfig) -> None:
    cases = {
        "variant must be stepwise or more_updates with task: shares, got 'joint'": (
            "shares",
            {"variant": "joint"},
        ),
        "fit.head must be random with task: self_supervised": (
            "self_supervised",
            {"fit": replace(FIT, head="probe")},
        ),
        "contrast must be null unless task is self_supervised": (
            "shares",
            {"contrast": ContrastConfig()},
        ),
        "augment.zoom must be 0 with task: measures": (
            "measures",
            {"augment": AugmentConfig(zoom=0.25)},
        ),
        "fit.stop_at must be null with task: shares": (
            "shares",
            {"fit": replace(FIT, stop_at=0.9)},
        ),
    }
    for message, (task, options) in cases.items():
        with pytest.raises(InputError, match=message):
            _mid(base, task, **options)
    with pytest.raises(InputError, match=r"temperature must be above 0, got 0\.0"):
        ContrastConfig(temperature=0.0)


def test_a_set_without_the_numbers_of_its_task(base: ExperimentConfig) -> None:
    config = _mid(base, "measures", records=_mid(base, "shares").mid.records)
    run_dir = RunDir(Path(config.runtime.output) / "none")
    with pytest.raises(InputError, match="mid.records must hold measures with mid.tas"):
        stages.run_mid(config, run_dir)
    config = _mid(base, "measures", classes=("area", "count"))
    with pytest.raises(InputError, match="mid.classes must be the measures of"):
        stages.run_mid(config, run_dir)
