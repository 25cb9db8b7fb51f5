"""What an experiment may be: each refusal, and the limits that are let through."""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gastric_keras.config.experiment import (
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    ExportConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.fit import AugmentConfig, FitConfig
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from tests.helpers.paths import REPOSITORY

NAN = float("nan")


def target(**values: Any) -> TargetConfig:
    return TargetConfig(records="records/target", **values)


def mid(**values: Any) -> MidConfig:
    return MidConfig(records="records/mid", **values)


def experiment(**values: Any) -> ExperimentConfig:
    values = {"name": "run", "backbone": BackboneConfig("vgg16")} | values
    return ExperimentConfig(target=target(), **values)


DIFFERENT = "classes must have two or more different names, got"
NO_FOLDER = "name must have letters, digits, '.', '_' and '-' only, got"


@pytest.mark.parametrize(
    "build, values, wanted",
    [
        *(
            (
                partial(BackboneConfig, name),
                {"image_size": least - 1},
                f"image_size must be at least {least} px for {name}, got {least - 1}",
            )
            for name, least in (("vgg16", 32), ("alexnet", 63), ("inception_v3", 75))
        ),
        *(
            (
                FitConfig,
                {"epochs": 2, name: value},
                f"{name} must be {wanted}, got {value}",
            )
            for name, value, wanted in (
                ("trainable_from", 1.0, "in [0, 1)"),
                ("batch_size", 0, "at least 1"),
                ("shuffle_buffer", -1, "at least 1"),
                ("learning_rate", 0.0, "above 0"),
                ("learning_rate", NAN, "above 0"),
                ("learning_rate", math.inf, "above 0"),
                ("weight_decay", -1e-9, "at least 0"),
                ("patience", 0, "at least 1"),
                ("min_steps", 0, "at least 1"),
                ("plateau_patience", 0, "at least 1"),
                ("head_rate", 0.0, "above 0"),
                ("probe_strength", 0.0, "above 0"),
                ("warmup", 2.0, "in [0, 2)"),
                ("ema", 1.0, "in [0, 1)"),
                ("stop_at", 0.5, "in (0.5, 1]"),
            )
        ),
        (
            FitConfig,
            {"epochs": 0},
            "epochs must be at least 1, or 0 with head: probe, got epochs=0, head=",
        ),
        (
            FitConfig,
            {"warmup": 1.0, "schedule": "plateau"},
            "warmup must be 0 with schedule: plateau, got 1.0",
        ),
        *(
            (build, {**needed, name: value}, f"{name} must be in {range_}, got {value}")
            for build, needed, name, value, range_ in (
                (partial(BackboneConfig, "vgg16"), {}, "dropout", 1.0, "[0, 1)"),
                (partial(BackboneConfig, "vgg16"), {}, "dropout", -0.1, "[0, 1)"),
                (AugmentConfig, {}, "stain", 1.0, "[0, 1)"),
                (AugmentConfig, {}, "stain", -0.1, "[0, 1)"),
                (AugmentConfig, {}, "zoom", 1.1, "[0, 1]"),
                (AugmentConfig, {}, "color", 1.0, "[0, 1)"),
                (mid, {"classes": ("a", "b")}, "blend", 0.0, "(0, 1]"),
                (EvaluateConfig, {}, "confidence", 1.0, "(0, 1)"),
                (EvaluateConfig, {}, "confidence", 0.0, "(0, 1)"),
                (HeatmapConfig, {}, "stride", 0.0, "(0, 1]"),
                (HeatmapConfig, {}, "level", 1.1, "(0, 1]"),
                (HeatmapConfig, {}, "opacity", -0.1, "[0, 1]"),
                (HeatmapConfig, {}, "slide_mpp", 101.0, "(0, 100]"),
                (HeatmapConfig, {}, "overlay_side", 199, "[200, 2600]"),
            )
        ),
        (EvaluateConfig, {"bootstrap": 99}, "bootstrap must be at least 100, got 99"),
        (target, {"subset": 0}, "subset must be at least 1, got 0"),
        (
            mid,
            {"classes": ("a", "b"), "variant": "joint", "blend": 0.5},
            "init and blend must keep their defaults with variant: joint, got "
            "init=None, blend=0.5",
        ),
        (mid, {"classes": ("a",)}, f"{DIFFERENT} ('a',)"),
        (mid, {"classes": ("a", "b", "a")}, f"{DIFFERENT} ('a', 'b', 'a')"),
        (target, {"classes": ("a", "a")}, f"{DIFFERENT} ('a', 'a')"),
        (
            target,
            {"classes": ("a", "b", "malignant")},
            "positive must be null with 3 classes, got 'malignant'",
        ),
        (
            target,
            {"positive": None},
            "positive must be one of the classes ('benign', 'malignant'), got None",
        ),
        (target, {"ordered": True}, "ordered must be false with two classes, got True"),
        (
            target,
            {"positive": "cancer"},
            "positive must be one of the classes ('benign', 'malignant'), got 'cancer'",
        ),
    ],
)
def test_refusals(build: Any, values: dict, wanted: str) -> None:
    with pytest.raises(InputError) as error:
        build(**values)
    message = str(error.value)
    assert message.startswith(wanted)
    # The way out is never empty.
    assert len(message.removeprefix(wanted).partition(". ")[2]) > 10


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", "a\n", "../run"])
def test_a_name_that_is_no_folder(name: str) -> None:
    with pytest.raises(InputError) as error:
        experiment(name=name)
    assert str(error.value) == (
        f"{NO_FOLDER} {name!r}. It becomes the name of a folder."
    )


def test_a_subgroup_is_a_regular_expression() -> None:
    EvaluateConfig(subgroups={"hard": "low_grade|high_grade"})
    with pytest.raises(InputError, match=r"subgroups.hard must be a regular .*'\(low'"):
        EvaluateConfig(subgroups={"hard": "(low"})


def test_limits_are_let_through() -> None:
    BackboneConfig("vgg16", image_size=32, dropout=0.0)
    BackboneConfig("alexnet", image_size=63)
    BackboneConfig("inception_v3", image_size=75)
    FitConfig(epochs=1, batch_size=1, shuffle_buffer=1, patience=1)
    AugmentConfig(stain=0.0)
    EvaluateConfig(bootstrap=100)
    target(subset=1)
    target(subset="small")
    experiment(name="vgg16-large_2.b")


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment().seed = 1  # type: ignore[misc]


def test_round_trip_of_a_whole_experiment(tmp_path: Path) -> None:
    config = ExperimentConfig(
        "1e5",
        BackboneConfig("inception_v3", "none", 299, 0.2, "train"),
        target(
            subset=540,
            fit=FitConfig(
                epochs=3,
                batch_size=8,
                min_steps=5,
                learning_rate=1e-5,
                head_rate=3.0,
                schedule="constant",
                plateau_patience=4,
                warmup=0.5,
                weight_decay=1e-4,
                head="probe",
                probe_strength=1.0,
                trainable_from="mixed5",
                ema=0.9,
                balance=False,
                patience=2,
                stop_at=0.99,
                shuffle_buffer=16,
            ),
            augment=AugmentConfig(False, False, 0.3, 0.0, 0.1),
        ),
        mid(
            classes=("background", "epithelium", "stroma"),
            init="old/best.weights.h5",
            blend=0.5,
        ),
        EvaluateConfig(200, 0.9, {"hard": "low|high"}),
        ExportConfig(onnx=True),
        RuntimeConfig("out", ("GPU:0", "GPU:1"), "mixed_bfloat16", True),
        7,
    )
    path = tmp_path / "config.yaml"
    config_io.save(config, path)
    assert config_io.load(ExperimentConfig, path) == config


def test_the_reader_adds_the_path(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config_io.save(experiment(), path)
    with pytest.raises(InputError) as error:
        config_io.load(ExperimentConfig, path, ["target.fit.epochs=0"])
    assert str(error.value).startswith(f"{path}: target.fit.epochs must be at least 1")
    with pytest.raises(InputError) as error:
        config_io.load(ExperimentConfig, path, ["backbone.name=vvg16"])
    wanted = "backbone.name must be one of vgg16, alexnet, inception_v3, convnext_tiny"
    assert wanted in str(error.value)
    assert "Did you mean 'vgg16'?" in str(error.value)
    with pytest.raises(InputError) as error:
        config_io.load(
            ExperimentConfig, path, ["mid={records: r, classes: [a, b], blend: 1.5}"]
        )
    wanted = f"{path}: mid.blend must be in (0, 1], got 1.5. 1 starts t=2 from t=1"
    assert str(error.value).startswith(wanted)


CONFIGS = [
    path
    for path in sorted((REPOSITORY / "configs").glob("*.yaml"))
    # Grids are of another schema: test_grid loads them.
    if not path.stem.endswith("_grid")
]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_file_loads_and_opens_with_its_command(path: Path) -> None:
    config_io.load(ExperimentConfig, path)
    opening = path.read_text().split("\nname:")[0]
    for word in ("# Command: ", f"configs/{path.name}", "# Cost: ", "# Expected: "):
        assert word in opening
