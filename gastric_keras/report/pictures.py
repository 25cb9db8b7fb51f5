"""The pictures of the report, inside the page, each with its text."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gastric_keras.figures import plots as figures
from gastric_keras.figures.style import with_palette
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.records import read_pictures
from gastric_keras.runs.rows import positives_of, spell_score
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.bands import Band, precision_recall_band, roc_band
from gastric_keras.statistics.calibration import apply_temperature
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.split_report import case_means
from gastric_keras.support.errors import InputError

#: Bytes; a picture above it is shown in 256 colors.
LARGEST_IN_FULL_COLOR = 60_000
#: Of the pictures of stage visualize.
KINDS = ("error", "decision", "filters", "responses")


def inline(png: bytes, alt: str) -> dict[str, str]:
    """A PNG as source of an img, with the text that stands for it."""
    if len(png) > LARGEST_IN_FULL_COLOR:
        png = min(png, with_palette(png), key=len)
    data = base64.b64encode(png).decode()
    return {"source": f"data:image/png;base64,{data}", "alt": alt}


def learning_curves(history: Mapping[str, Sequence[float]], title: str) -> dict:
    """Losses and validation AUC of one stage.

    Args:
        history: as of ``fit_files.read_history``, one epoch or more.
        title: of the stage.
    """
    return inline(
        figures.plot_history(None, history=history, title=title),
        f"Learning curves of {title}: loss of training and validation, and "
        f"validation AUC, over {len(history['epoch'])} epochs.",
    )


def area_pictures(scores: Mapping[str, Any], test: Predictions) -> list[dict]:
    """ROC and precision-recall curves with bands, per patch and per case.

    Args:
        scores: content of report.json.
        test: predictions of the test split.

    Returns:
        Both pictures; none where no area is defined.
    """
    roc = _curves(scores, test, "auc", roc_band)
    if not roc:
        return []
    recall = _curves(scores, test, "pr_auc", precision_recall_band)
    shaded = ""
    if any(curve.band is not None for curve in roc):
        shaded = (
            f" Shaded: {scores['test']['confidence']:.0%} of the curves of drawn cases "
            "at each place."
        )
    return [
        inline(
            figures.plot_roc(None, curves=roc, title="ROC, test split"),
            f"ROC curves of the test split. {_spell_areas(roc, 'AUC')}{shaded}",
        ),
        inline(
            figures.plot_precision_recall(
                None, curves=recall, title="Precision and recall, test split"
            ),
            "Precision-recall curves of the test split. "
            f"{_spell_areas(recall, 'average precision')}{shaded}",
        ),
    ]


def _curves(
    scores: Mapping[str, Any],
    test: Predictions,
    key: str,
    band: Callable[..., Band | None],
) -> list[figures.Curve]:
    """Patches and cases; a unit whose area is not defined is left out."""
    label, score = positives_of(test, scores["positive"])
    names, truth, mean = case_means(label, score, test.case_id)
    rows = {"patch": (label, score, test.case_id), "case": (truth, mean, names)}
    split = scores["test"]
    draws = Draws(split["bootstrap"], split["confidence"], split["seed"])
    return [
        figures.Curve(
            name=f"per {unit}",
            label=rows[unit][0],
            score=rows[unit][1],
            area=(area["value"], area["low"], area["high"]),
            threshold=scores["threshold"],
            band=band(*rows[unit], draws),
        )
        for unit in rows
        if (area := split[unit]["scores"][key])["value"] is not None
    ]


def _spell_areas(curves: Sequence[figures.Curve], area: str) -> str:
    return " ".join(f"{c.name}: {area} {c.area[0]:.3f}." for c in curves)


def reliability_picture(scores: Mapping[str, Any], test: Predictions) -> dict:
    """Reliability per patch, before and after temperature scaling.

    Args:
        scores: content of report.json.
        test: predictions of the test split.
    """
    label, score = positives_of(test, scores["positive"])
    index = test.classes.index(scores["positive"])
    temperature = scores["temperature"]
    scaled = apply_temperature(test.probability, temperature)[:, index]
    errors = scores["test"]["patch"]["scores"]
    before, after = (spell_score(errors[k])["value"] for k in ("ece", "ece_calibrated"))
    return inline(
        figures.plot_reliability(
            None,
            label=label,
            scores={"as the network gives it": score, "after scaling": scaled},
            title="Reliability, test split, per patch",
        ),
        "Reliability per patch: share of positives against predicted probability in "
        f"ten bins; calibration error {before} before and {after} after scaling by "
        f"the temperature {temperature:.2f}.",
    )


def confusion_pictures(scores: Mapping[str, Any]) -> list[dict]:
    """Confusion per patch and per case at the validation threshold.

    Args:
        scores: content of report.json.
    """
    positive, threshold = scores["positive"], scores["threshold"]
    names = [name for name in scores["classes"] if name != positive] + [positive]
    pictures = []
    for unit in ("patch", "case"):
        confusion = scores["test"][unit]["at_threshold"]["confusion"]
        (tn, fp), (fn, tp) = np.asarray(confusion).tolist()
        title = f"Confusion per {unit}, threshold {threshold:.3f}"
        pictures.append(
            inline(
                figures.plot_confusion(
                    None, confusion=confusion, classes=names, title=title
                ),
                f"Confusion per {unit} at {threshold:.3f}: {tp} of {tp + fn} "
                f"{names[1]} and {tn} of {tn + fp} {names[0]} called right.",
            )
        )
    return pictures


def visualized_pictures(run_dir: RunDir) -> dict[str, list[dict]]:
    """What stage visualize left: kind -> pictures, in their order;
    empty where the stage was not run.

    Args:
        run_dir: of the run.

    Raises:
        InputError: the list is damaged, or a picture of it is not there.
    """
    if not run_dir.pictures.is_file():
        return {}
    found: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    for picture in read_pictures(run_dir.pictures):
        path = run_dir.figures / picture.file
        if not path.is_file():
            raise InputError(
                f"The pictures of {run_dir.pictures} were expected. Received: none at "
                f"{path}. Run --stage visualize --force."
            )
        found[picture.kind].append(inline(path.read_bytes(), picture.text))
    return found
