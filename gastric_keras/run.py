"""python -m gastric_keras.run --stage STAGE --config FILE: parse, dispatch."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.grid import GridConfig
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, disk_error, require
from gastric_keras.support.workers import is_chief

#: stage -> the function that does it, imported when it is called for: TensorFlow
#: takes seconds to import, and --help should not.
STAGES = {
    "mid": "training.ladder:run_mid",
    "target": "training.ladder:run_target",
    "evaluate": "evaluation.evaluate:run_evaluate",
    "visualize": "visualization.visualize:run_visualize",
    "export": "serving.export:run_export",
    "report": "report.page:run_report",
}
#: Of a run too, but not part of ``--stage all``.
ASIDE = {
    "probe": "evaluation.layer_probe:run_probe",
    "baselines": "evaluation.baselines.stage:run_baselines",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage, or all; returns the exit status."""
    options = _build_parser().parse_args(arguments)
    try:
        _dispatch(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if (message := disk_error(error)) is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 2
    return 0


def _dispatch(options: argparse.Namespace) -> None:
    if options.stage == "doctor":
        _call("doctor:run_doctor")
    elif options.stage == "compare":
        out = options.out or Path("tensorboard_logs/compare")
        _call(
            "comparison.compare:run_compare", [Path(run) for run in options.runs], out
        )
    elif options.stage == "grid":
        grid = config_io.load(GridConfig, _config_path(options), options.set)
        _call("grid.stage:run_grid", grid)
    elif options.stage == "heatmap":
        _heatmap(options)
    else:
        _run(options)


def _heatmap(options: argparse.Namespace) -> None:
    for name in ("slide", "model"):
        require(
            getattr(options, name) is not None,
            f"A {name} was expected.",
            "Name the slide with --slide FILE and the exported model with --model DIR.",
            **{f"--{name}": None},
        )
    config = config_io.load(HeatmapConfig, options.config, options.set)
    _call(
        "heatmap.stage:run_heatmap",
        config,
        slide=options.slide,
        model=options.model,
        out=options.out,
        force=options.force,
    )


def _config_path(options: argparse.Namespace) -> str:
    if options.config is None:
        raise InputError(
            "A config file was expected. Received: no --config. Copy one from configs/ "
            "and name it with --config FILE."
        )
    return str(options.config)


def _run(options: argparse.Namespace) -> None:
    config = config_io.load(ExperimentConfig, _config_path(options), options.set)
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    stages = list(STAGES) if options.stage == "all" else [options.stage]
    if not is_chief():
        # A worker helps to train; the chief alone writes, and goes on from there.
        for stage in stages:
            if stage in ("mid", "target"):
                _call(STAGES[stage], config, run_dir, force=options.force)
        return
    with run_dir.locked():
        # To score or draw a run anew is not to train it anew: where its weights came
        # from stays on record.
        trains = options.force and not {"mid", "target"}.isdisjoint(stages)
        open_run(config, run_dir, force=trains)
        for stage in stages:
            extra = {"images": options.images} if stage == "visualize" else {}
            function = (STAGES | ASIDE)[stage]
            _call(function, config, run_dir, force=options.force, **extra)


def _call(function: str, *arguments: object, **options: object) -> None:
    module, name = function.split(":")
    getattr(importlib.import_module(f"gastric_keras.{module}"), name)(
        *arguments, **options
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gastric_keras.run",
        description="Stepwise fine-tuning: ImageNet, then a mid-level set (t=1), then "
        "the expert-labelled target set (t=2).",
    )
    parser.add_argument(
        "--stage",
        required=True,
        choices=[*STAGES, "all", *ASIDE, "grid", "compare", "heatmap", "doctor"],
        help="mid (t=1), target (t=2), evaluate, visualize, export, report; all: these "
        "six in order; probe: a linear probe of each layer, before and after each "
        "stage; baselines: the classical methods; grid: every run of a grid config; "
        "compare: finished runs to tables and verdict; heatmap: a slide read whole by "
        "an exported model; doctor: what is installed",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML, see configs/")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one config value, such as target.fit.epochs=5; may be repeated",
    )
    parser.add_argument(
        "--force", action="store_true", help="do a finished stage again"
    )
    parser.add_argument(
        "--images",
        nargs="+",
        default=[],
        metavar="FILE",
        help="for visualize: pictures of your own, PNG, JPEG or BMP",
    )
    parser.add_argument(
        "--runs",
        nargs="+",
        default=[],
        metavar="DIR",
        help="for compare: folders of finished runs",
    )
    parser.add_argument(
        "--slide", type=Path, metavar="FILE", help="for heatmap: a slide or picture"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="for heatmap: the folder of an exported model, such as RUN/export",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where the files go; for compare: tensorboard_logs/compare; for heatmap: "
        "heatmaps/SLIDE of the model's run",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
