"""Finished runs of several classes through the real writers, made-up predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.class_scoring import score_classes
from gastric_keras.evaluation.evaluate import score_settings
from gastric_keras.runs.predictions import Predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import write_scores
from gastric_keras.support import config_io
from gastric_keras.support.files import read_json, write_json
from tests.helpers.fake_runs import write_set

LADDER = ("normal", "low", "high", "cancer")


def class_predictions(
    seed: int,
    *,
    cases: int = 24,
    classes: tuple[str, ...] = LADDER,
    case: str = "case",
) -> Predictions:
    """Predictions of 6 patches a case; the last patch of each fifth case is of the
    class below."""
    rng = np.random.default_rng([seed, cases])
    number = np.repeat(np.arange(cases), 6)
    label = number % len(classes)
    is_other = (number % 5 == 4) & (np.arange(number.size) % 6 == 5)
    label = np.where(is_other, np.maximum(label - 1, 0), label)
    logit = rng.normal(0, 1, (number.size, len(classes)))
    logit += rng.normal(0, 0.6, (cases, len(classes)))[number]
    logit[np.arange(number.size), label] += 1.5
    p = np.exp(logit)
    return Predictions(
        classes=classes,
        case_id=np.array([f"{case}{i:02d}" for i in number]),
        image_id=np.array([f"image{i:02d}" for i in number]),
        x=np.tile(np.arange(6) * 256, cases),
        y=np.zeros(number.size, np.int64),
        label=label,
        probability=(p / p.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def make_class_run(
    folder: Path,
    name: str,
    *,
    ordered: bool = True,
    fold: tuple[int, int] | None = None,
    classes: tuple[str, ...] = LADDER,
    cases: int = 24,
    seed: int = 0,
) -> ExperimentConfig:
    """A scored run in ``folder/runs/name`` and its set; fold: number and count."""
    records = folder / "records" / (name if fold else "target")
    write_set(records, "target", classes)
    if fold:
        manifest = read_json(records / "manifest.json")
        manifest["fold"] = {"number": fold[0], "count": fold[1], "seed": 0}
        write_json(records / "manifest.json", manifest)
    tree = {
        "name": name,
        "backbone": {"name": "alexnet"},
        "target": {
            "records": str(records),
            "classes": list(classes),
            "positive": None,
            "ordered": ordered,
        },
        "evaluate": {"bootstrap": 100, "subgroups": {"first": "image0"}},
        "runtime": {"output": str(folder / "runs")},
    }
    config: ExperimentConfig = config_io.build(ExperimentConfig, tree)
    run_dir = RunDir(folder / "runs" / name)
    config_io.save(config, run_dir.config)
    parts = {
        split: class_predictions(seed + more, cases=cases, classes=classes, case=name)
        for split, more in (("validation", 50), ("test", 0))
    }
    for split, found in parts.items():
        write_predictions(run_dir.predictions(split), found)
    scores = score_classes(config, parts["validation"], parts["test"])
    write_scores(run_dir, scores, score_settings(config))
    return config
