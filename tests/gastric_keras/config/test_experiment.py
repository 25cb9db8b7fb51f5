"""What an experiment may be: each refusal, and the limits that are let through."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from gastric_keras.config.experiment import (
    AugmentConfig,
    BackboneConfig,
    EvaluateConfig,
    ExperimentConfig,
    ExportConfig,
    FitConfig,
    MidConfig,
    RuntimeConfig,
    TargetConfig,
)
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


@pytest.mark.parametrize(
    "build, values, wanted, received",
    [
        (
            BackboneConfig,
            {"name": "vgg16", "image_size": 31},
            "image_size of at least 32 px was expected for vgg16.",
            "image_size=31",
        ),
        (
            BackboneConfig,
            {"name": "alexnet", "image_size": 62},
            "image_size of at least 63 px was expected for alexnet.",
            "image_size=62",
        ),
        (
            BackboneConfig,
            {"name": "inception_v3", "image_size": 74},
            "image_size of at least 75 px was expected for inception_v3.",
            "image_size=74",
        ),
        (
            BackboneConfig,
            {"name": "vgg16", "dropout": 1.0},
            "dropout in [0, 1) was expected.",
            "dropout=1.0",
        ),
        (
            BackboneConfig,
            {"name": "vgg16", "dropout": -0.1},
            "dropout in [0, 1) was expected.",
            "dropout=-0.1",
        ),
        (
            FitConfig,
            {"epochs": 0},
            "epochs of 1 or more, or 0 with head: probe, was expected.",
            "epochs=0, head='random'",
        ),
        (
            FitConfig,
            {"trainable_from": 1.0},
            "trainable_from as a layer, or as a share in [0, 1), was expected.",
            "trainable_from=1.0",
        ),
        (
            MidConfig,
            {
                "records": "r",
                "classes": ("a", "b"),
                "variant": "joint",
                "blend": 0.5,
            },
            "Neither init nor blend was expected under the variant joint.",
            "init=None, blend=0.5",
        ),
        (
            FitConfig,
            {"batch_size": 0},
            "batch_size of 1 or more was expected.",
            "batch_size=0",
        ),
        (
            FitConfig,
            {"shuffle_buffer": -1},
            "shuffle_buffer of 1 or more was expected.",
            "shuffle_buffer=-1",
        ),
        (
            FitConfig,
            {"learning_rate": 0.0},
            "A learning_rate above 0 was expected.",
            "learning_rate=0.0",
        ),
        (
            FitConfig,
            {"learning_rate": NAN},
            "A learning_rate above 0 was expected.",
            "learning_rate=nan",
        ),
        (
            FitConfig,
            {"weight_decay": -1e-9},
            "A weight_decay of 0 or more was expected.",
            "weight_decay=-1e-09",
        ),
        (
            FitConfig,
            {"patience": 0},
            "patience of 1 or more was expected.",
            "patience=0",
        ),
        (AugmentConfig, {"stain": 1.0}, "stain in [0, 1) was expected.", "stain=1.0"),
        (AugmentConfig, {"stain": -0.1}, "stain in [0, 1) was expected.", "stain=-0.1"),
        (
            mid,
            {"classes": ("a",)},
            "Two or more classes with different names were expected.",
            "classes=('a',)",
        ),
        (
            mid,
            {"classes": ("a", "b", "a")},
            "Two or more classes with different names were expected.",
            "classes=('a', 'b', 'a')",
        ),
        (
            target,
            {"classes": ("a", "a")},
            "Two or more classes with different names were expected.",
            "classes=('a', 'a')",
        ),
        (
            target,
            {"classes": ("a", "b", "malignant")},
            "Exactly two target classes were expected.",
            "classes=('a', 'b', 'malignant')",
        ),
        (
            target,
            {"positive": "cancer"},
            "positive must be one of the classes ('benign', 'malignant').",
            "positive='cancer'",
        ),
        (
            target,
            {"subset": 0},
            "A subset of 1 or more patches per class was expected.",
            "subset=0",
        ),
        *(
            (FitConfig, values, wanted, received)
            for values, wanted, received in (
                (
                    {"min_steps": 0},
                    "min_steps of 1 or more was expected.",
                    "min_steps=0",
                ),
                (
                    {"plateau_patience": 0},
                    "plateau_patience of 1 or more was expected.",
                    "plateau_patience=0",
                ),
                (
                    {"head_rate": 0.0},
                    "A head_rate above 0 was expected.",
                    "head_rate=0.0",
                ),
                (
                    {"probe_strength": 0.0},
                    "A probe_strength above 0 was expected.",
                    "probe_strength=0.0",
                ),
                (
                    {"epochs": 2, "warmup": 2.0},
                    "A warmup of 0 or more and less than the 2 epochs was expected.",
                    "warmup=2.0",
                ),
                (
                    {"warmup": 1.0, "schedule": "plateau"},
                    "A warmup under the schedule constant or cosine was expected.",
                    "warmup=1.0, schedule='plateau'",
                ),
                ({"ema": 1.0}, "ema in [0, 1) was expected.", "ema=1.0"),
                ({"stop_at": 0.5}, "stop_at in (0.5, 1] was expected.", "stop_at=0.5"),
            )
        ),
        (AugmentConfig, {"zoom": 1.1}, "zoom in [0, 1] was expected.", "zoom=1.1"),
        (AugmentConfig, {"color": 1.0}, "color in [0, 1) was expected.", "color=1.0"),
        (
            mid,
            {"classes": ("a", "b"), "blend": 0.0},
            "A blend in (0, 1] was expected.",
            "blend=0.0",
        ),
        (
            EvaluateConfig,
            {"bootstrap": 99},
            "100 or more bootstrap draws were expected.",
            "bootstrap=99",
        ),
        (
            EvaluateConfig,
            {"confidence": 1.0},
            "A confidence in (0, 1) was expected.",
            "confidence=1.0",
        ),
        (
            EvaluateConfig,
            {"confidence": 0.0},
            "A confidence in (0, 1) was expected.",
            "confidence=0.0",
        ),
    ],
)
def test_refusals(build: Any, values: dict, wanted: str, received: str) -> None:
    with pytest.raises(InputError) as error:
        build(**values)
    message = str(error.value)
    assert message.startswith(f"{wanted} Received: {received}. ")
    # The way out is never empty.
    assert len(message.partition(f"Received: {received}. ")[2]) > 10


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "-a", "a\n", "../run"])
def test_a_name_that_is_no_folder(name: str) -> None:
    with pytest.raises(InputError) as error:
        experiment(name=name)
    assert str(error.value) == (
        "A name of letters, digits, '.', '_' and '-' was expected. "
        f"Received: name={name!r}. It becomes the name of a folder."
    )


def test_a_subgroup_is_a_regular_expression() -> None:
    EvaluateConfig(subgroups={"hard": "low_grade|high_grade"})
    with pytest.raises(InputError, match=r"subgroups.hard: a regular .*'\(low'"):
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
    assert str(error.value).startswith(f"{path}: target.fit: epochs of 1 or more")
    with pytest.raises(InputError) as error:
        config_io.load(ExperimentConfig, path, ["backbone.name=vgg19"])
    assert "backbone.name: expected vgg16 | alexnet | inception_v3." in str(error.value)
    assert "Did you mean 'vgg16'?" in str(error.value)


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
