"""External cohorts of made-up runs, through the real writers."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.cohort_scores import score_class_cohort, score_cohort
from gastric_keras.records.manifest import MANIFEST_NAME, read_manifest
from gastric_keras.runs.cohort_shapes import (
    CaseAppearance,
    ClassCohortScores,
    CohortScores,
    SetAppearance,
    SharedWithRun,
)
from gastric_keras.runs.cohorts import seal_cohort
from gastric_keras.runs.predictions import Predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_class_scores, read_scores, read_split
from gastric_keras.support.files import sha256_of, write_json
from tests.helpers.fake_classes import class_predictions
from tests.helpers.fake_runs import predictions, write_set


def make_appearance(found: Predictions, shift: float, seed: int) -> SetAppearance:
    """Stain and scale of the cases of some predictions."""
    rng = np.random.default_rng(seed)
    cases = tuple(
        CaseAppearance(
            str(name),
            6,
            {
                "hematoxylin_mean": float(0.5 + shift + rng.normal(0, 0.05)),
                "eosin_mean": float(0.3 - shift + rng.normal(0, 0.05)),
                "tissue_share": 0.8,
                "patch_width_um": 128.0,
            },
        )
        for name in np.unique(found.case_id)
    )
    return SetAppearance("0" * 64, cases)


def add_cohort(
    config: ExperimentConfig,
    name: str,
    *,
    signal: float = 0.3,
    cases: int = 16,
    case: str = "elsewhere",
    shared: tuple[SharedWithRun, ...] = (),
    manifest: int = 0,
) -> CohortScores:
    """What stage evaluate leaves of a cohort of a run of ``fake_runs``.

    Args:
        config: of the run.
        name: of the cohort.
        signal: how well the run tells its classes apart.
        cases: of it.
        case: how their names begin.
        shared: with the sets of the run.
        manifest: another number, another set.
    """
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    classes = config.target.classes
    folder = run_dir.root.parents[1] / "records" / f"{name}{manifest or ''}"
    if not folder.is_dir():
        write_set(folder, f"target{manifest or ''}", classes)
    scores = read_scores(run_dir)
    test = read_split(run_dir, "test", scores)
    found = predictions(
        config.seed,
        signal=signal,
        test_seed=99,
        cases=cases,
        classes=classes,
        case=case,
    )
    appearances = _write_looks(run_dir, name, found, test)
    result = score_cohort(
        name,
        found,
        records=str(folder),
        manifests=(read_manifest(folder), read_manifest(config.target.records)),
        run=(scores, test),
        appearances=appearances,
        shared=shared,
    )
    _finish(run_dir, name, folder, result)
    return result


def add_class_cohort(
    config: ExperimentConfig, name: str, *, cases: int = 16
) -> ClassCohortScores:
    """What stage evaluate leaves of a cohort of a run of ``fake_classes``.

    Args:
        config: of the run.
        name: of the cohort.
        cases: of it.
    """
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    classes = config.target.classes
    folder = run_dir.root.parents[1] / "records" / name
    write_set(folder, "target", classes)
    scores = read_class_scores(run_dir)
    test = read_split(run_dir, "test", scores)
    found = class_predictions(99, cases=cases, classes=classes, case="elsewhere")
    result = score_class_cohort(
        name,
        found,
        records=str(folder),
        manifests=(read_manifest(folder), read_manifest(config.target.records)),
        run=(scores, test),
        appearances=_write_looks(run_dir, name, found, test),
    )
    _finish(run_dir, name, folder, result)
    return result


def _write_looks(
    run_dir: RunDir, name: str, found: Predictions, test: Predictions
) -> tuple[SetAppearance, SetAppearance]:
    place = run_dir.cohort(name)
    appearances = make_appearance(found, 0.1, 1), make_appearance(test, 0.0, 0)
    write_predictions(place.predictions, found)
    write_json(place.appearance, asdict(appearances[0]))
    write_json(run_dir.internal_appearance, asdict(appearances[1]))
    return appearances


def _finish(
    run_dir: RunDir, name: str, folder: Path, result: CohortScores | ClassCohortScores
) -> None:
    write_json(run_dir.cohort(name).scores, asdict(result))
    key = {
        "manifest_sha256": sha256_of(folder / MANIFEST_NAME),
        "report_sha256": sha256_of(run_dir.report_json),
    }
    seal_cohort(run_dir, name, key)
