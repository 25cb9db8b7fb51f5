"""What made a run: its resolved config, versions, commit and data checksums."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.records.treatment import Treatment, treatment_of
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.shapes import Provenance
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import sha256_of, write_json
from gastric_keras.support.versions import read_commit, read_versions


def open_run(config: ExperimentConfig, run_dir: RunDir, *, force: bool = False) -> None:
    """Write the resolved config and the provenance into a run's folder.

    Args:
        config: of the run.
        run_dir: of the run; made when it is not there.
        force: let another config take the folder over.

    Raises:
        InputError: the folder holds a run of another config.
    """
    # Before the first epoch, another config can do no harm.
    begun = run_dir.history("mid").is_file() or run_dir.history("target").is_file()
    if begun and run_dir.config.is_file() and not force:
        held = config_io.load(ExperimentConfig, run_dir.config)
        changed = _differences(_identity(held), _identity(config))
        if changed:
            raise InputError(
                f"The config must be the one that {run_dir.root} was started with, got "
                f"other values for {', '.join(changed)}. Give the run another name, or "
                "--force to rerun its stages."
            )
    config_io.save(config, run_dir.config)
    # Later stages must not replace the provenance of a finished run.
    if force or not run_dir.done("target").is_file():
        write_json(run_dir.provenance, asdict(collect(config)))


def collect(config: ExperimentConfig) -> Provenance:
    """Command, time, commit, versions, machine and data checksums."""
    folders = [config.target.records]
    if config.mid is not None:
        folders += config.mid.sets.values()
    return Provenance(
        command=" ".join(["python -m gastric_keras.run", *sys.argv[1:]]),
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commit=read_commit(),
        python=platform.python_version(),
        packages=read_versions(),
        device=f"{platform.machine()}, {platform.system()}",
        seed=config.seed,
        records={
            folder: {"manifest_sha256": sha256_of(Path(folder) / MANIFEST_NAME)}
            for folder in folders
            if (Path(folder) / MANIFEST_NAME).is_file()
        },
        treatments={
            folder: made
            for folder in folders
            if (made := _treatment(folder)) is not None
        },
    )


def _treatment(folder: str) -> Treatment | None:
    try:
        return treatment_of(read_manifest(folder))
    except InputError:
        # The stage that reads the set says what is wrong with it.
        return None


def _identity(config: ExperimentConfig) -> dict[str, object]:
    """What decides the weights: all but where it runs, how it is scored and served."""
    tree = config_io.to_dict(config)
    runtime = {"precision": tree.pop("runtime")["precision"]}
    del tree["evaluate"], tree["export"], tree["baselines"]
    return tree | {"runtime": runtime}


def _differences(old: Any, new: Any, path: str = "") -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        parts = [
            _differences(old.get(k), new.get(k), f"{path}.{k}" if path else k)
            for k in keys
        ]
        return [item for part in parts for item in part]
    return [] if old == new else [path]
