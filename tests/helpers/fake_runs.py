"""Finished run folders through the real writers, with made-up predictions."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.scoring import score
from gastric_keras.figures.plots import plot_responses
from gastric_keras.records.manifest import (
    MANIFEST_NAME,
    Manifest,
    Shard,
    write_manifest,
)
from gastric_keras.runs.predictions import Predictions, write_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import BaselineScores, Scores
from gastric_keras.support import config_io
from gastric_keras.support.files import sha256_of, write_atomic, write_json

CLASSES = ("benign", "malignant")
MID_CLASSES = {
    "tissue": ("background", "epithelium", "stroma"),
    "nuclei": ("cluster_1", "cluster_2"),
}


def write_set(folder: Path, dataset: str, classes: tuple[str, ...]) -> Path:
    """A set that read_manifest accepts: a manifest and one small shard a split."""
    shards = []
    for split in ("train", "validation", "test"):
        name = f"{split}-00000-of-00001.tfrecord"
        write_atomic(folder / name, split)
        records = 1234 * len(classes)
        digest = sha256_of(folder / name)
        shards.append(Shard(name, split, records, len(split), digest))
    manifest = Manifest(
        dataset=dataset,
        classes=classes,
        counts={s.split: {name: 1234 for name in classes} for s in shards},
        cases={s.split: tuple(f"{s.split}{i}" for i in range(7)) for s in shards},
        patch_size=256,
        mpp=0.5,
        dropped={"too few nuclei": 42, "<b>blurred</b>": 1},
        config={"stride": 256},
        shards=tuple(shards),
        subsets={"small": 540, "large": 1100} if dataset == "target" else {},
    )
    write_manifest(folder, manifest)
    return folder


def add_pictures(
    run_dir: RunDir,
    kinds: tuple[str, ...] = ("error", "decision", "filters", "responses"),
) -> None:
    """What stage visualize leaves: one picture of each kind, and the list."""
    pictures = []
    for kind in kinds:
        name = f"made_{kind}.png"
        plot_responses(
            run_dir.figures / name,
            patch=np.zeros((8, 8, 3), np.uint8),
            responses={"t=0": np.zeros((4, 4, 2)), "t=2": np.ones((4, 4, 2))},
            title=kind,
        )
        text = f"Made picture of kind {kind}, of case <b>7</b>"
        pictures.append({"file": name, "kind": kind, "text": text})
    write_json(run_dir.pictures, pictures)


def add_quality(folder: Path) -> None:
    """quality.json as data_prep writes it."""
    tie = {"cramers_v": 0.64, "corrected": 0.62}
    quality = {
        "share_kept": 0.978,
        "images": 865,
        "set_aside": 3,
        "largest_cases": {"cluster_1": ["glas/patient-4", 0.061]},
        "case_association": tie,
        "source_association": None,
        "hematoxylin_auc": {"cluster_1 against cluster_2": 0.505},
        "clusters": {"silhouette": 0.364, "davies_bouldin": 1.03, "stability": 0.99},
        "agreement": 0.995,
        "warnings": ["The class is tied to the case: <i>0.62</i>"],
    }
    write_json(folder / "quality.json", quality)


def predictions(
    seed: int,
    *,
    signal: float = 1.0,
    test_seed: int = 0,
    cases: int = 24,
    classes: tuple[str, ...] = CLASSES,
    case: str = "case",
) -> Predictions:
    """Predictions of 6 patches a case; ``test_seed`` fixes all but the scores."""
    rng = np.random.default_rng([test_seed, cases])
    number = np.repeat(np.arange(cases), 6)
    label = (number % 2).astype(np.int64)
    difficulty = rng.normal(0, 0.8, cases)[number] + rng.normal(0, 1, number.size)
    noise = np.random.default_rng([seed, 99]).normal(0, 0.5, number.size)
    logit = 2 * signal * (label - 0.5) + difficulty + noise
    p = (1 / (1 + np.exp(-logit))).astype(np.float32)
    return Predictions(
        classes=classes,
        case_id=np.array([f"{case}{i:02d}" for i in number]),
        image_id=np.array([f"image{i:02d}" for i in number]),
        x=np.tile(np.arange(6) * 256, cases),
        y=np.zeros(number.size, np.int64),
        label=label,
        probability=np.stack([1 - p, p], axis=1),
    )


def make_run(
    folder: Path,
    name: str,
    *,
    mid: str | None = None,
    variant: str = "stepwise",
    epochs: int = 6,
    backbone: str = "alexnet",
    subset: str | None = None,
    seed: int = 0,
    signal: float = 1.0,
    test_seed: int = 0,
    cases: int = 24,
    classes: tuple[str, ...] = CLASSES,
    case: str = "case",
    init: str | None = None,
    subgroups: dict[str, str] | None = None,
) -> ExperimentConfig:
    """A finished run in ``folder/runs/name`` and the sets that it names."""
    target = write_set(folder / "records" / "target", "target", classes)
    tree = {
        "name": name,
        "seed": seed,
        "backbone": {"name": backbone},
        "target": {
            "records": str(target),
            "subset": subset,
            "fit": {"epochs": epochs, "head": "probe"},
            "classes": list(classes),
            "positive": classes[1],
        },
        "evaluate": {"bootstrap": 200, "subgroups": subgroups or {}},
        "runtime": {"output": str(folder / "runs")},
    }
    if mid:
        records = write_set(folder / "records" / mid, mid, MID_CLASSES[mid])
        tree["mid"] = {
            "records": str(records),
            "classes": list(MID_CLASSES[mid]),
            "variant": variant,
            "init": init,
        }
    config: ExperimentConfig = config_io.build(ExperimentConfig, tree)
    run_dir = RunDir(folder / "runs" / name)
    config_io.save(config, run_dir.config)
    for stage in ("mid", "target") if mid else ("target",):
        _write_stage(run_dir, stage)
    names = {"signal": signal, "classes": classes, "case": case}
    validation = predictions(seed + 50, test_seed=7, **names)
    test = predictions(seed, test_seed=test_seed, cases=cases, **names)
    write_predictions(run_dir.predictions("validation"), validation)
    write_predictions(run_dir.predictions("test"), test)
    write_json(run_dir.report_json, asdict(score(config, validation, test)))
    write_json(run_dir.done("evaluate"), {"report": run_dir.report_json.name})
    write_json(run_dir.provenance, _provenance(config))
    return config


def add_baseline(
    config: ExperimentConfig,
    name: str,
    title: str,
    *,
    signal: float = 1.0,
    seed: int = 500,
    cases: int = 24,
    source: str = "",
) -> None:
    """A finished baseline in the folder of a run."""
    place = RunDir(Path(config.runtime.output) / config.name).baseline(name)
    names = {"signal": signal, "classes": config.target.classes}
    validation = predictions(seed + 50, test_seed=7, **names)
    test = predictions(seed, cases=cases, **names)
    write_predictions(place.predictions("test"), test)
    found = score(replace(config, mid=None), validation, test)
    shared = {each.name: getattr(found, each.name) for each in fields(Scores)}
    made = BaselineScores(
        **shared | {"backbone": name, "weights": None},
        title=title,
        parameters={"C": 0.1},
        subset_seed=config.target.subset_seed,
        train=(50, 50),
        validation_auc=0.9,
        source=source,
    )
    write_json(place.report_json, asdict(made))
    write_json(place.done, {})


def write_report(config: ExperimentConfig) -> Path:
    """The page of a run, by stage report."""
    from gastric_keras.report.page import run_report

    run_dir = RunDir(Path(config.runtime.output) / config.name)
    run_report(config, run_dir)
    return run_dir.report_html


def _write_stage(run_dir: RunDir, stage: str) -> None:
    rows = ["epoch,loss,accuracy,val_loss,val_accuracy,val_auc,learning_rate"]
    rows += [
        f"{i},{1 / (i + 1)},0.8,{1 / (i + 2)},,{0.9 - 0.1 / (i + 1)},1e-4"
        for i in range(6)
    ]
    write_atomic(run_dir.history(stage), "\n".join(rows) + "\n")
    report = {
        "source": "ImageNet",
        "copied": [f"backbone/conv{i}/kernel" for i in range(5)],
        "initialised": ["head/kernel", "head/bias"],
        "unused": [],
    }
    write_json(run_dir.transfer_report(stage), report)
    done = {"best_epoch": 5, "val_auc": 0.88, "epochs": 6, "seconds": 12.5, "steps": 99}
    write_json(run_dir.done(stage), done)


def _provenance(config: ExperimentConfig) -> dict:
    folders = [config.target.records] + ([config.mid.records] if config.mid else [])
    return {
        "command": "python -m gastric_keras.run --stage all --config a.yaml",
        "started": "2024-01-01T00:00:00+00:00",
        "commit": "0123456789ab",
        "python": "3.11.9",
        "packages": {"tensorflow": "2.17.1", "tensorflow-io": None},
        "device": "x86_64, Linux",
        "seed": config.seed,
        "records": {
            f: {"manifest_sha256": sha256_of(Path(f) / MANIFEST_NAME)} for f in folders
        },
    }
