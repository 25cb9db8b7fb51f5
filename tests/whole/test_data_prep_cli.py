"""The command line, as a user meets it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep.__main__ import main
from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    SourceConfig,
    TargetSetConfig,
    TissueSetConfig,
    WhiteConfig,
    with_source,
)
from data_prep.phantom.config import PhantomConfig
from data_prep.sets.kinds import KINDS
from gastric_keras.support.config_io import dump, load
from gastric_keras.support.errors import InputError
from tests.helpers.paths import REPOSITORY
from tests.helpers.small_pictures import write_target_folder, write_tissue_folder

CONFIGS = sorted((REPOSITORY / "configs" / "data_prep").glob("*.yaml"))


def _target_arguments(tmp_path: Path, *more: str) -> list[str]:
    folder = tmp_path / "in"
    if not folder.exists():
        write_target_folder(folder)
    index = str(folder / "index.csv")
    arguments = ["target", "--images", str(folder), "--cases", index, "--workers", "1"]
    arguments += ["--set", "patch_size=16"]
    arguments += ["--set", "splits={train: 0.5, validation: 0.5, test: 0}", *more]
    return arguments + ["--out", str(tmp_path / "set")]


def test_help_is_quick() -> None:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "data_prep", "--help"], capture_output=True, text=True
    )
    assert time.monotonic() - start < 1.0
    assert done.returncode == 0
    for command in ("tissue", "nuclei", "target", "phantom", "inspect", "check"):
        assert command in done.stdout


def test_target_inspect_and_check(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(_target_arguments(tmp_path, "--set", "subsets={small: 3}")) == 0
    card = capsys.readouterr().out
    assert "target: 64 patches kept" in card
    assert "train: 32 patches (benign 16, malignant 16) of 4 cases" in card
    assert "subset small: 3 patches a class" in card
    assert main(["inspect", str(tmp_path / "set")]) == 0
    assert "checksums agree" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "set")]) == 0
    assert "No leak" in capsys.readouterr().out
    assert main(_target_arguments(tmp_path)) == 2
    assert "--force to replace it" in capsys.readouterr().err
    assert main(_target_arguments(tmp_path, "--force")) == 0


def test_check_finds_what_two_sets_share(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(_target_arguments(tmp_path)) == 0
    (tmp_path / "set").rename(tmp_path / "first")
    assert main(_target_arguments(tmp_path)) == 0
    capsys.readouterr()
    folders = [str(tmp_path / "first"), str(tmp_path / "set")]
    assert main(["check", *folders]) == 1
    out = capsys.readouterr().out
    assert f"LEAK: {folders[0]} train and {folders[1]} train share 4 × case" in out
    assert "share 32 × pixels" in out


def test_check_tells_unequal_stain_and_scale(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(_target_arguments(tmp_path, "--set", "mpp=0.5")) == 0
    (tmp_path / "set").rename(tmp_path / "first")
    options = ("--set", "mpp=0.25", "--set", "normalization=reinhard")
    assert main(_target_arguments(tmp_path, *options)) == 0
    capsys.readouterr()
    first, second = str(tmp_path / "first"), str(tmp_path / "set")
    page = tmp_path / "leaks.html"
    assert main(["check", first, second, "--page", str(page)]) == 1
    err = capsys.readouterr().err
    assert f"Warning: a patch of the {first} shows" in err and "a factor of 2" in err
    assert "Warning: the sets differ in their stain" in err
    assert "the sets differ in their stain" in page.read_text()


def test_a_changed_shard_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(_target_arguments(tmp_path)) == 0
    shard = next((tmp_path / "set").glob("train-*"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert main(["inspect", str(tmp_path / "set")]) == 2
    assert f"Shard {shard.name} must have the sha256" in capsys.readouterr().err


def test_tissue_from_flags_alone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = str(write_tissue_folder(tmp_path / "in"))
    arguments = ["tissue", "--images", folder, "--annotations", folder]
    arguments += ["--cases", f"{folder}/index.csv", "--set", "patch_size=8"]
    arguments += ["--set", "artifacts=null"]
    arguments += ["--set", "splits.train=0.5", "--set", "splits.validation=0.5"]
    assert main([*arguments, "--out", str(tmp_path / "set"), "--workers", "1"]) == 0
    assert "tissue: 36 patches kept" in capsys.readouterr().out


def test_phantom_writes_ordinary_files(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["phantom", "--out", str(tmp_path), "--set", "regions=1"]
    arguments += ["--set", "region_cases=1", "--set", "region_size=128"]
    arguments += ["--set", "target_images=6", "--set", "target_cases=6"]
    assert main([*arguments, "--set", "target_size=64"]) == 0
    assert (tmp_path / "regions" / "index.csv").is_file()
    assert (tmp_path / "target" / "index.csv").is_file()


def test_mistakes_end_with_status_2_and_no_set(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cases = [
        (["--set", "patch_sise=3"], "Did you mean 'patch_size'?"),
        (["--set", "patch_size=big"], "must be an int"),
        (["--set", "patch_size=400"], "image smaller than a patch: 16"),
        (["--set", "classes=[benign]"], "classes must be two or more different names"),
        (["--config", "none.yaml"], "path=none.yaml"),
    ]
    for more, message in cases:
        assert main(_target_arguments(tmp_path, *more)) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and message in error, error
        assert not (tmp_path / "set").exists()
    assert main(["inspect", str(tmp_path)]) == 2
    assert "folder of a set must have a manifest.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "surplus"),
    [
        (["check", "SET"], ["--runner", "NoSuchRunner"]),
        (["check", "SET"], ["--runner-option=--a=b"]),
        (["check", "SET"], ["--strict"]),
        (["inspect", "SET"], ["--workers", "2"]),
        (["quality", "SET"], ["--config", "none.yaml"]),
        (["phantom", "--out", "SET"], ["--force"]),
        (["target", "--out", "SET"], ["--annotations", "SET"]),
        (["nuclei", "--out", "SET"], ["--page", "leaks.html"]),
    ],
)
def test_an_option_that_a_command_does_not_take_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    command: list[str],
    surplus: list[str],
) -> None:
    folder = str(tmp_path / "set")
    arguments = [folder if word == "SET" else word for word in [*command, *surplus]]
    with pytest.raises(SystemExit) as done:
        main(arguments)
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"usage: python -m data_prep {command[0]} ")
    assert f"unrecognized arguments: {surplus[0]}" in error
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--runner-option=--a=b"], ", got runner=None, runner_option=['--a=b']."),
        (["--runner", "DirectRunner"], ", got workers=1, runner='DirectRunner'."),
    ],
)
def test_an_engine_that_cannot_be_meant_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, more: list[str], message: str
) -> None:
    assert main(_target_arguments(tmp_path, *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


def test_the_process_shows_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "data_prep", "target", "--out", str(tmp_path / "set")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Give --images DIR" in done.stderr and "Traceback" not in done.stderr


def test_every_config_file_loads_and_comes_back() -> None:
    assert {path.name for path in CONFIGS} >= {
        f"{prefix}{name}.yaml" for name in KINDS for prefix in ("", "ebhi_")
    }
    schemas: dict[str, type] = {name: kind.schema for name, kind in KINDS.items()}
    schemas["phantom"] = PhantomConfig
    for path in CONFIGS:
        kind = next(part for part in path.stem.split("_") if part in schemas)
        config = load(schemas[kind], path)
        assert kind == "phantom" or config.sources, path
        opening = path.read_text().split("\n\n")[0]
        assert opening.startswith("#"), path
        assert (
            f"python -m data_prep {kind} --config configs/data_prep/" in opening
        ), path


def test_configs_survive_a_round_trip(tmp_path: Path) -> None:
    source = SourceConfig(
        images="a",
        mask_values={0: "stroma"},
        where={"fold": ("x",)},
        white=WhiteConfig(("stroma",), "background"),
    )
    for schema in (TissueSetConfig, NucleiSetConfig, TargetSetConfig):
        config: SetConfig = schema(sources=(source,))
        (tmp_path / "config.yaml").write_text(dump(config))
        assert load(schema, tmp_path / "config.yaml") == config


def test_flags_fill_the_one_source() -> None:
    config = TargetSetConfig(sources=(SourceConfig(images="a", name="lab"),))
    filled = with_source(config, images="b", index="c")
    assert filled.sources == (SourceConfig(images="b", name="lab", index="c"),)
    assert with_source(config) is config
    assert with_source(TargetSetConfig(), images="b").sources[0].images == "b"
    two = TargetSetConfig(sources=(SourceConfig(images="a"), SourceConfig(images="b")))
    with pytest.raises(InputError, match="at most one source.*sources=2"):
        with_source(two, images="c")


@pytest.mark.parametrize(
    ("schema", "options", "message"),
    [
        (TargetSetConfig, {"patch_size": -1}, "patch_size=-1"),
        (TargetSetConfig, {"stored_size": 0}, "0"),
        (TargetSetConfig, {"records_per_shard": 0}, "0"),
        (TargetSetConfig, {"max_per_class": {"val": 3}}, "split='val'"),
        (TargetSetConfig, {"subsets": {"small": 0}}, "0"),
        (NucleiSetConfig, {"classes": ("a", "b", "c")}, "clusters=2"),
        (SourceConfig, {"splits": {"val": "valid"}}, "val='valid'"),
        (WhiteConfig, {"classes": (), "becomes": "a", "min_value": 300}, "300"),
        (WhiteConfig, {"classes": (), "becomes": "a", "smoothing": 0}, "0"),
    ],
)
def test_config_values_are_checked(schema: type, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=f", got .*{message}"):
        schema(**options)
