"""What made a run: a folder belongs to one config, and says where it came from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

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
from gastric_keras.config.fit import FitConfig
from gastric_keras.runs import provenance
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of
from gastric_keras.support.versions import PACKAGES


def make_config(records: Path) -> ExperimentConfig:
    return ExperimentConfig(
        name="run",
        backbone=BackboneConfig("vgg16", weights="none"),
        target=TargetConfig(str(records), fit=FitConfig(epochs=3)),
        mid=MidConfig(str(records.with_name("mid")), ("a", "b")),
    )


@pytest.fixture()
def config(tmp_path: Path) -> ExperimentConfig:
    return make_config(tmp_path / "target")


@pytest.fixture()
def run_dir(tmp_path: Path, config: ExperimentConfig) -> RunDir:
    """A folder that was opened with ``config``, with an epoch of training in it."""
    run_dir = RunDir(tmp_path / "runs" / "run")
    provenance.open_run(config, run_dir)
    run_dir.history("mid").parent.mkdir()
    run_dir.history("mid").touch()
    return run_dir


def held(run_dir: RunDir) -> ExperimentConfig:
    loaded: ExperimentConfig = config_io.load(ExperimentConfig, run_dir.config)
    return loaded


def test_open_run_writes_the_resolved_config(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    assert held(run_dir) == config
    assert "schedule: cosine" in run_dir.config.read_text()
    provenance.open_run(config, run_dir)
    assert held(run_dir) == config


def test_provenance_holds_versions_seed_and_checksums(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    # The mid-level set is not there yet: it is left out, and nothing fails.
    manifest = Path(config.target.records) / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text("{}")
    provenance.open_run(config, run_dir)
    found = json.loads(run_dir.provenance.read_text())
    assert found["records"] == {
        config.target.records: {"manifest_sha256": sha256_of(manifest)}
    }
    assert found["seed"] == 0
    assert found["command"].startswith("python -m gastric_keras.run")
    assert set(found["packages"]) == set(PACKAGES)
    assert found["packages"]["tensorflow"] and found["python"].startswith("3.")


def test_another_config_is_refused_by_its_dotted_keys(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    fit = replace(config.target.fit, epochs=4, patience=2)
    changed = replace(
        config,
        seed=1,
        backbone=replace(config.backbone, dropout=0.1),
        target=replace(config.target, fit=fit),
    )
    with pytest.raises(InputError) as error:
        provenance.open_run(changed, run_dir)
    assert str(error.value) == (
        f"The config must be the one that {run_dir.root} was started with, got other "
        "values for backbone.dropout, seed, target.fit.epochs, target.fit.patience. "
        "Give the run another name, or --force to rerun its stages."
    )
    assert held(run_dir) == config


def test_a_finished_run_keeps_its_provenance(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    run_dir.done("target").parent.mkdir()
    run_dir.done("target").touch()
    run_dir.provenance.write_text('"as it was"')
    provenance.open_run(config, run_dir)
    assert run_dir.provenance.read_text() == '"as it was"'
    provenance.open_run(config, run_dir, force=True)
    assert json.loads(run_dir.provenance.read_text())["seed"] == config.seed


def test_before_the_first_epoch_the_config_may_be_mended(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    run_dir.history("mid").unlink()
    mended = replace(config, mid=None)
    provenance.open_run(mended, run_dir)
    assert held(run_dir) == mended


def test_a_stage_more_or_less_is_another_config(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    single = replace(config, mid=None)
    with pytest.raises(InputError, match="other values for mid. Give"):
        provenance.open_run(single, run_dir)
    provenance.open_run(single, run_dir, force=True)
    with pytest.raises(InputError, match="other values for mid. Give"):
        provenance.open_run(config, run_dir)


def test_force_takes_the_folder_over(config: ExperimentConfig, run_dir: RunDir) -> None:
    changed = replace(config, seed=1)
    provenance.open_run(changed, run_dir, force=True)
    assert held(run_dir) == changed
    # Even over a config that this version can no longer read.
    run_dir.config.write_text("name: [")
    with pytest.raises(InputError, match="must be valid YAML"):
        provenance.open_run(changed, run_dir)
    provenance.open_run(changed, run_dir, force=True)
    assert held(run_dir) == changed


def test_where_it_runs_how_it_is_scored_and_served_may_change(
    config: ExperimentConfig, run_dir: RunDir
) -> None:
    changed = replace(
        config,
        runtime=RuntimeConfig("elsewhere", ("GPU:0",), deterministic=True),
        evaluate=EvaluateConfig(200, 0.9),
        export=ExportConfig(onnx=True),
    )
    provenance.open_run(changed, run_dir)
    assert held(run_dir) == changed
    halved = replace(config, runtime=RuntimeConfig(precision="mixed_bfloat16"))
    with pytest.raises(InputError, match="other values for runtime.precision"):
        provenance.open_run(halved, run_dir)
