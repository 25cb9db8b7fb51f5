"""The controls of the second stage: each is what it says, and no more."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.experiment import ExperimentConfig, RuntimeConfig
from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.data.batch_part import BatchPart
from gastric_keras.data.label_shuffle import shuffle_labels
from gastric_keras.data.pipeline import eval_dataset, train_dataset
from gastric_keras.data.selection import Selection
from gastric_keras.data.stage_data import extra_steps, training_data
from gastric_keras.records.subsets import key_of, read_labels
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from gastric_keras.training import ladder as stages
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.joint import MID_HEAD, JointAccuracy, build_joint, join_data
from gastric_keras.training.start import load_stage
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_models import draw_patches

FIT = FitConfig(epochs=2, batch_size=6, head="probe", learning_rate=1e-5)

# No test here looks at them.
pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("controls")
    return write_experiment(
        root,
        "controls",
        mid={"train": 10, "validation": 3},
        target={"train": 6, "validation": 4, "test": 4},
        fit=FIT,
        runtime=RuntimeConfig(output=str(root / "runs"), deterministic=True),
    )


def _variant(config: ExperimentConfig, name: str, **changes: object) -> tuple:
    assert config.mid is not None
    mid = replace(config.mid, variant=name, **changes)  # type: ignore[arg-type]
    config = replace(config, name=name, mid=mid)
    return config, RunDir(Path(config.runtime.output) / name)


def _run(config: ExperimentConfig, run_dir: RunDir) -> dict:
    stages.run_mid(config, run_dir)
    stages.run_target(config, run_dir)
    return read_json(run_dir.done("target"))


def test_shuffled_labels_are_the_same_labels_on_other_patches(
    config: ExperimentConfig,
) -> None:
    assert config.mid is not None
    folder = config.mid.records
    true = read_labels(folder, "train")

    def dealt(seed: int) -> dict[str, int]:
        labeler = shuffle_labels(folder, "train", seed=seed)
        paths = sorted(str(p) for p in Path(folder).glob("train-*"))
        return {
            raw_key.decode(): int(label)
            for raw_key, label in tf.data.TFRecordDataset(paths)
            .map(lambda raw: (key_of(raw), labeler(raw)))
            .as_numpy_iterator()
        }

    once = dealt(3)
    assert once == dealt(3) and once != dealt(4)
    assert Counter(once.values()) == Counter(true.values())
    # A third agrees by chance.
    assert 0.1 < np.mean([once[key] == true[key] for key in true]) < 0.7


def test_both_pipelines_give_the_dealt_labels(config: ExperimentConfig) -> None:
    assert config.mid is not None
    folder = config.mid.records
    labeler = shuffle_labels(folder, "train", seed=0)
    dealt = Selection(folder, labeler=labeler)
    plain = eval_dataset(dealt, image_size=64, batch_size=30).get_single_element()
    wanted = {
        image.tobytes(): int(label)
        for image, label in zip(plain["image"].numpy(), plain["label"], strict=True)
    }
    assert list(wanted.values()) != list(read_labels(folder, "train").values())
    batches = train_dataset(dealt, image_size=64, batch_size=30, epochs=1)
    images, labels = batches.get_single_element()
    for image, label in zip(images.numpy(), labels, strict=True):
        assert wanted[image.tobytes()] == int(label)


def test_shuffled_labels_reach_the_trained_t1(config: ExperimentConfig) -> None:
    true, shuffled = replace(config, name="true"), _variant(config, "shuffled_labels")
    stages.run_mid(true, RunDir(Path(config.runtime.output) / "true"))
    done = _run(*shuffled)
    assert done["steps"] == 4
    # Its validation labels are shuffled as well: the last epoch, not the luckiest.
    mid = read_json(shuffled[1].done("mid"))
    rows = read_epochs(shuffled[1].history("mid"))
    assert (mid["best_epoch"], mid["val_auc"]) == (1, rows[1]["val_auc"])
    report = read_json(shuffled[1].transfer_report("target"))
    assert report["source"].endswith("best.weights.h5")
    heads = [
        load_stage(each, RunDir(Path(config.runtime.output) / each.name), "mid")
        .get_layer("head")
        .kernel.numpy()
        for each in (true, shuffled[0])
    ]
    assert np.abs(heads[0] - heads[1]).max() > 1e-3


def test_more_updates_are_those_of_both_stages(config: ExperimentConfig) -> None:
    # t=1 would be 2 epochs of 5 updates, t=2 is 2 epochs of 2.
    assert extra_steps(config) == 0
    more, run_dir = _variant(config, "more_updates")
    assert extra_steps(more) == 5
    done = _run(more, run_dir)
    # As many looks at validation as without, and the same cosine over more steps.
    assert (done["epochs"], done["steps"]) == (2, 2 * (2 + 5))
    assert not run_dir.stage("mid").exists()
    assert read_json(run_dir.transfer_report("target"))["source"].startswith("weights")


def test_more_steps_go_on_through_the_passes(config: ExperimentConfig) -> None:
    section = replace(config.target, fit=replace(FIT, epochs=3))
    options = {"seed": 1, "image_size": 64}
    data = training_data(section, extra_steps=3, **options)  # type: ignore[arg-type]
    whole = list(data.batches(0).as_numpy_iterator())
    assert len(whole) == 3 * (2 + 3) and data.steps_per_epoch == 5
    # The first pass is that of a fit without more steps.
    plain = training_data(section, **options)  # type: ignore[arg-type]
    pairs = list(zip(whole, plain.batches(0).as_numpy_iterator()))
    assert len(pairs) == 6
    resumed = list(data.batches(1).as_numpy_iterator())
    assert len(resumed) == 10
    pairs += zip(whole[5:], resumed, strict=True)
    for a, b in pairs:
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    # Batch 5 is the second of the third pass.
    assert data.keys(5) == plain.keys(5)


def test_what_a_control_cannot_do_is_refused(config: ExperimentConfig) -> None:
    with pytest.raises(InputError, match="must not go by validation with variant: sh"):
        _variant(config, "shuffled_labels", fit=replace(FIT, patience=2))
    target = replace(config.target, fit=replace(FIT, epochs=0))
    with pytest.raises(
        InputError, match="target.fit.epochs must be at least 1 without"
    ):
        _variant(replace(config, target=target), "more_updates")


def test_a_probe_moves_no_backbone_and_is_the_regression(
    config: ExperimentConfig,
) -> None:
    fit = replace(FIT, epochs=0)
    probe = replace(
        config, name="probe", mid=None, target=replace(config.target, fit=fit)
    )
    run_dir = RunDir(Path(config.runtime.output) / "probe")
    done = _run(probe, run_dir)
    assert (done["epochs"], done["steps"], done["best_epoch"]) == (0, 0, 0)
    (row,) = read_epochs(run_dir.history("target"))
    assert row["val_auc"] == done["val_auc"] > 0.8
    start, end = (load_stage(probe, run_dir, s) for s in ("initial", "target"))
    for a, b in zip(
        start.get_layer("backbone").weights,
        end.get_layer("backbone").weights,
        strict=True,
    ):
        assert np.array_equal(a, b)
    assert np.abs(end.get_layer("head").kernel.numpy()).max() > 0


def test_joint_has_two_heads_on_one_backbone() -> None:
    from gastric_keras.models.classifier import build_classifier

    model = build_classifier("alexnet", 2, image_size=64, weights="none")
    both = build_joint(model, 3)
    patches = draw_patches(5, 64, 64)
    joined = both(patches, training=False).numpy()
    np.testing.assert_allclose(joined[:, :2], model(patches, training=False), atol=1e-6)
    np.testing.assert_allclose(joined[:, 2:].sum(axis=1), 1, rtol=1e-6)
    assert both.get_layer("backbone") is model.get_layer("backbone")
    # The loss of a patch is that of its own head, plus a constant.
    label = np.array([0, 1, 2, 3, 4])
    loss = keras.losses.SparseCategoricalCrossentropy(reduction="none")(label, joined)
    own = -np.log(joined[np.arange(5), label])
    np.testing.assert_allclose(loss, own + np.log(2), rtol=1e-5)


def test_joint_accuracy_asks_each_patch_its_own_head() -> None:
    metric = JointAccuracy(2)
    probability = tf.constant([[0.4, 0.6, 0.9, 0.1, 0], [0.9, 0.1, 0.2, 0.3, 0.5]])
    metric.update_state([[1], [3]], probability)
    assert float(metric.result()) == 0.5


def test_joint_batches_hold_both_sets_from_any_epoch_on(
    config: ExperimentConfig,
) -> None:
    assert config.mid is not None
    mid = replace(config.mid, fit=replace(FIT, epochs=9), augment=AugmentConfig())
    target = replace(config.target, fit=replace(FIT, epochs=7))
    data = join_data(
        training_data(target, seed=1, image_size=64),
        training_data(mid, seed=1, image_size=64),
        target_classes=2,
    )
    whole = list(data.batches(0).as_numpy_iterator())
    assert len(whole) == 14 and data.steps_per_epoch == 2
    for images, labels in whole:
        assert images.shape == (12, 64, 64, 3)
        assert set(labels[:6]) <= {0, 1} and set(labels[6:]) <= {2, 3, 4}
    resumed = list(data.batches(3).as_numpy_iterator())
    for a, b in zip(whole[6:], resumed, strict=True):
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    assert len(data.keys(0)) == 12
    # A worker has rows of both sets, not the whole batch of one.
    part = BatchPart(1, 2)
    half = join_data(
        training_data(target, seed=1, image_size=64, part=part),
        training_data(mid, seed=1, image_size=64, part=part),
        target_classes=2,
    )
    found = next(half.batches(0).as_numpy_iterator())
    for wanted, one in zip(whole[0], found, strict=True):
        assert np.array_equal(wanted[[3, 4, 5, 9, 10, 11]], one)


@pytest.mark.parametrize("stage", ["mid", "target"])
def test_no_batch_of_a_joint_run_is_uneven_among_devices(
    config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    joint, run_dir = _variant(config, "joint")
    section = replace(getattr(joint, stage), fit=replace(FIT, batch_size=5))
    joint = replace(joint, **{stage: section})
    two = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(stages, "build_strategy", lambda devices: two)
    rule = f"{stage}.fit.batch_size must be a multiple of the 2 devices, got 5. Take 4."
    with pytest.raises(InputError, match=rule):
        stages.run_target(joint, run_dir)


def test_a_joint_run_keeps_the_target_classifier_and_resumes_to_the_bit(
    config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, run_dir = _variant(config, "joint")
    done = _run(whole, run_dir)
    assert (done["epochs"], done["steps"]) == (2, 14)
    model = load_stage(whole, run_dir, "target")
    assert MID_HEAD not in [layer.name for layer in model.layers]
    rows = read_epochs(run_dir.history("target"))
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
    assert all(row["val_auc"] > 0.8 for row in rows)

    broken = replace(whole, name="joint-broken")
    broken_dir = RunDir(Path(config.runtime.output) / broken.name)
    _stop_after_epoch(1, broken, broken_dir, monkeypatch)
    stages.run_target(broken, broken_dir)
    keys = ("loss", "accuracy", "val_loss", "val_auc")
    a, b = (
        [[row[key] for key in keys] for row in read_epochs(d.history("target"))]
        for d in (run_dir, broken_dir)
    )
    assert a == b and len(a) == 2


def _stop_after_epoch(
    number: int,
    config: ExperimentConfig,
    run_dir: RunDir,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gastric_keras.training.snapshots import Snapshots

    saved = Snapshots.on_epoch_end

    def save_and_die(self: Snapshots, epoch: int, logs: dict | None = None) -> None:
        saved(self, epoch, logs)
        if epoch + 1 == number:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Snapshots, "on_epoch_end", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            stages.run_target(config, run_dir)
