"""python -m gastric_keras.run --stage STAGE --config FILE: parse, dispatch."""

from __future__ import annotations

import argparse
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.grid import GridConfig
from gastric_keras.config.heatmap import HeatmapConfig
from gastric_keras.config.predict import PredictConfig
from gastric_keras.runs.precision import settle_precision
from gastric_keras.runs.provenance import open_run
from gastric_keras.runs.run_dir import RUN_STAGES, RunDir
from gastric_keras.support import config_io
from gastric_keras.support.commands import run_command
from gastric_keras.support.errors import InputError
from gastric_keras.support.workers import is_chief


@dataclass(frozen=True)
class Stage:
    """One choice of ``--stage``.

    Attributes:
        function: ``module:name``, imported when it is called: TensorFlow takes seconds
            to import, and --help should not. It is called with the config, where there
            is a schema, and with the other options as keywords; a stage of a run also
            with the run's folder. Empty: the stage is its steps.
        summary: for --help.
        takes: names of the options that it takes; any other is refused.
        needs: those of them that it cannot do without.
        schema: of its config; an ExperimentConfig makes it a stage of a run.
        steps: stages that it consists of, in order.
    """

    function: str
    summary: str
    takes: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    schema: type | None = None
    steps: tuple[str, ...] = ()


def _of_run(
    function: str, summary: str, *more: str, steps: tuple[str, ...] = ()
) -> Stage:
    """A stage of one run, and what it takes beside the options of them all."""
    takes = frozenset({"config", "set", "force", *more})
    return Stage(function, summary, takes, ("config",), ExperimentConfig, steps)


STAGES = {
    "mid": _of_run("training.ladder:run_mid", "t=1"),
    "target": _of_run("training.ladder:run_target", "t=2"),
    "evaluate": _of_run("evaluation.evaluate:run_evaluate", "scores"),
    "visualize": _of_run(
        "visualization.visualize:run_visualize", "filters and Grad-CAM", "images"
    ),
    "export": _of_run("serving.export:run_export", "the served model"),
    "report": _of_run("report.page:run_report", "one HTML page"),
    "all": _of_run("", "these six in order", "images", steps=RUN_STAGES),
    "probe": _of_run(
        "evaluation.layer_probe:run_probe",
        "a linear probe of each layer, before and after each stage",
    ),
    "baselines": _of_run(
        "evaluation.baselines.stage:run_baselines", "the classical methods"
    ),
    "grid": Stage(
        "grid.stage:run_grid",
        "every run of a grid config",
        takes=frozenset({"config", "set"}),
        needs=("config",),
        schema=GridConfig,
    ),
    "crossval": Stage(
        "evaluation.crossval:run_crossval",
        "the runs of all folds to one, every case tested once",
        takes=frozenset({"runs", "out"}),
        needs=("runs",),
    ),
    "compare": Stage(
        "comparison.compare:run_compare",
        "finished runs to tables and verdict",
        takes=frozenset({"runs", "out"}),
        needs=("runs",),
    ),
    "ensemble": Stage(
        "ensemble.stage:run_ensemble",
        "runs of several seeds, or all folds, as one model that tells its spread",
        takes=frozenset({"runs", "out", "force"}),
        needs=("runs",),
    ),
    "predict": Stage(
        "prediction.stage:run_predict",
        "new pictures and slides by an exported model, called by case too",
        takes=frozenset({"config", "set", "images", "cases", "model", "out", "force"}),
        needs=("images", "model", "out"),
        schema=PredictConfig,
    ),
    "heatmap": Stage(
        "heatmap.stage:run_heatmap",
        "slides read whole by an exported model",
        takes=frozenset({"config", "set", "slide", "model", "out", "force"}),
        needs=("slide", "model"),
        schema=HeatmapConfig,
    ),
    "configs": Stage(
        "config.shipped:run_configs",
        "the example configs, copied",
        takes=frozenset({"out", "force"}),
    ),
    "doctor": Stage("doctor:run_doctor", "what is installed"),
}

