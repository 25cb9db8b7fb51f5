"""The precision of a run: what the device has, where the config leaves it open."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.devices import find_device
from gastric_keras.support.streams import warn


def settle_precision(
    config: ExperimentConfig, run_dir: RunDir, *, tells: bool = True
) -> ExperimentConfig:
    """Put a precision in the place of ``auto``, and warn of one that is emulated.

    Args:
        config: of the run.
        run_dir: of the run; one that was begun keeps its precision, on any device, or
            what is served would differ from what was trained.
        tells: print what ``auto`` takes, and the warning.

    Returns:
        The config; ``runtime.precision`` is never ``auto``.
    """
    precision: Any = config.runtime.precision
    if precision == "float32":
        return config
    device = find_device(config.runtime.devices)
    if precision == "auto":
        precision = device.precisions[0]
        if run_dir.config.is_file():
            begun = config_io.load(ExperimentConfig, run_dir.config)
            precision = begun.runtime.precision
        if tells:
            print(f"precision: {precision} (auto, on {device.name})", flush=True)
    if tells and precision not in device.precisions:
        warn(
            f"runtime.precision {precision} is emulated on {device.name}, which takes "
            "up to three times as long as float32. Give a new run "
            "--set runtime.precision=auto."
        )
    return replace(config, runtime=replace(config.runtime, precision=precision))
