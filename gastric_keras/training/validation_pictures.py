"""What TensorBoard shows of the predictions of a validation split."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from gastric_keras.figures.plots import (
    Curve,
    plot_confusion,
    plot_precision_recall,
    plot_roc,
)
from gastric_keras.figures.scatter import plot_scatter


def draw_numbers(
    truth: np.ndarray, prediction: np.ndarray, *, names: Sequence[str], title: str
) -> dict[str, bytes]:
    """Predicted against true numbers of a validation split.

    Args:
        truth: (n, k) float.
        prediction: (n, k) float.
        names: of the k quantities.
        title: of the picture.

    Returns:
        Name of the picture -> PNG.
    """
    columns = {
        name: (truth[:, place], prediction[:, place])
        for place, name in enumerate(names)
    }
    return {"predicted": plot_scatter(None, columns=columns, title=title)}


def draw_validation(
    label: np.ndarray,
    probability: np.ndarray,
    *,
    classes: Sequence[str],
    positive: str | None,
    title: str,
) -> dict[str, bytes]:
    """ROC and precision-recall curves and the confusion of a validation split.

    Args:
        label: (n,) int.
        probability: (n, classes) float.
        classes: names, in label order.
        positive: the class that the curves are of; None: each against the rest.
        title: of each picture.

    Returns:
        Name of the picture -> PNG.
    """
    shown = (positive,) if positive else classes
    roc = build_curves(label, probability, classes, shown, roc_auc_score)
    precision_recall = build_curves(
        label, probability, classes, shown, average_precision_score
    )
    counts = confusion_matrix(
        label, probability.argmax(1), labels=np.arange(len(classes))
    )
    return {
        "roc": plot_roc(None, curves=roc, title=title),
        "precision_recall": plot_precision_recall(
            None, curves=precision_recall, title=title
        ),
        "confusion": plot_confusion(
            None, confusion=counts, classes=classes, title=title
        ),
    }


def build_curves(
    label: np.ndarray,
    probability: np.ndarray,
    classes: Sequence[str],
    shown: Sequence[str],
    area: Callable[[np.ndarray, np.ndarray], float],
) -> list[Curve]:
    """A curve for each class that is shown, against the rest.

    Args:
        label: (n,) int.
        probability: (n, classes) float.
        classes: names, in label order.
        shown: those with a curve.
        area: under the curve, of (n,) 0 or 1 and (n,) scores.
    """
    curves = []
    for name in shown:
        place = classes.index(name)
        one, score = (label == place).astype(int), probability[:, place]
        curves.append(Curve(name, one, score, (area(one, score), None, None)))
    return curves
