"""Stage baselines: the classical methods on the splits that judge the networks."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.baselines.feature_table import (
    FeatureTable,
    features_digest,
    load_features,
)
from gastric_keras.evaluation.baselines.methods import (
    GRIDS,
    METHODS,
    Fitted,
    Method,
    fit_best,
)
from gastric_keras.evaluation.evaluate import score
from gastric_keras.records.checks import check_set
from gastric_keras.runs.predictions import (
    KEYS,
    Predictions,
    read_predictions,
    write_predictions,
)
from gastric_keras.runs.provenance import read_commit
from gastric_keras.runs.rows import rows_by_key, spell_score, text_table
from gastric_keras.runs.run_dir import BaselineDir, RunDir
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import (
    read_json,
    read_object,
    write_atomic,
    write_csv,
    write_json,
)

#: Columns of the table: name, where in report.json, key of the score.
COLUMNS = (
    ("AUC", "scores", "auc"),
    ("ACC", "at_threshold", "accuracy"),
    ("precision", "at_threshold", "precision"),
    ("recall", "at_threshold", "sensitivity"),
)


@dataclass(frozen=True)
class Baseline:
    """A finished classical method, for a comparison; rows in the order of their keys.

    Attributes:
        name: of its folder.
        title: for a reader.
        parameters: the point of the grid that validation chose.
        scores: the content of its report.json.
        rows: (case_id, image_id, x, y, label) of each test patch, label 1 for the
            positive class, as in ``finished_runs.FinishedRun``.
        label: (n,) int64, 1 for the positive class.
        score: (n,) float64, probability of the positive class.
    """

    name: str
    title: str
    parameters: dict[str, Any]
    scores: dict[str, Any]
    rows: tuple[tuple, ...]
    label: np.ndarray
    score: np.ndarray


def run_baselines(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Fit every classical method, score it on validation and test, write the table.

    Parameters are chosen on validation; the test split is scored once a method.

    Args:
        config: of the run; ``target`` and ``evaluate`` count, the network does not.
        run_dir: of the run.
        force: do finished methods again.

    Raises:
        InputError: the set does not fit the config, or fewer than two training patches
            of a class.
    """
    folder = config.target.records
    check_set(folder, config.target.classes, key="target")
    digest = features_digest(folder)
    tables: dict[str, FeatureTable] = {}
    for method in METHODS:
        place, settings = run_dir.baseline(method.name), _settings(config, method)
        settings["features_digest"] = digest
        if place.done.is_file() and read_json(place.done) == settings and not force:
            print(f"baselines: {method.title}: finished, stands in {place.root}")
            continue
        tables = tables or _load_tables(config)
        place.done.unlink(missing_ok=True)
        started = time.monotonic()
        report = _run_method(config, method, tables, place)
        write_json(place.done, settings)
        print(f"baselines: {_spell(report)}; {time.monotonic() - started:.0f} s")
    write_summary(run_dir)


def _settings(config: ExperimentConfig, method: Method) -> dict[str, Any]:
    """What a method's result depends on, besides the features."""
    target, grid = config.target, GRIDS[method.classifier]
    return config_io.to_dict(method) | {
        "grid": {name: list(values) for name, values in grid.items()},
        "classes": list(target.classes),
        "positive": target.positive,
        "subset": target.subset,
        "subset_seed": target.subset_seed,
        "seed": config.seed,
        "evaluate": asdict(config.evaluate),
    }


def _load_tables(config: ExperimentConfig) -> dict[str, FeatureTable]:
    """Features of the three splits; train is cut to the subset."""
    target, store = config.target, Path(config.runtime.output) / "features"
    tables = {}
    for split in ("train", "validation", "test"):
        started = time.monotonic()
        tables[split] = load_features(target.records, split, store=store)
        print(
            f"baselines: features of {len(tables[split].label)} {split} patches, "
            f"{time.monotonic() - started:.0f} s"
        )
    if target.subset is not None:
        # Imported here: it needs TensorFlow, which nothing else of this stage does once
        # the features are there.
        from gastric_keras.records.subsets import subset_keys

        keys = subset_keys(
            target.records, "train", target.subset, seed=target.subset_seed
        )
        tables["train"] = tables["train"].only(keys)
    counts = np.bincount(tables["train"].label, minlength=len(target.classes))
    if counts.min() < 2:
        raise InputError(
            "Two or more training patches of each class were expected. Received: "
            f"{dict(zip(target.classes, counts.tolist(), strict=True))}. Take a larger "
            "target.subset."
        )
    return tables


