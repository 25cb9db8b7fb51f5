"""Stage baselines: classical methods, and linear probes of features made elsewhere, on
the splits that judge the networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace

import numpy as np

from gastric_keras.config.baselines import Method
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.baselines.feature_table import FeatureTable
from gastric_keras.evaluation.baselines.methods import GRIDS, Fitted, fit_best
from gastric_keras.evaluation.baselines.sources import Source, find_sources
from gastric_keras.evaluation.scoring import score
from gastric_keras.records.checks import check_set
from gastric_keras.records.subsets import cut_splits, subset_keys
from gastric_keras.runs.baselines import read_baselines
from gastric_keras.runs.predictions import KEYS, Predictions, write_predictions
from gastric_keras.runs.run_dir import SCORED_SPLITS, BaselineDir, RunDir
from gastric_keras.runs.score_shapes import BaselineScores, Scores
from gastric_keras.statistics.split_report import Score, UnitReport
from gastric_keras.statistics.words import spell_score
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import read_json, write_atomic, write_csv, write_json
from gastric_keras.support.text import text_table
from gastric_keras.support.versions import read_commit


def run_baselines(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Fit every baseline, score it on validation and test, write the table.

    Parameters are chosen on validation; the test split is scored once a method.

    Args:
        config: of the run; ``target`` and ``evaluate`` count, the network does not.
        run_dir: of the run.
        force: do finished methods again.

    Raises:
        InputError: more than two classes, the set does not fit the config, fewer than
            two training patches of a class, or features that do not fit the set.
    """
    folder = config.target.records
    require(
        not config.target.is_multiclass,
        "Stage baselines must get a target set of two classes",
        "Its methods do not know more; merge classes with labels of data_prep target.",
        classes=list(config.target.classes),
    )
    check_set(folder, config.target.classes, key="target")
    loaded: Source | None = None
    tables: dict[str, FeatureTable] = {}
    sources = find_sources(config)
    for method, source in sources.items():
        place, settings = run_dir.baseline(method.name), _settings(config, method)
        settings["features_digest"] = source.digest
        if place.done.is_file() and read_json(place.done) == settings and not force:
            print(f"baselines: {method.title}: finished, kept in {place.root}")
            continue
        if source is not loaded:
            # The tables of one source at a time are in memory; one file under two
            # names is two sources.
            tables, loaded = _load_tables(config, source), source
        place.done.unlink(missing_ok=True)
        started = time.monotonic()
        report = _run_method(config, method, source, tables, place)
        write_json(place.done, settings)
        print(f"baselines: {_spell(report)}; {time.monotonic() - started:.0f} s")
    write_summary(run_dir, [method.name for method in sources])


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


def _load_tables(config: ExperimentConfig, source: Source) -> dict[str, FeatureTable]:
    """Features of the three splits; cut to the subset, as the networks' are."""
    target, tables = config.target, {}
    for split in ("train", "validation", "test"):
        started = time.monotonic()
        tables[split] = source.load(split)
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
    source: Source,
    tables: dict[str, FeatureTable],
    place: BaselineDir,
) -> BaselineScores:
    positive = config.target.classes.index(config.target.scored_class)

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
    # Of a network's scores what every classifier has.
    shared = {each.name: getattr(found, each.name) for each in fields(Scores)}
    report = BaselineScores(
        # Not the network that the config also names.
        **shared | {"backbone": method.name, "weights": None},
        title=method.title,
        parameters=fitted.parameters,
        subset_seed=config.target.subset_seed,
        train=tuple(np.bincount(tables["train"].label).tolist()),
        validation_auc=fitted.validation_auc,
        commit=read_commit(),
        source=source.words,
    )
    write_json(place.report_json, asdict(report))
    return report


def _predict(
    config: ExperimentConfig, method: Method, fitted: Fitted, table: FeatureTable
) -> Predictions:
    positive = config.target.classes.index(config.target.scored_class)
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


def write_summary(run_dir: RunDir, names: Sequence[str]) -> None:
    """Write ``baselines.md`` and ``baselines.csv``: every finished
    baseline, on all patches and on each subgroup."""
    # A SavedModel that the config names no more may be of other labels.
    found = [each for each in read_baselines(run_dir.root) if each.name in names]
    reports = [each.scores for each in found]
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
