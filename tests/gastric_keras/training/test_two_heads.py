"""One t=1 with two heads: its rows, its loss by hand, and the whole of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.comparison.paths import PlacedRun
from gastric_keras.config.experiment import ExperimentConfig, MidConfig, RuntimeConfig
from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.config.mid import SecondSetConfig
from gastric_keras.data.batch_part import BatchPart
from gastric_keras.data.stage_data import count_steps, extra_steps
from gastric_keras.data.two_sets import heads_of, join_training, join_validation
from gastric_keras.evaluation.scoring import trained
from gastric_keras.records.checks import crossing_warnings
from gastric_keras.records.manifest import read_manifest
from gastric_keras.runs.fit_scores import head_scores
from gastric_keras.runs.provenance import collect
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.sets import leak_rows
from gastric_keras.runs.shapes import read_fit, read_history
from gastric_keras.support.errors import InputError
from gastric_keras.training import ladder as stages
from gastric_keras.training import two_heads
from gastric_keras.training.snapshots import Snapshots
from gastric_keras.training.start import build_start, load_stage
from tests.helpers.events import read_events
from tests.helpers.quantity_sets import write_quantity_set
from tests.helpers.small_experiments import (
    TISSUE,
    without_pictures,
    write_experiment,
)
from tests.helpers.small_sets import write_small_set

FIT = FitConfig(epochs=2, batch_size=6, head="probe", learning_rate=1e-5)
MEASURES = ("count", "area")
#: 18 patches of the first set and 9 of the second.
FEW = {"train": 3, "validation": 3}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("two")
    write_quantity_set(root / "shares", TISSUE, TISSUE)
    write_quantity_set(root / "measures", TISSUE, MEASURES)
    write_small_set(root / "nuclei", "nuclei", ("few", "many"), per_class=FEW)
    return write_experiment(
        root,
        "base",
        target={"train": 6, "validation": 3},
        fit=FIT,
        runtime=RuntimeConfig(output=str(root / "runs"), deterministic=True),
    )


def _second(base: ExperimentConfig, task: str, **options: object) -> SecondSetConfig:
    root = Path(base.target.records).parent
    folder, classes = {
        "classes": ("nuclei", ("few", "many")),
        "shares": ("shares", TISSUE),
        "measures": ("measures", MEASURES),
    }[task]
    return SecondSetConfig(
        str(root / folder), classes, task, **options  # type: ignore[arg-type]
    )


def _mid(
    base: ExperimentConfig,
    first: str,
    second: str | SecondSetConfig,
    **options: object,
) -> dict:
    """Arguments of a section whose sets may differ in size."""
    second = _second(base, second) if isinstance(second, str) else second
    root = Path(base.target.records).parent
    is_measured = first == "measures"
    return {
        "records": str(root / ("measures" if is_measured else "shares")),
        "classes": MEASURES if is_measured else TISSUE,
        "task": first,
        "fit": FIT,
        "second": second,
        **options,
    }


def _run(base: ExperimentConfig, name: str, **mid: object) -> tuple:
    config = replace(base, name=name, mid=MidConfig(**mid))  # type: ignore[arg-type]
    return config, RunDir(Path(config.runtime.output) / name)


def test_rows_and_the_loss_by_hand(base: ExperimentConfig) -> None:
    mid = MidConfig(**_mid(base, "classes", _second(base, "measures", weight=0.2)))
    first, second = heads_of(mid)
    rows = tf.concat(
        [
            first.rows(tf.constant([2, 0], tf.int64), tf.constant([1.0, 1.0, 0.5])),
            second.rows(tf.constant([[0.5, -3.0]]), None),
        ],
        axis=0,
    ).numpy()
    wanted = [[0.8, 0, 2, 0, 0], [1.6, 0, 0, 0, 0], [0, 0.4, 0, 0.5, -3]]
    np.testing.assert_allclose(rows, wanted, rtol=1e-6)
    answers = np.array([[0.1, 0.2, 0.7, 9, 9], [0.5, 0.3, 0.2, 9, 9], [1, 0, 0, 0, 0]])
    task = two_heads.join_tasks(first, second)
    losses = [-np.log(0.7), -np.log(0.5), (0.5**2 / 2 + 2.5) / 2]
    loss = float(task.loss()(rows, tf.constant(answers, tf.float32)))
    assert loss == pytest.approx(np.dot([0.8, 1.6, 0.4], losses) / 3, rel=1e-5)
    found = {}
    for metric in task.metrics():
        metric.update_state(tf.constant(rows), tf.constant(answers, tf.float32))
        found[metric.name] = float(metric.result())
        metric.reset_state()
        assert float(metric.result()) == 0
    # Each over its own patches, whatever they weigh.
    assert found == pytest.approx(
        {
            "first_loss": np.mean(losses[:2]),
            "first_accuracy": 1,
            "second_loss": losses[2],
            "second_error": 1.75,
        }
    )
    truth, prediction = first.own(rows, answers)
    assert truth.tolist() == [2, 0] and prediction.shape == (2, 3)


def test_the_score_that_chooses_is_the_mean_of_both(base: ExperimentConfig) -> None:
    heads = heads_of(MidConfig(**_mid(base, "shares", "measures")))
    task = two_heads.join_tasks(*heads)
    shares = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3]], np.float32)
    numbers = np.array([[0.0, 1.0], [2.0, 3.0]], np.float32)
    rows = tf.concat([heads[0].rows(shares, None), heads[1].rows(numbers, None)], 0)
    off = np.concatenate([shares[:, ::-1], numbers[:, :1], numbers[:, :1]], axis=1)
    answers = np.concatenate([off, off])
    scores = task.score(rows.numpy(), answers)
    assert [*scores] == [*task.columns]
    assert scores["val_second_r2"] == pytest.approx((1 + 0) / 2)
    good = 1 - scores["val_first_mae"], scores["val_second_r2"]
    assert scores["val_mean"] == pytest.approx(np.mean(good))
    losses = scores["val_first_loss"], scores["val_second_loss"]
    assert scores["val_loss"] == pytest.approx(np.mean(losses))
    assert [value for _, value in head_scores(scores).values()] == [
        scores["val_first_mae"],
        scores["val_second_r2"],
    ]


def test_half_of_every_batch_is_of_each_set_from_any_epoch_on(
    base: ExperimentConfig,
) -> None:
    mid = MidConfig(**_mid(base, "shares", "classes", fit=replace(FIT, epochs=4)))
    # 18 patches by 3, against 6 by 3.
    assert count_steps(mid) == 6
    data = join_training(mid, seed=1, image_size=64)
    whole = list(data.batches(0).as_numpy_iterator())
    assert len(whole) == 24 and data.steps_per_epoch == 6
    for images, rows in whole:
        assert images.shape == (6, 64, 64, 3) and rows.shape == (6, 2 + 3 + 1)
        assert (rows[::2, :2] == [1, 0]).all() and (rows[1::2, :2] == [0, 1]).all()
        np.testing.assert_allclose(rows[::2, 2:5].sum(axis=1), 1, rtol=1e-6)
    resumed = list(data.batches(3).as_numpy_iterator())
    for a, b in zip(whole[18:], resumed, strict=True):
        assert np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])
    assert len(set(data.keys(7))) == 6
    # Three workers make a third of each batch, a patch of both sets each.
    workers = (
        join_training(mid, seed=1, image_size=64, part=BatchPart(place, 3))
        for place in range(3)
    )
    made = zip(*(w.batches(0).as_numpy_iterator() for w in workers), strict=True)
    for parts, (images, rows) in zip(made, whole, strict=True):
        assert np.array_equal(np.concatenate([each[0] for each in parts]), images)
        assert np.array_equal(np.concatenate([each[1] for each in parts]), rows)
    patches = list(join_validation(mid, seed=1, image_size=64).as_numpy_iterator())
    rows = np.concatenate([batch["rows"] for batch in patches])
    assert (rows[:, :2] > 0).sum(axis=0).tolist() == [9, 6]
    updates = replace(base, mid=replace(mid, variant="more_updates"))
    assert extra_steps(updates) == 4 * 6 / base.target.fit.epochs


@pytest.fixture(scope="module")
def finished(base: ExperimentConfig) -> tuple[ExperimentConfig, RunDir]:
    config, run_dir = _run(base, "whole", **_mid(base, "classes", "measures"))
    stages.run_mid(config, run_dir)
    return config, run_dir


def test_two_heads_from_their_sets_to_t_2(
    finished: tuple[ExperimentConfig, RunDir],
) -> None:
    config, run_dir = finished
    done, history = read_fit(run_dir.done("mid")), read_history(run_dir.history("mid"))
    columns = "val_first_auc", "val_second_r2"
    assert done.val_auc is None and [*done.scores][:2] == ["val_loss", "val_mean"]
    assert {*columns} <= {*done.scores} <= {*history}
    assert {"first_loss", "second_loss"} <= {*history}
    assert done.score == max(history["val_mean"])
    assert [value for _, value in done.heads.values()] == [
        history[column][done.best_epoch] for column in columns
    ]
    # 18 patches of each set, three a batch.
    assert done.steps == 2 * 6
    events = read_events(run_dir.stage("mid") / "validation")
    assert {"validation/first_roc", "validation/second_predicted"} <= {*events}
    assert {"scores/first_auc", "scores/second_r2", "scores/second_loss"} <= {*events}
    assert "scores/second_loss" in read_events(run_dir.stage("mid") / "train")
    _, report = build_start(config, run_dir, "target")
    assert [*report.unused] == [
        *("head/kernel", "head/bias"),
        *("second_head/kernel", "second_head/bias"),
    ]
    assert [*report.initialised] == ["head/kernel", "head/bias"]
    assert len(report.copied) == 10


def test_a_broken_fit_of_two_sets_resumes_to_the_bit(
    base: ExperimentConfig,
    finished: tuple[ExperimentConfig, RunDir],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = _run(base, "broken", **_mid(base, "classes", "measures"))
    saved = Snapshots.on_epoch_end

    def save_and_die(self: Snapshots, epoch: int, logs: dict | None = None) -> None:
        saved(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, without_pictures():
        patch.setattr(Snapshots, "on_epoch_end", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            stages.run_mid(*broken)
    with without_pictures():
        stages.run_mid(*broken)
    both = finished, broken
    one, two = (read_history(run_dir.history("mid")) for _, run_dir in both)
    for column in one:
        if column not in ("seconds", "images_per_second"):
            assert one[column] == two[column], column
    models = [load_stage(*each, "mid") for each in both]
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(a, b)


def test_every_page_knows_both_sets(base: ExperimentConfig) -> None:
    config, _ = _run(base, "pages", **_mid(base, "shares", "classes"))
    assert config.mid is not None
    first, second = config.mid.sets.values()
    assert trained(config, None)["mid"] == "tissue + nuclei"
    scores = SimpleNamespace(mid="tissue + nuclei")
    run = PlacedRun(Path(), config, scores, ())  # type: ignore[arg-type]
    assert run.path == run.mid == "tissue shares + nuclei"
    assert [*collect(config).records] == [config.target.records, first, second]
    rows = leak_rows(config.target.records, config.mid.sets, {})
    assert [row.what for row in rows if "second" in row.what] == [
        "Cases in several splits of the second mid-level set",
        *(
            f"Cases of the second mid-level set in {split} of the target set"
            for split in ("train", "validation")
        ),
    ]


def test_cases_that_cross_are_counted(base: ExperimentConfig) -> None:
    manifest = read_manifest(_second(base, "classes").records)
    crossed = replace(
        manifest,
        cases={
            "train": manifest.cases["validation"],
            "validation": manifest.cases["train"][:1],
        },
    )
    assert not [*crossing_warnings(manifest)]
    assert not [*crossing_warnings(manifest, manifest)]
    (warning,) = crossing_warnings(manifest, crossed)
    number = len(manifest.cases["validation"])
    assert f"{number} of the mid-level set, 1 of the second one" in warning


def test_what_a_second_set_cannot_be(base: ExperimentConfig) -> None:
    zoomed = AugmentConfig(zoom=0.25)
    cases: dict[str, dict] = {
        "second must be null with task: self_supervised, got": {
            **{"task": "self_supervised", "fit": replace(FIT, head="random")},
        },
        "variant must be stepwise or more_updates with a second set, got 'joint'": {
            "variant": "joint"
        },
        r"fit.stop_at must be null with a second set, got stop_at=0\.9": {
            "fit": replace(FIT, stop_at=0.9)
        },
        "fit.batch_size must be even with a second set, got batch_size=5": {
            "fit": replace(FIT, batch_size=5)
        },
        r"second.augment.zoom must be 0 with second.task: measures, got zoom=0\.25": {
            "augment": zoomed
        },
    }
    for message, options in cases.items():
        with pytest.raises(InputError, match=message):
            MidConfig(**_mid(base, "classes", "measures", **options))
    with pytest.raises(InputError, match=r"weight must be in \(0, 1\), got 1\.0"):
        _second(base, "measures", weight=1.0)
    # A second set that is not zoomed may stand beside a first that is.
    own = _second(base, "measures", augment=AugmentConfig())
    first, second = MidConfig(**_mid(base, "classes", own, augment=zoomed)).parts
    assert (first.augment.zoom, second.augment.zoom) == (0.25, 0)
    wrong = replace(_second(base, "measures"), classes=("area", "count"))
    config, run_dir = _run(base, "wrong", **_mid(base, "shares", wrong))
    with pytest.raises(InputError, match="mid.second.classes must be the measures of"):
        stages.run_mid(config, run_dir)