#: Option -> how argparse reads it.
_OPTIONS: dict[str, dict[str, Any]] = {
    "config": {"metavar": "FILE", "help": "YAML, see configs/"},
    "set": {
        "action": "append",
        "metavar": "KEY=VALUE",
        "help": "override one config value, such as target.fit.epochs=5; may be "
        "repeated",
    },
    "force": {"action": "store_true", "help": "do a finished stage again"},
    "images": {
        "nargs": "+",
        "metavar": "FILE",
        "help": "pictures of your own, PNG, JPEG or BMP; predict: any that data_prep "
        "reads, slides, and folders of them",
    },
    "cases": {
        "type": Path,
        "metavar": "FILE",
        "help": "index CSV with the columns path and case_id",
    },
    "runs": {
        "nargs": "+",
        "type": Path,
        "metavar": "DIR",
        "help": "folders of finished runs",
    },
    "slide": {
        "nargs": "+",
        "type": Path,
        "metavar": "FILE",
        "help": "slides or pictures",
    },
    "model": {
        "type": Path,
        "metavar": "DIR",
        "help": "the folder of an exported model, such as RUN/export",
    },
    "out": {
        "type": Path,
        "metavar": "DIR",
        "help": "where the files go; compare: tensorboard_logs/compare; crossval: "
        "tensorboard_logs/crossval; ensemble: tensorboard_logs/ensemble; heatmap: "
        "heatmaps/SLIDE of the model's run; configs: configs",
    },
}
#: Option that a stage needs -> what it is, and the way out.
_MISSING = {
    "config": "A stage of a run needs a config file, got no --config. Copy examples "
    "with --stage configs and name one with --config FILE.",
    "runs": "Stage {stage} needs folders of finished runs, got no --runs. Name them "
    "with --runs DIR DIR.",
    "slide": "Stage {stage} needs a slide, got no --slide. Name the slide with --slide "
    "FILE and the exported model with --model DIR.",
    "images": "Stage {stage} needs pictures, got no --images. Name files or a folder "
    "with --images, the exported model with --model DIR and the folder to write with "
    "--out DIR.",
    "model": "Stage {stage} needs an exported model, got no --model. Name its folder, "
    "such as RUN/export, with --model DIR.",
    "out": "Stage {stage} needs a folder to write, got no --out. Name it with --out "
    "DIR.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one stage, or all; returns the exit status."""
    return run_command(lambda: _start(arguments))


def _start(arguments: Sequence[str] | None) -> int:
    options = vars(_build_parser().parse_args(arguments))
    _dispatch(options.pop("stage"), options)
    return 0


def _dispatch(name: str, options: dict[str, Any]) -> None:
    """Run a stage with the options that were given, and no others."""
    stage = STAGES[name]
    _check_options(name, stage, options)
    if stage.schema is None:
        _call(stage.function, **options)
        return
    path, overrides = options.pop("config", None), options.pop("set", [])
    config = config_io.load(stage.schema, path, overrides)
    if isinstance(config, ExperimentConfig):
        _run(config, stage.steps or (name,), **options)
    else:
        _call(stage.function, config, **options)


def _check_options(name: str, stage: Stage, options: dict[str, Any]) -> None:
    surplus = _spell(option for option in options if option not in stage.takes)
    if surplus:
        taken = _spell(option for option in _OPTIONS if option in stage.takes)
        raise InputError(
            f"--stage {name} takes {taken or 'no other option'}, got {surplus}. "
            "Leave that out."
        )
    for option in stage.needs:
        if option not in options:
            raise InputError(_MISSING[option].format(stage=name))


def _spell(options: Iterable[str]) -> str:
    return ", ".join(f"--{option}" for option in options)


def _run(
    config: ExperimentConfig,
    stages: Sequence[str],
    *,
    force: bool = False,
    **options: Any,
) -> None:
    """Stages of one run, in order, under one lock."""
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    config = settle_precision(config, run_dir)
    if not is_chief():
        # A worker helps to train; the chief alone writes, and goes on from there.
        for stage in stages:
            if stage in ("mid", "target"):
                _call(STAGES[stage].function, config, run_dir, force=force)
        return
    with run_dir.locked():
        # Scoring or drawing a run again is not training it: where its weights came
        # from stays on record.
        trains = force and not {"mid", "target"}.isdisjoint(stages)
        open_run(config, run_dir, force=trains)
        for stage in stages:
            taken = {k: v for k, v in options.items() if k in STAGES[stage].takes}
            _call(STAGES[stage].function, config, run_dir, force=force, **taken)


def _call(function: str, *arguments: object, **options: object) -> None:
    pkgutil.resolve_name(f"gastric_keras.{function}")(*arguments, **options)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gastric_keras.run",
        description="Stepwise fine-tuning: ImageNet, then a mid-level set (t=1), then "
        "the expert-labelled target set (t=2).",
        # An option that was not given is not among the parsed ones.
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--stage",
        required=True,
        choices=list(STAGES),
        metavar="STAGE",
        help="; ".join(f"{name}: {stage.summary}" for name, stage in STAGES.items()),
    )
    for name, facts in _OPTIONS.items():
        stages = ", ".join(n for n, stage in STAGES.items() if name in stage.takes)
        text = f"{facts['help']} (for {stages})"
        parser.add_argument(f"--{name}", **facts | {"help": text})
    return parser


if __name__ == "__main__":
    sys.exit(main())