def _run_method(
    config: ExperimentConfig,
    method: Method,
    tables: dict[str, FeatureTable],
    place: BaselineDir,
) -> dict[str, Any]:
    positive = config.target.classes.index(config.target.positive)

    def sides(split: str) -> tuple[np.ndarray, np.ndarray]:
        table = tables[split]
        return table.matrix(method.features), (table.label == positive).astype(int)

    fitted = fit_best(method.classifier, sides("train"), sides("validation"))
    predictions = {}
    for split in ("validation", "test"):
        predictions[split] = _predict(config, method, fitted, tables[split])
        write_predictions(place.predictions(split), predictions[split])
    alone = replace(config, mid=None)
    report = score(alone, predictions["validation"], predictions["test"]) | {
        # Not the network that the config also names.
        "backbone": method.name,
        "weights": None,
        "title": method.title,
        "parameters": fitted.parameters,
        "subset_seed": config.target.subset_seed,
        "train": np.bincount(tables["train"].label).tolist(),
        "validation_auc": fitted.validation_auc,
        "commit": read_commit(),
    }
    write_json(place.report_json, report)
    return report


def _predict(
    config: ExperimentConfig, method: Method, fitted: Fitted, table: FeatureTable
) -> Predictions:
    positive = config.target.classes.index(config.target.positive)
    probability = np.empty((len(table.label), 2), np.float32)
    probability[:, positive] = fitted.probability(table.matrix(method.features))
    probability[:, 1 - positive] = 1 - probability[:, positive]
    columns = {key: getattr(table, key) for key in KEYS}
    return Predictions(config.target.classes, **columns, probability=probability)


def _spell(report: dict[str, Any]) -> str:
    auc = spell_score(report["test"]["patch"]["scores"]["auc"])
    chosen = ", ".join(f"{k}={v:g}" for k, v in report["parameters"].items())
    return (
        f"{report['title']}: validation AUC {report['validation_auc']:.3f} with "
        f"{chosen}; test AUC {auc['value']} ({auc['interval'] or auc['note']})"
    )


def write_summary(run_dir: RunDir) -> None:
    """Write ``baselines.md`` and ``baselines.csv``: every method, whole and hard."""
    reports = [found.scores for found in read_baselines(run_dir.root)]
    header = ["patches", "method"]
    for name, _, _ in COLUMNS:
        header += [name, f"{name} low", f"{name} high"]
    rows, lines = [], []
    for part in ("all", *reports[0]["subgroups"]):
        for report in reports:
            cells = _cells(report, part)
            values = [c[key] for c in cells for key in ("value", "low", "high")]
            rows.append([part, report["backbone"], *values])
            lines.append([part, report["title"], *map(_spell_cell, cells)])
    write_csv(run_dir.baselines / "baselines.csv", header, rows)
    names = [f"{name} (interval)" for name, _, _ in COLUMNS]
    table = text_table(["patches", "method", *names], lines)
    write_atomic(run_dir.baselines / "baselines.md", table + "\n")
    print(table)
    print(f"baselines: tables and predictions in {run_dir.baselines}")


def _cells(report: dict[str, Any], part: str) -> list[dict[str, Any]]:
    group = report if part == "all" else report["subgroups"][part]
    unit = group["test"]["patch"]
    return [
        (unit[at] if at == "scores" else unit[at]["scores"])[key]
        for _, at, key in COLUMNS
    ]


def _spell_cell(cell: dict[str, Any]) -> str:
    words = spell_score(cell)
    return f"{words['value']} ({words['interval'] or words['note']})"


def read_baselines(folder: Path) -> list[Baseline]:
    """The finished classical methods of a run, in the order of ``METHODS``.

    Args:
        folder: of the run.

    Raises:
        InputError: none is finished, or the scores of one are damaged.
    """
    run_dir = RunDir(Path(folder))
    places = {method: run_dir.baseline(method.name) for method in METHODS}
    found = [
        _read(method, place) for method, place in places.items() if place.done.is_file()
    ]
    if not found:
        raise InputError(
            "A run with finished baselines was expected. Received: "
            f"{folder}. Run --stage baselines first."
        )
    return found


def _read(method: Method, place: BaselineDir) -> Baseline:
    scores = read_object(place.report_json)
    require(
        {"positive", "parameters", "test"} <= scores.keys(),
        "The scores of a classical method were expected.",
        "Run --stage baselines --force.",
        path=str(place.report_json),
        keys=list(scores),
    )
    test = read_predictions(place.predictions("test"))
    rows, label, score_of = rows_by_key(test, scores["positive"])
    return Baseline(
        name=method.name,
        title=method.title,
        parameters=scores["parameters"],
        scores=scores,
        rows=rows,
        label=label,
        score=score_of,
    )
