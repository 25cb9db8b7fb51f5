"""The two command lines: quick, and every mistake of the user is told in words."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from gastric_keras import doctor, run
from gastric_keras.config.experiment import (
    BackboneConfig,
    ExperimentConfig,
    RuntimeConfig,
    TargetConfig,
)
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.config.predict import PredictConfig
from gastric_keras.imaging.native import find_tensorflow_io
from gastric_keras.runs.run_dir import RUN_STAGES, RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_json

HELP = """
import runpy, sys
module = sys.argv[1]
sys.argv[1:] = ["--help"]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as done:
    heavy = {"tensorflow", "keras", "sklearn", "skimage", "matplotlib"}
    print("status", done.code, "heavy", sorted(heavy & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "module, stages",
    [
        (
            "gastric_keras.run",
            list(run.STAGES),
        ),
        (
            "data_prep",
            ["tissue", "nuclei", "target", "phantom", "inspect", "check"],
        ),
    ],
)
def test_help_imports_nothing_heavy(module: str, stages: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP, module], capture_output=True, text=True
    )
    assert done.stdout.endswith("status 0 heavy []\n"), done.stdout + done.stderr
    for stage in stages:
        assert stage in done.stdout
    assert "Traceback" not in done.stderr


@pytest.fixture()
def config(tmp_path: Path) -> Path:
    """A config whose sets are not there."""
    path = tmp_path / "config.yaml"
    config_io.save(
        ExperimentConfig(
            "run",
            BackboneConfig("alexnet", "none", 63),
            TargetConfig(str(tmp_path / "records")),
            runtime=RuntimeConfig(output=str(tmp_path / "runs")),
        ),
        path,
    )
    return path


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "A stage of a run needs a config file, got no --config."),
        (["--config", "none.yaml"], ", got path=none.yaml ("),
        (["--config", "CONFIG", "--set", "seeds=1"], "unknown key seeds:"),
        (["--config", "CONFIG", "--set", "seed=x"], "seed must be an int,"),
        (["--config", "CONFIG", "--set", "seed"], ", got --set seed."),
        (
            ["--config", "CONFIG", "--set", "runtime.output=CONFIG"],
            "The run folder must be writable, got",
        ),
    ],
)
def test_a_mistake_ends_in_status_2(
    config: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [each.replace("CONFIG", str(config)) for each in arguments]
    assert run.main(["--stage", "target", *arguments]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ") and message in err and "Traceback" not in err
    assert out == ""


def test_another_config_in_the_folder_ends_in_status_2(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = record_calls(monkeypatch)
    command = ["--stage", "target", "--config", str(config)]
    assert run.main(command) == 0
    history = RunDir(tmp_path / "runs" / "run").history("target")
    history.parent.mkdir()
    history.touch()
    assert run.main([*command, "--set", "seed=1"]) == 2
    assert ", got other values for seed." in capsys.readouterr().err
    assert run.main([*command, "--set", "seed=1", "--force"]) == 0
    assert [options["force"] for _, _, options in asked] == [False, True]


def record_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple, dict]]:
    """Stand in for the stages, which have tests of their own."""
    asked: list[tuple[str, tuple, dict]] = []

    def call(function: str, *arguments: object, **options: object) -> None:
        asked.append((function, arguments, options))

    monkeypatch.setattr(run, "_call", call)
    return asked


def test_the_stages_that_can_be_asked_for_are_those_of_the_run_folder() -> None:
    assert run.STAGES["all"].steps == RUN_STAGES
    assert run.STAGES.keys() > set(RUN_STAGES)


def test_all_is_the_six_stages_in_order_under_one_lock(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = record_calls(monkeypatch)
    arguments = ["--stage", "all", "--config", str(config), "--images", "a.png"]
    assert run.main([*arguments, "--set", "target.fit.epochs=7"]) == 0
    six = [run.STAGES[stage].function for stage in RUN_STAGES]
    assert [name for name, _, _ in asked] == six
    run_dir = RunDir(tmp_path / "runs" / "run")
    for name, (resolved, folder), options in asked:
        assert resolved.target.fit.epochs == 7 and folder == run_dir
        is_visualize = name == "visualization.visualize:run_visualize"
        images = {"images": ["a.png"]} if is_visualize else {}
        assert options == {"force": False} | images
    held = config_io.load(ExperimentConfig, run_dir.config)
    assert held.target.fit.epochs == 7

    with run_dir.locked():
        assert run.main(arguments) == 2


def test_every_stage_is_a_function_that_is_there() -> None:
    for name, stage in run.STAGES.items():
        if stage.steps:
            assert not stage.function and set(stage.steps) <= run.STAGES.keys()
            continue
        function = pkgutil.resolve_name(f"gastric_keras.{stage.function}")
        known = set(inspect.signature(function).parameters)
        assert callable(function) and set(stage.needs) <= stage.takes
        assert stage.takes - {"config", "set"} <= known, name


@pytest.mark.parametrize("stage", run.STAGES)
def test_an_option_that_a_stage_does_not_take_is_refused(
    stage: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = record_calls(monkeypatch)
    typed = {
        "--config": ["none.yaml"],
        "--set": ["seed=3"],
        "--force": [],
        "--images": ["a.png"],
        "--cases": ["index.csv"],
        "--runs": ["a", "b"],
        "--slide": ["a.png"],
        "--model": ["export"],
        "--out": ["out"],
    }
    taken = {f"--{option}" for option in run.STAGES[stage].takes}
    assert taken < typed.keys()
    for option in typed.keys() - taken:
        assert run.main(["--stage", stage, option, *typed[option]]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: --stage {stage} takes ")
        assert f", got {option}. Leave that out." in error
        assert all(name in error for name in taken)
    assert not asked


def test_the_stages_without_a_run_get_what_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = record_calls(monkeypatch)
    assert run.main(["--stage", "compare", "--runs", "a", "b"]) == 0
    assert run.main(["--stage", "compare", "--runs", "a", "--out", "c"]) == 0
    heatmap = ["--stage", "heatmap", "--slide", "s", "--model", "m"]
    assert run.main([*heatmap, "--set", "stride=0.5", "--force"]) == 0
    runs = [Path("a"), Path("b")]
    assert [(arguments, options) for _, arguments, options in asked] == [
        ((), {"runs": runs}),
        ((), {"runs": runs[:1], "out": Path("c")}),
        (
            (HeatmapConfig(stride=0.5),),
            {"slide": [Path("s")], "model": Path("m"), "force": True},
        ),
    ]
    predict = ["--stage", "predict", "--images", "a.png", "b", "--model", "m"]
    assert run.main([*predict, "--out", "c", "--set", "rule=maximum"]) == 0
    given = {"images": ["a.png", "b"], "model": Path("m"), "out": Path("c")}
    assert asked[-1][1:] == ((PredictConfig(rule="maximum"),), given)
    assert run.main(predict) == 2
    assert "Stage predict needs a folder to write, got" in capsys.readouterr().err
    for stage, missing in (("compare", "--runs"), ("grid", "--config")):
        assert run.main(["--stage", stage]) == 2
        assert f"got no {missing}." in capsys.readouterr().err


def test_an_unknown_stage_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        run.main(["--stage", "train"])
    assert done.value.code == 2
    err = capsys.readouterr().err
    assert "invalid choice: 'train'" in err and "visualize" in err


def test_an_error_of_ours_keeps_its_traceback(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what the user can mend is told without one."""

    def call(*_: object, **__: object) -> None:
        raise ValueError("a bug")

    assert issubclass(InputError, ValueError)
    monkeypatch.setattr(run, "_call", call)
    with pytest.raises(ValueError, match="a bug"):
        run.main(["--stage", "target", "--config", str(config)])


def test_doctor_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.main(["--stage", "doctor"]) == 0
    out = capsys.readouterr().out
    for wanted in (
        "python 3.",
        "tensorflow 2.",
        "keras 3.",
        "gastric_keras at commit ",
    ):
        assert wanted in out
    is_there = find_tensorflow_io()[0] is not None
    assert ("tensorflow-io's native operations load" in out) == is_there
    assert ("pydicom decodes DICOM" in out) != is_there
    for network in ("vgg16", "alexnet", "inception_v3"):
        assert f"ImageNet weights of {network}: " in out
    assert " GiB free on this disk" in out

    versions = doctor.read_versions() | {"tensorflow": "2.99.0", "scipy": None}
    monkeypatch.setattr(doctor, "read_versions", lambda: versions)
    lines = list(doctor.examine())
    assert "! scipy is not installed" in lines
    assert any(line.startswith("! tensorflow 2.17.1 is the tested") for line in lines)


def test_a_score_done_again_leaves_the_provenance_of_the_weights(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_call", lambda *_, **__: None)
    loaded = config_io.load(ExperimentConfig, config)
    run_dir = RunDir(Path(loaded.runtime.output) / loaded.name)
    arguments = ["--config", str(config)]
    assert run.main(["--stage", "target", *arguments]) == 0
    write_json(run_dir.done("target"), {})
    run_dir.provenance.write_text("{}")
    assert run.main(["--stage", "evaluate", "--force", *arguments]) == 0
    assert run_dir.provenance.read_text() == "{}"
    assert run.main(["--stage", "target", "--force", *arguments]) == 0
    assert "commit" in run_dir.provenance.read_text()
