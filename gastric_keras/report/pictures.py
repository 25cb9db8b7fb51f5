"""The pictures of the report, inside the page, each with its text."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gastric_keras.figures import plots as figures
from gastric_keras.figures.style import with_palette
from gastric_keras.runs.fit_scores import score_of
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.runs.shapes import read_pictures
from gastric_keras.statistics.bands import Band, precision_recall_band, roc_band
from gastric_keras.statistics.calibration import apply_temperature
from gastric_keras.statistics.words import spell_score
from gastric_keras.support.errors import InputError
from gastric_keras.support.text import wrap

#: Bytes; a picture above it is shown in 256 colors.
LARGEST_IN_FULL_COLOR = 60_000
#: Of the pictures of stage visualize.
KINDS = ("error", "decision", "filters", "responses")


@dataclass(frozen=True)
class Inline:
    """A picture inside the page.

    Attributes:
        source: of an img.
        alt: the text that stands for it.
    """

    source: str
    alt: str


def inline(png: bytes, alt: str) -> Inline:
    """A PNG as source of an img, with the text that stands for it."""
    if len(png) > LARGEST_IN_FULL_COLOR:
        png = min(png, with_palette(png), key=len)
    data = base64.b64encode(png).decode()
    return Inline(f"data:image/png;base64,{data}", alt)


def learning_curves(history: Mapping[str, Sequence[float]], title: str) -> Inline:
    """Losses of one stage, and the validation score that chose its epoch.

    Args:
        history: as of ``shapes.read_history``, one epoch or more.
        title: of the stage.
    """
    return inline(
        figures.plot_history(None, history=history, title=title),
        f"Learning curves of {title}: loss of training and validation, and "
        f"{score_of(history).name}, over {len(history['epoch'])} epochs.",
    )


def area_pictures(
    scores: RunScores, test: Predictions, *, where: str = "test split"
) -> list[Inline]:
    """ROC and precision-recall curves with bands, per patch and per case.

    Args:
        scores: of the run.
        test: predictions of the test split.
        where: the patches are of, for a reader.

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
            f" Shaded: {scores.test.confidence:.0%} of the curves of drawn cases "
            "at each place."
        )
    return [
        inline(
            figures.plot_roc(None, curves=roc, title=_title(f"ROC, {where}")),
            f"ROC curves of the {where}. {_spell_areas(roc, 'AUC')}{shaded}",
        ),
        inline(
            figures.plot_precision_recall(
                None, curves=recall, title=_title(f"Precision and recall, {where}")
            ),
            f"Precision-recall curves of the {where}. "
            f"{_spell_areas(recall, 'average precision')}{shaded}",
        ),
    ]


def _curves(
    scores: RunScores,
    test: Predictions,
    key: str,
    band: Callable[..., Band | None],
) -> list[figures.Curve]:
    """Patches and cases; a unit whose area is not defined is left out."""
    split = scores.test
    draws = split.draws
    curves = []
    for unit, found in (("patch", split.patch), ("case", split.case)):
        area = found.scores[key]
        if area.value is None:
            continue
        label, score, case = test.units(scores.positive, unit)
        curves.append(
            figures.Curve(
                name=f"per {unit}",
                label=label,
                score=score,
                area=(area.value, area.low, area.high),
                threshold=scores.threshold,
                band=band(label, score, case, draws),
            )
        )
    return curves


def _title(text: str) -> str:
    """In lines that a picture is wide enough for."""
    return "\n".join(wrap(text, 40))


def _spell_areas(curves: Sequence[figures.Curve], area: str) -> str:
    return " ".join(f"{c.name}: {area} {c.area[0]:.3f}." for c in curves)


def reliability_picture(
    scores: RunScores, test: Predictions, *, where: str = "test split"
) -> Inline:
    """Reliability per patch, before and after temperature scaling.

    Args:
        scores: of the run.
        test: predictions of the test split.
        where: the patches are of, for a reader.
    """
    label, score = test.positives(scores.positive)
    index = test.classes.index(scores.positive)
    temperature = scores.temperature or 1.0
    scaled = apply_temperature(test.probability, temperature)[:, index]
    errors = scores.test.patch.scores
    before, after = (spell_score(errors[k]).value for k in ("ece", "ece_calibrated"))
    return inline(
        figures.plot_reliability(
            None,
            label=label,
            scores={"as the network gives it": score, "after scaling": scaled},
            title=_title(f"Reliability, {where}, per patch"),
        ),
        "Reliability per patch: share of positives against predicted probability in "
        f"ten bins; calibration error {before} before and {after} after scaling by "
        f"the temperature {temperature:.2f}.",
    )


def confusion_pictures(scores: RunScores, *, where: str = "") -> list[Inline]:
    """Confusion per patch and per case at the validation threshold.

    Args:
        scores: of the run.
        where: the patches are of, for a reader; "": the test split.
    """
    positive, threshold = scores.positive, scores.threshold
    names = [name for name in scores.classes if name != positive] + [positive]
    pictures = []
    for unit, found in (("patch", scores.test.patch), ("case", scores.test.case)):
        confusion = found.at_threshold.confusion
        (tn, fp), (fn, tp) = confusion
        of = f" of the {where}" if where else ""
        title = f"Confusion per {unit}{of}, threshold {threshold:.3f}"
        pictures.append(
            inline(
                figures.plot_confusion(
                    None, confusion=confusion, classes=names, title=_title(title)
                ),
                f"Confusion per {unit}{of} at {threshold:.3f}: {tp} of {tp + fn} "
                f"{names[1]} and {tn} of {tn + fp} {names[0]} called right. Rows from "
                f"the top and columns from the left: {names[0]}, {names[1]}.",
            )
        )
    return pictures


def visualized_pictures(run_dir: RunDir) -> dict[str, list[Inline]]:
    """What stage visualize left: kind -> pictures, in their order;
    empty where the stage was not run.

    Args:
        run_dir: of the run.

    Raises:
        InputError: the list is damaged, or a picture of it is not there.
    """
    if not run_dir.pictures.is_file():
        return {}
    found: dict[str, list[Inline]] = {kind: [] for kind in KINDS}
    for picture in read_pictures(run_dir.pictures):
        path = run_dir.figures / picture.file
        if not path.is_file():
            raise InputError(
                f"Every picture that {run_dir.pictures} lists must exist, got none at "
                f"{path}. Run --stage visualize --force."
            )
        found[picture.kind].append(inline(path.read_bytes(), picture.text))
    return found
