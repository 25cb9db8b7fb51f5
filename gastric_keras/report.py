"""One self-contained HTML file about one run, from the files in its folder only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import gastric_keras
from gastric_keras import figures
from gastric_keras.config import ExperimentConfig
from gastric_keras.errors import InputError
from gastric_keras.evaluate import Predictions, read_predictions
from gastric_keras.files import read_json, write_atomic, write_json
from gastric_keras.metrics import case_means
from gastric_keras.run_dir import FitStage, RunDir
from gastric_keras.tables import (
    NETWORKS,
    case_rows,
    positives_of,
    read_history,
    score_rows,
    set_card,
    spell_score,
    warm_start_card,
)

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
    """
    path = _write(config, run_dir)
    write_json(run_dir.done("report"), {"report": path.name})
    print(f"report: {path} ({path.stat().st_size / 1e6:.1f} MB, one file)")


def write_report(config: ExperimentConfig) -> Path:
    """Write ``report.html`` of a run.

    Args:
        config: of the run; its folder is ``config.runtime.output/config.name``.

    Returns:
        The path of the page: HTML with pictures inside, no script and no network.

    Raises:
        InputError: stage evaluate is not finished, or a file of the run is broken.
    """
    return _write(config, RunDir(Path(config.runtime.output) / config.name))


def _write(config: ExperimentConfig, run_dir: RunDir) -> Path:
    for path in (run_dir.report_json, run_dir.predictions("test")):
        if not path.is_file():
            raise InputError(
                "A finished stage evaluate was expected. Received: "
                f"{run_dir.root} without {path.relative_to(run_dir.root)}. Run --stage "
                "evaluate first."
            )
    environment = Environment(
        loader=PackageLoader("gastric_keras"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(_content(config, run_dir))
    write_atomic(run_dir.report_html, page)
    return run_dir.report_html


def _content(config: ExperimentConfig, run_dir: RunDir) -> dict[str, Any]:
    scores = read_json(run_dir.report_json)
    test = read_predictions(run_dir.predictions("test"))
    provenance = read_json(run_dir.provenance) if run_dir.provenance.is_file() else None
    threshold, positive = scores["threshold"], scores["positive"]
    negative = next(name for name in scores["classes"] if name != positive)
    return {
        "name": config.name,
        "network": NETWORKS[config.backbone.name],
        "config": config,
        "scores": scores,
        "negative": negative,
        "units": _units(scores["test"]),
        "sets": _sets(config, provenance),
        "stages": list(_stages(run_dir)),
        "pictures": _test_pictures(scores, test),
        "cases": case_rows(test, positive, threshold),
        "responses": _made_pictures(run_dir),
        "warm_starts": _warm_starts(run_dir),
        "provenance": provenance,
        "config_yaml": _config_text(run_dir),
        "version": gastric_keras.__version__,
    }


def _units(split: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "n": split[name]["n"],
            "positives": split[name]["positives"],
            "auc": spell_score(split[name]["scores"]["auc"]),
            "rows": score_rows(split[name]),
        }
        for name in ("patch", "case")
    ]


def _sets(
    config: ExperimentConfig, provenance: dict[str, Any] | None
) -> list[dict[str, Any]]:
    records = (provenance or {}).get("records", {})
    wanted = [("Target set, t=2", config.target.records)]
    if config.mid is not None:
        wanted.insert(0, ("Mid-level set, t=1", config.mid.records))
    return [
        set_card(title, folder, records.get(folder, {}).get("manifest_sha256"))
        for title, folder in wanted
    ]


def _stages(run_dir: RunDir) -> Iterator[dict[str, Any]]:
    for stage, title in STAGE_TITLES.items():
        if not run_dir.history(stage).is_file():
            continue
        history = read_history(run_dir.history(stage))
        if not history:
            continue
        done = run_dir.done(stage)
        yield {
            "title": title,
            "done": read_json(done) if done.is_file() else None,
            "picture": _inline(
                figures.plot_history(None, history=history, title=title),
                f"Learning curves of {title}: loss of training and validation, and "
                f"validation AUC, over {len(history['epoch'])} epochs.",
            ),
        }


def _test_pictures(scores: dict[str, Any], test: Predictions) -> list[dict[str, str]]:
    positive, threshold = scores["positive"], scores["threshold"]
    label, score = positives_of(test, positive)
    pictures = []
    curves = _curves(scores, test, "auc")
    if curves:
        pictures += [
            _inline(
                figures.plot_roc(None, curves=curves, title="ROC, test split"),
                f"ROC curves of the test split. {_spell_areas(curves, 'AUC')}",
            ),
            _inline(
                figures.plot_precision_recall(
                    None,
                    curves=_curves(scores, test, "pr_auc"),
                    title="Precision and recall, test split",
                ),
                "Precision-recall curves of the test split. "
                + _spell_areas(_curves(scores, test, "pr_auc"), "average precision"),
            ),
        ]
    pictures.append(
        _inline(
            figures.plot_reliability(None, label=label, score=score),
            "Reliability per patch: share of positives against predicted probability "
            "in ten bins; calibration error "
            f"{spell_score(scores['test']['patch']['scores']['ece'])['value']}.",
        )
    )
    names = [name for name in scores["classes"] if name != positive] + [positive]
    for unit in ("patch", "case"):
        confusion = scores["test"][unit]["at_threshold"]["confusion"]
        (tn, fp), (fn, tp) = confusion
        pictures.append(
            _inline(
                figures.plot_confusion(
                    None,
                    confusion=confusion,
                    classes=names,
                    title=f"Confusion per {unit}, threshold {threshold:.3f}",
                ),
                f"Confusion per {unit} at {threshold:.3f}: {tp} of {tp + fn} "
                f"{names[1]} and {tn} of {tn + fp} {names[0]} called right.",
            )
        )
    return pictures


def _curves(scores: dict[str, Any], test: Predictions, key: str) -> list[figures.Curve]:
    """Patches and cases; a unit whose area is not defined is left out."""
    label, score = positives_of(test, scores["positive"])
    rows = {
        "patch": (label, score),
        "case": case_means(label, score, test.case_id)[1:],
    }
    return [
        figures.Curve(
            name=f"per {unit}",
            label=rows[unit][0],
            score=rows[unit][1],
            area=(area["value"], area["low"], area["high"]),
            threshold=scores["threshold"],
        )
        for unit in rows
        if (area := scores["test"][unit]["scores"][key])["value"] is not None
    ]


def _spell_areas(curves: list[figures.Curve], area: str) -> str:
    return " ".join(f"{c.name}: {area} {c.area[0]:.3f}." for c in curves)


def _made_pictures(run_dir: RunDir) -> list[dict[str, str]]:
    """Pictures that stage visualize left, but for the ROC, which stands above."""
    return [
        _inline(path.read_bytes(), path.stem.replace("_", " "))
        for path in sorted(run_dir.figures.glob("*.png"))
        if path.stem != "roc"
    ]


def _warm_starts(run_dir: RunDir) -> list[dict[str, Any]]:
    cards = {t: warm_start_card(run_dir, s) for s, t in STAGE_TITLES.items()}
    return [{"title": title, **card} for title, card in cards.items() if card]


def _config_text(run_dir: RunDir) -> str:
    if not run_dir.config.is_file():
        return ""
    return run_dir.config.read_text(encoding="utf-8")


def _inline(png: bytes, alt: str) -> dict[str, str]:
    data = base64.b64encode(png).decode()
    return {"source": f"data:image/png;base64,{data}", "alt": alt}
