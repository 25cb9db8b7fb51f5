"""One self-contained HTML file about one run, from the files in its folder only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gastric_keras
from gastric_keras.config.backbones import find_backbone
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.report.baselines import baseline_table
from gastric_keras.report.class_cohorts import class_cohort_section
from gastric_keras.report.classes import class_results
from gastric_keras.report.cohorts import cohort_section
from gastric_keras.report.pictures import (
    Inline,
    area_pictures,
    confusion_pictures,
    learning_curves,
    reliability_picture,
    visualized_pictures,
)
from gastric_keras.report.units import units_of
from gastric_keras.runs.cohorts import read_class_cohorts, read_cohorts
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.rows import case_rows, subgroup_rows, warm_start_of
from gastric_keras.runs.run_dir import SCORED_SPLITS, FitStage, RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.scores import (
    check_config,
    has_class_scores,
    read_class_scores,
    read_scores,
    read_split,
)
from gastric_keras.runs.sets import SetCard, doubts_where_sets_meet, leak_rows, set_card
from gastric_keras.runs.shapes import (
    FitFigures,
    Provenance,
    read_fit,
    read_history,
    read_provenance,
)
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import sha256_of, write_atomic, write_json
from gastric_keras.support.pages import render
from gastric_keras.support.text import visible

STAGE_TITLES: dict[FitStage, str] = {
    "mid": "t=1: mid-level set",
    "target": "t=2: target set",
}


def run_report(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage report: write the page; it takes seconds, so it is never skipped.

    Args:
        config: of the run.
        run_dir: with a finished stage evaluate.
        force: makes no difference here.

    Raises:
        InputError: stage evaluate is not finished, or a file of the run is broken.
    """
    path = _write(config, run_dir)
    write_json(run_dir.done("report"), {"report": path.name})
    print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB, one file)")


def _write(config: ExperimentConfig, run_dir: RunDir) -> Path:
    splits = [run_dir.predictions(split) for split in SCORED_SPLITS]
    for path in (run_dir.report_json, *splits):
        if not path.is_file():
            raise InputError(
                "Stage evaluate must be finished, got "
                f"{run_dir.root} without {path.relative_to(run_dir.root)}. Run --stage "
                "evaluate first."
            )
    is_multiclass = has_class_scores(run_dir)
    page = render(
        "gastric_keras.report",
        "report_classes.html" if is_multiclass else "report.html",
        finalize=_visible,
        **_content(config, run_dir),
    )
    write_atomic(run_dir.report_html, page)
    return run_dir.report_html


def _visible(value: Any) -> Any:
    # Markup stays markup: what it holds was escaped as it came in.
    return type(value)(visible(value)) if isinstance(value, str) else value


# Values of any type, by the names that the template has for them.
def _content(config: ExperimentConfig, run_dir: RunDir) -> dict[str, Any]:
    is_multiclass = has_class_scores(run_dir)
    scores = read_class_scores(run_dir) if is_multiclass else read_scores(run_dir)
    if scores.temperature is None:
        raise InputError(
            "report.json must hold a temperature, got "
            f"{run_dir.report_json} of an earlier version. Run --stage evaluate "
            "--force."
        )
    require(
        scores.cross_validation is None,
        "Stage report must get a run that one network made, not pooled folds",
        "Each fold has its own report; the pooled figures are in crossval.md.",
        run=str(run_dir.root),
    )
    check_config(config, scores)
    predictions = {split: read_split(run_dir, split, scores) for split in SCORED_SPLITS}
    found = run_dir.provenance
    provenance = read_provenance(found) if found.is_file() else None
    return {
        "name": config.name,
        "network": find_backbone(config.backbone.name).title,
        "config": config,
        "scores": scores,
        "provenance": provenance,
        "version": gastric_keras.__version__,
        "visualized": visualized_pictures(run_dir),
        **_results(config, run_dir, scores, predictions),
        "sets": (cards := _sets(config, provenance)),
        "meeting": doubts_where_sets_meet(cards),
        "leaks": leak_rows(
            config.target.records,
            {} if config.mid is None else config.mid.sets,
            predictions,
        ),
        "stages": list(_stages(config, run_dir)),
        "warm_starts": [
            card
            for stage, title in STAGE_TITLES.items()
            if (card := warm_start_of(run_dir, stage, title))
        ],
        "config_yaml": _config_text(run_dir),
        "weights_sha256": _weights_sha256(run_dir),
    }


def _results(
    config: ExperimentConfig,
    run_dir: RunDir,
    scores: RunScores | ClassScores,
    predictions: Mapping[str, Predictions],
) -> dict[str, object]:
    """What the test split says, and what is held against it."""
    test = predictions["test"]
    if isinstance(scores, ClassScores):
        return class_results(scores, test) | {
            # They know two classes only.
            "baselines": None,
            "cohorts": [
                class_cohort_section(cohort, scores, test)
                for cohort in read_class_cohorts(run_dir)
            ],
        }
    positive = scores.positive
    units = units_of(scores, predictions["validation"], test)
    return {
        "negative": next(name for name in scores.classes if name != positive),
        "units": units,
        "has_points": bool(units[0].points),
        "curves": area_pictures(scores, test) + confusion_pictures(scores),
        "reliability": reliability_picture(scores, test),
        "subgroups": subgroup_rows(scores),
        "cases": case_rows(test, positive, scores.threshold),
        "baselines": baseline_table(run_dir, config, scores, test),
        "cohorts": [
            cohort_section(cohort, scores, *predictions.values())
            for cohort in read_cohorts(run_dir)
        ],
    }


def _sets(config: ExperimentConfig, provenance: Provenance | None) -> list[SetCard]:
    made = provenance or Provenance()
    mids = {} if config.mid is None else config.mid.sets
    wanted = [(f"{name.capitalize()}, t=1", folder) for name, folder in mids.items()]
    wanted.append(("Target set, t=2", config.target.records))
    return [
        set_card(title, folder, made.manifest_sha256(folder))
        for title, folder in wanted
    ]


@dataclass(frozen=True)
class _Stage:
    """How one stage was trained; done: None where it is not finished."""

    title: str
    done: FitFigures | None
    picture: Inline


def _stages(config: ExperimentConfig, run_dir: RunDir) -> Iterator[_Stage]:
    for stage, title in STAGE_TITLES.items():
        made, name = run_dir, str(stage)
        if stage == "mid" and config.mid and config.mid.init:
            # Beside weights that another run made lies what it wrote of them.
            made, name = RunDir.of_weights(Path(config.mid.init))
        history_file, done = made.history(name), made.done(name)
        history = read_history(history_file) if history_file.is_file() else {}
        if history:
            figures = read_fit(done) if done.is_file() else None
            epochs = len(history["epoch"])
            require(
                # Of a linear probe, 0 epochs, the validation is a row.
                figures is None or max(figures.epochs, 1) == epochs,
                "The history must have as many epochs as the finished stage",
                "Run that stage again with --force.",
                path=str(history_file),
                epochs=epochs,
            )
            yield _Stage(title, figures, learning_curves(history, title))


def _config_text(run_dir: RunDir) -> str:
    if not run_dir.config.is_file():
        return ""
    return config_io.dump(config_io.load(ExperimentConfig, run_dir.config))


def _weights_sha256(run_dir: RunDir) -> str | None:
    path = run_dir.weights("target")
    return sha256_of(path) if path.is_file() else None
