"""Stage baselines: the classical methods on the splits that judge the networks."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

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
from gastric_keras.evaluation.scoring import score
from gastric_keras.records.checks import check_set
from gastric_keras.records.subsets import cut_splits, subset_keys
from gastric_keras.runs.predictions import (
    KEYS,
    Predictions,
    read_predictions,
    write_predictions,
)
from gastric_keras.runs.run_dir import SCORED_SPLITS, BaselineDir, RunDir
from gastric_keras.runs.score_shapes import BaselineScores
from gastric_keras.runs.scores import read_baseline_scores
from gastric_keras.statistics.split_report import Score, UnitReport
from gastric_keras.statistics.words import spell_score
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json, write_atomic, write_csv, write_json
from gastric_keras.support.text import text_table
from gastric_keras.support.versions import read_commit


@dataclass(frozen=True)
class Baseline:
    """A finished classical method, for a comparison; rows in the order of their keys.

    Attributes:
        name: of its folder.
        title: for a reader.
        parameters: the point of the grid that validation chose.
        scores: of its report.json.
        rows: (case_id, image_id, x, y, label) of each test patch, label 1 for the
            positive class, as in ``finished_runs.FinishedRun``.
        label: (n,) int64, 1 for the positive class.
        score: (n,) float64, probability of the positive class.
    """

    name: str
    title: str
    parameters: dict[str, float]
    scores: BaselineScores
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
            print(f"baselines: {method.title}: finished, kept in {place.root}")
            continue
        tables = tables or _load_tables(config)
        place.done.unlink(missing_ok=True)
        started = time.monotonic()
        report = _run_method(config, method, tables, place)
        write_json(place.done, settings)
        print(f"baselines: {_spell(report)}; {time.monotonic() - started:.0f} s")
    write_summary(run_dir)


def _settings(config: ExperimentConfig, method: Method) -> dict[str, object]:
    """What a method's result depends on, besides the features."""
    target, grid = config.target, GRIDS[method.classifier]
    return config_io.to_dict(method) | {
        "grid": {name: list(values) for name, values in grid.items()},
        "classes": list(target.classes),
        "positive": target.positive,
        "subset": config_io.to_dict(target)["subset"],
        "subset_seed": target.subset_seed,
        "seed": config.seed,
        "evaluate": config.evaluate.of_own_splits,
    }


def _load_tables(config: ExperimentConfig) -> dict[str, FeatureTable]:
    """Features of the three splits; cut to the subset, as the networks' are."""
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
        for split in cut_splits(target.subset):
            keys = subset_keys(
                target.records, split, target.subset, seed=target.subset_seed
            )
            tables[split] = tables[split].only(keys)
    counts = np.bincount(tables["train"].label, minlength=len(target.classes))
    if counts.min() < 2:
        raise InputError(
            "Each class must have at least two training patches, got "
            f"{dict(zip(target.classes, counts.tolist(), strict=True))}. Use a larger "
            "target.subset."
        )
    return tables


def _run_method(
    config: ExperimentConfig,
    method: Method,
    tables: dict[str, FeatureTable],
    place: BaselineDir,
) -> BaselineScores:
    positive = config.target.classes.index(config.target.positive)

    def sides(split: str) -> tuple[np.ndarray, np.ndarray]:
        table = tables[split]
        return table.matrix(method.features), (table.label == positive).astype(int)

    fitted = fit_best(method.classifier, sides("train"), sides("validation"))
    predictions = {}
    for split in SCORED_SPLITS:
        predictions[split] = _predict(config, method, fitted, tables[split])
        write_predictions(place.predictions(split), predictions[split])
    alone = replace(config, mid=None)
    train = tables["train"]
    found = score(
        alone,
        predictions["validation"],
        predictions["test"],
        train=(len(train.label), np.unique(train.case_id).size),
    )
    report = BaselineScores(
        # Not the network that the config also names.
        **vars(found) | {"backbone": method.name, "weights": None},
        title=method.title,
        parameters=fitted.parameters,
        subset_seed=config.target.subset_seed,
        train=tuple(np.bincount(tables["train"].label).tolist()),
        validation_auc=fitted.validation_auc,
        commit=read_commit(),
    )
    write_json(place.report_json, asdict(report))
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


def _spell(report: BaselineScores) -> str:
    auc = spell_score(report.test.patch.scores["auc"])
    chosen = ", ".join(f"{k}={v:g}" for k, v in report.parameters.items())
    return (
        f"{report.title}: validation AUC {report.validation_auc:.3f} with "
        f"{chosen}; test AUC {auc.value} ({auc.beside})"
    )


def write_summary(run_dir: RunDir) -> None:
    """Write ``baselines.md`` and ``baselines.csv``: every method, whole and hard."""
    reports = [found.scores for found in read_baselines(run_dir.root)]
    names = list(_columns(reports[0].test.patch))
    rows: list[list[str | float | None]] = []
    lines = []
    for part in ("all", *reports[0].subgroups):
        for report in reports:
            test = report.test if part == "all" else report.subgroups[part].test
            cells = _columns(test.patch).values()
            ends = [end for c in cells for end in (c.value, c.low, c.high)]
            rows.append([part, report.backbone, *ends])
            words = [spell_score(cell) for cell in cells]
            lines.append(
                [part, report.title, *(f"{w.value} ({w.beside})" for w in words)]
            )
    header = [f"{name}{end}" for name in names for end in ("", " low", " high")]
    write_csv(run_dir.baselines_csv, ["patches", "method", *header], rows)
    titles = [f"{name} (interval)" for name in names]
    table = text_table(["patches", "method", *titles], lines)
    write_atomic(run_dir.baselines_md, table + "\n")
    print(table)
    print(f"baselines: tables and predictions in {run_dir.baselines}")


def _columns(unit: UnitReport) -> dict[str, Score]:
    """Name in the table -> score; the calls at the validation threshold."""
    calls = unit.at_threshold.scores
    return {
        "AUC": unit.scores["auc"],
        "ACC": calls["accuracy"],
        "precision": calls["precision"],
        "recall": calls["sensitivity"],
    }


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
            "The run must have finished baselines, got "
            f"{folder} without any. Run --stage baselines first."
        )
    return found


def _read(method: Method, place: BaselineDir) -> Baseline:
    scores = read_baseline_scores(place)
    test = read_predictions(place.predictions("test"))
    rows, label, score_of = test.rows_by_key(scores.positive)
    return Baseline(
        name=method.name,
        title=method.title,
        parameters=scores.parameters,
        scores=scores,
        rows=rows,
        label=label,
        score=score_of,
    )
