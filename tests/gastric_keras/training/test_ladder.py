"""The whole loop, small: two stages on tiny sets, skipped, resumed, refused."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from gastric_keras.config.experiment import (
    EvaluateConfig,
    ExperimentConfig,
    RuntimeConfig,
)
from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.data.pipeline import batch_keys
from gastric_keras.data.selection import Selection
from gastric_keras.records import checks as set_checks
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_json
from gastric_keras.training import ladder as stages
from gastric_keras.training.epoch_log import read_epochs
from gastric_keras.training.start import build_start, load_stage
from tests.helpers.small_experiments import TISSUE, write_experiment

FIT = FitConfig(epochs=2, batch_size=6)

# No test here looks at them.
pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    root = tmp_path_factory.mktemp("ladder")
    config = write_experiment(
        root,
        "two-stages",
        mid={"train": 6, "validation": 3},
        target={"train": 9, "validation": 5, "test": 5},
        fit=FIT,
        subsets={"small": 6},
        evaluate=EvaluateConfig(bootstrap=100),
        runtime=RuntimeConfig(output=str(root / "runs"), deterministic=False),
    )
    return replace(config, target=replace(config.target, subset="small"))


def _run_dir(config: ExperimentConfig) -> RunDir:
    return RunDir(Path(config.runtime.output) / config.name)


@pytest.fixture(scope="module")
def finished(config: ExperimentConfig) -> RunDir:
    run_dir = _run_dir(config)
    stages.run_mid(config, run_dir)
    stages.run_target(config, run_dir)
    return run_dir


def test_both_stages_leave_weights_history_and_report(finished: RunDir) -> None:
    for stage in ("mid", "target"):
        assert finished.weights(stage).is_file()
        assert len(read_epochs(finished.history(stage))) == 2
        assert not finished.snapshots(stage).exists()
        done = read_json(finished.done(stage))
        best = max(read_epochs(finished.history(stage)), key=lambda r: r["val_auc"])
        assert (done["best_epoch"], done["val_auc"]) == (best["epoch"], best["val_auc"])
    report = read_json(finished.transfer_report("target"))
    assert len(report["copied"]) == 10 and report["source"].endswith("best.weights.h5")
    assert report["initialised"] == ["head/kernel", "head/bias"] == report["unused"]


def test_target_starts_from_the_mid_backbone(
    config: ExperimentConfig, finished: RunDir
) -> None:
    mid = load_stage(config, finished, "mid")
    start, _ = build_start(config, finished, "target")
    one_stage = build_start(replace(config, mid=None), finished, "target")[0]
    for a, b in zip(
        mid.get_layer("backbone").weights,
        start.get_layer("backbone").weights,
        strict=True,
    ):
        assert np.array_equal(a, b)
    conv = "conv3"
    assert not np.array_equal(
        start.get_layer("backbone").get_layer(conv).kernel,
        one_stage.get_layer("backbone").get_layer(conv).kernel,
    )


def test_finished_stages_are_skipped_and_named(
    config: ExperimentConfig, finished: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    before = finished.weights("mid").read_bytes()
    stages.run_mid(config, finished)
    stages.run_target(config, finished)
    said = capsys.readouterr().out
    assert said.count("finished, best validation AUC") == 2
    assert str(finished.stage("mid")) in said
    assert finished.weights("mid").read_bytes() == before


def test_mid_can_be_taken_from_another_run(
    config: ExperimentConfig, finished: RunDir, capsys: pytest.CaptureFixture[str]
) -> None:
    mid = replace(config.mid, init=str(finished.weights("mid")))
    other = replace(config, name="borrowed", mid=mid)
    stages.run_mid(other, _run_dir(other))
    stages.run_target(other, _run_dir(other))
    assert "taken from" in capsys.readouterr().out
    assert read_json(_run_dir(other).transfer_report("target"))["source"] == mid.init


def test_target_before_mid_is_refused(config: ExperimentConfig) -> None:
    early = replace(config, name="early")
    with pytest.raises(
        InputError, match="Stage mid must be finished before stage target"
    ):
        stages.run_target(early, _run_dir(early))


def test_classes_that_differ_from_the_set_are_refused(config: ExperimentConfig) -> None:
    swapped = replace(config.mid, classes=("stroma", *TISSUE[:2]))
    wrong = replace(config, name="wrong", mid=swapped)
    with pytest.raises(InputError, match=r"mid.classes.*\['background', 'epithelium'"):
        stages.run_mid(wrong, _run_dir(wrong))
    assert not _run_dir(wrong).stage("mid").exists()


def test_weights_of_another_network_are_refused(
    config: ExperimentConfig, finished: RunDir
) -> None:
    mid = replace(config.mid, init=str(finished.weights("target")))
    other = replace(config, name="odd", mid=mid)
    with pytest.raises(InputError, match="stage mid of alexnet with 3 classes, got"):
        stages.run_target(other, _run_dir(other))


def test_infinite_loss_stops_with_the_batch_and_the_way_out(
    config: ExperimentConfig,
) -> None:
    fit = FitConfig(epochs=2, batch_size=6, learning_rate=1e30, schedule="constant")
    mid = replace(config.mid, fit=fit, augment=AugmentConfig(stain=0.0))
    wild = replace(config, name="wild", mid=mid)
    with pytest.raises(InputError, match="Lower mid.fit.learning_rate") as caught:
        stages.run_mid(wild, _run_dir(wild))
    found = re.search(
        r"loss=(\S+) in epoch 1, batch (\d) of 3 \((.*?)\)", str(caught.value)
    )
    assert found is not None, caught.value
    assert not math.isfinite(float(found[1]))
    keys = batch_keys(Selection(mid.records), number=int(found[2]) - 1, batch_size=6)
    assert found[3].split(", ") == keys and len(keys) == 6
    assert "there is no finished epoch yet" in str(caught.value)
    assert not _run_dir(wild).done("mid").exists()


def test_what_is_frozen_stays_and_the_rest_moves(config: ExperimentConfig) -> None:
    fit = FitConfig(epochs=1, batch_size=6, trainable_from="conv4", head="probe")
    half = replace(config, name="half", mid=None)
    half = replace(half, target=replace(config.target, fit=fit))
    stages.run_target(half, _run_dir(half))
    start = load_stage(half, _run_dir(half), "initial").get_layer("backbone")
    end = load_stage(half, _run_dir(half), "target").get_layer("backbone")
    moved = [
        name
        for name in (f"conv{i}" for i in range(1, 6))
        if not np.array_equal(start.get_layer(name).kernel, end.get_layer(name).kernel)
    ]
    assert moved == ["conv4", "conv5"]


def test_a_blend_lies_between_imagenet_and_mid(
    config: ExperimentConfig, finished: RunDir
) -> None:
    mid = replace(config.mid, blend=0.25)
    mixed, report = build_start(replace(config, mid=mid), finished, "target")
    low, high = (load_stage(config, finished, s) for s in ("initial", "mid"))
    a, b, c = (m.get_layer("backbone").get_weights() for m in (low, mixed, high))
    for start, middle, end in zip(a, b, c, strict=True):
        np.testing.assert_allclose(middle, 0.75 * start + 0.25 * end, atol=1e-6)
    assert report.source.endswith("best.weights.h5 (0.25) and none (0.75)")


def test_the_average_of_weights_is_what_is_kept(config: ExperimentConfig) -> None:
    fit = FitConfig(epochs=1, batch_size=6, learning_rate=1e-3, ema=0.5)
    mid = replace(config.mid, fit=fit)
    averaged = replace(config, name="averaged", mid=mid)
    stages.run_mid(averaged, _run_dir(averaged))
    plain = replace(averaged, name="plain", mid=replace(mid, fit=replace(fit, ema=0.0)))
    stages.run_mid(plain, _run_dir(plain))
    # Both go the same way; the average lags behind, on the near side of the end.
    start, mean, end = (
        load_stage(*each).get_layer("backbone").get_layer("conv5").kernel.numpy()
        for each in (
            (config, _run_dir(config), "initial"),
            (averaged, _run_dir(averaged), "mid"),
            (plain, _run_dir(plain), "mid"),
        )
    )
    way = np.linalg.norm(end - start)
    assert 0.2 * way < np.linalg.norm(mean - start) < 0.95 * way


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_the_head_in_float32(
    config: ExperimentConfig, precision: str
) -> None:
    # Emulated on many processors: one short epoch.
    fit = replace(FIT, epochs=1, head="probe", schedule="plateau", ema=0.5)
    mixed = replace(
        config,
        name=precision,
        mid=replace(config.mid, fit=fit),
        runtime=replace(config.runtime, precision=precision),
    )
    try:
        stages.run_mid(mixed, _run_dir(mixed))
        model = load_stage(mixed, _run_dir(mixed), "mid")
    finally:
        keras.config.set_dtype_policy("float32")
    half = precision.removeprefix("mixed_")
    backbone = model.get_layer("backbone")
    assert backbone.get_layer("conv1").compute_dtype == half
    assert backbone.get_layer("conv1").kernel.dtype == "float32"
    assert model.get_layer("head").compute_dtype == "float32"
    rows = read_epochs(_run_dir(mixed).history("mid"))
    assert len(rows) == 1 and math.isfinite(rows[0]["loss"])


def test_the_weights_that_are_kept_have_no_optimizer(finished: RunDir) -> None:
    with h5py.File(finished.weights("mid")) as stream:
        assert "optimizer" not in stream and "layers" in stream


def test_patience_ends_a_fit_early(config: ExperimentConfig) -> None:
    # With hardly any rate the validation AUC cannot rise after the first epoch.
    fit = FitConfig(epochs=9, batch_size=6, learning_rate=1e-12, patience=2)
    mid = replace(config.mid, fit=fit)
    patient = replace(config, name="patient", mid=mid)
    stages.run_mid(patient, _run_dir(patient))
    done = json.loads(_run_dir(patient).done("mid").read_text())
    assert done["epochs"] == done["best_epoch"] + 3 < 9


def test_cases_of_the_test_split_in_the_mid_level_set_are_refused(
    config: ExperimentConfig,
) -> None:
    target = read_manifest(config.target.records)
    seen = {"train": (*target.cases["train"], target.cases["test"][0])}
    mid = replace(read_manifest(config.mid.records), cases=seen)
    with pytest.raises(InputError, match="1 shared cases, first 'test-target-0-0'"):
        set_checks.check_no_shared_cases(mid, target)
    # Cases of the training split may have been seen: they judge nothing.
    set_checks.check_no_shared_cases(
        replace(mid, cases={"train": target.cases["train"]}), target
    )


def _change_manifest(folder: str, **values: object) -> None:
    path = Path(folder) / MANIFEST_NAME
    write_json(path, read_json(path) | values)


@pytest.mark.parametrize(
    "made, key, message",
    [
        (
            {"config": {"normalization": "macenko"}},
            "allow_unequal_normalization",
            "normalization must be the same in the mid-level and the target set, got "
            "mid='macenko', target=None.",
        ),
        (
            {"mpp": 5.0},
            "allow_unequal_scale",
            "must show like widths of tissue, µm, got mid=320.0, target=32.0.",
        ),
    ],
)
def test_sets_of_unequal_stain_or_scale_do_not_meet_unless_allowed(
    made: dict[str, object],
    key: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {"train": 2, "validation": 2}
    small = write_experiment(tmp_path, "unlike", mid=counts, target=counts, fit=FIT)
    assert small.mid is not None
    _change_manifest(small.mid.records, **made)
    run_dir = RunDir(tmp_path / "run")
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        stages.run_mid(small, run_dir)
    assert f"--set mid.{key}=true" in str(refused.value)
    allowed = replace(small, mid=replace(small.mid, **{key: True}))
    # The next check, so that nothing is trained here.
    unlike = replace(allowed, mid=replace(allowed.mid, classes=("a", "b")))
    with pytest.raises(InputError, match="mid.classes"):
        stages.run_mid(unlike, run_dir)
    said = capsys.readouterr().err
    assert ("a factor of 10" in said) is (key == "allow_unequal_scale")
