"""Point scores of a classifier of more than two classes, for many weightings.

As in ``scores``, one implementation gives the score itself (every weight 1) and its
bootstrap draws. A patch is called the class of its highest probability. The values are
those of scikit-learn where it has them (``roc_auc_score(multi_class="ovr")``,
``balanced_accuracy_score``, ``f1_score(average="macro")``,
``cohen_kappa_score(weights="quadratic")``, ``brier_score_loss(scale_by_half=True)``);
a score that needs a class which no row shows is not defined here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gastric_keras.statistics.scores import calibration_scores, ranking_scores
from gastric_keras.support.errors import InputError, require


def check_class_rows(label: Any, probability: Any) -> tuple[np.ndarray, np.ndarray]:
    """Validate labels and probabilities of several classes.

    Args:
        label: (n,) int, index of the true class, n ≥ 1.
        probability: (n, classes) finite, in [0, 1].

    Returns:
        label (n,) int64 and probability (n, classes) float64.

    Raises:
        InputError: another shape, type or range, or NaN.
    """
    label, probability = np.asarray(label), np.asarray(probability)
    require(
        probability.ndim == 2
        and probability.shape[1] > 1
        and label.shape == probability.shape[:1] != (0,),
        "Probabilities must have shape (n, classes), and labels (n,)",
        "Pass one row of probabilities for each label.",
        probability=probability.shape,
        label=label.shape,
    )
    classes = probability.shape[1]
    require(
        label.dtype.kind in "iu" and bool(np.isin(label, range(classes)).all()),
        f"Labels must be from 0 to {classes - 1}",
        "Pass the index of the true class.",
        values=np.unique(label)[:5].tolist(),
    )
    is_sound = probability.dtype.kind in "biuf" and np.isfinite(probability).all()
    # A softmax in float32 may exceed 1 by a rounding error.
    if not is_sound or probability.min() < -1e-6 or probability.max() > 1 + 1e-6:
        raise InputError(
            "Probabilities must be finite and in [0, 1], got others. Pass "
            "probabilities, not logits; NaN is a sign of diverged training."
        )
    return label.astype(np.int64), probability.astype(np.float64).clip(0, 1)


def class_confusion(label: np.ndarray, called: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64 counts: row = truth, column = call.

    Args:
        label: (n,) int.
        called: (n,) int.
        classes: how many there are.
    """
    flat = np.bincount(label * classes + called, minlength=classes**2)
    return flat.reshape(classes, classes)


def multiclass_scores(
    label: np.ndarray, probability: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores over all classes.

    ``auc`` and ``pr_auc`` are the plain means over the classes, each against the rest;
    ``balanced_accuracy`` is the mean recall; ``kappa_quadratic`` is
    ``1 - Σ w·o / Σ w·e`` with ``w = (i - j)²`` (Cohen 1968, doi 10.1037/h0026256);
    ``brier = mean Σ_c (p_c - y_c)² / 2``; ``ece`` is that of the highest probability
    against the share of right calls (Guo et al. 2017, arXiv 1706.04599).

    Args:
        label: (n,) int64.
        probability: (n, classes) float64 in [0, 1].
        weight: (draws, n) ≥ 0.

    Returns:
        name -> (draws,) float64, NaN where a draw lacks a class that the score needs.
    """
    classes = probability.shape[1]
    truth, called = np.eye(classes)[label], probability.argmax(axis=1)
    ranked = [
        ranking_scores(truth[:, c].astype(np.int64), probability[:, c], weight)
        for c in range(classes)
    ]
    counts = (weight @ np.eye(classes**2)[label * classes + called]).reshape(
        -1, classes, classes
    )
    return {
        "auc": np.mean([each["auc"] for each in ranked], axis=0),
        "pr_auc": np.mean([each["pr_auc"] for each in ranked], axis=0),
        **certainty_scores(label, probability, weight),
        **_call_scores(counts),
    }


def certainty_scores(
    label: np.ndarray, probability: np.ndarray, weight: np.ndarray
) -> dict[str, np.ndarray]:
    """``brier`` and ``ece`` as of :func:`multiclass_scores`, (draws,) each."""
    truth = np.eye(probability.shape[1])[label]
    gaps = ((probability - truth) ** 2).sum(axis=1) / 2
    is_right = (probability.argmax(axis=1) == label).astype(np.int64)
    ece = calibration_scores(is_right, probability.max(axis=1), weight)["ece"]
    return {"brier": weight @ gaps / weight.sum(axis=1), "ece": ece}


def _call_scores(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Of (draws, classes, classes) weighted confusions."""
    total = counts.sum(axis=(1, 2))
    rows, columns = counts.sum(axis=2), counts.sum(axis=1)
    hits = np.diagonal(counts, axis1=1, axis2=2)
    place = np.arange(counts.shape[1])
    distance = (place[:, None] - place) ** 2
    chance = rows[:, :, None] * columns[:, None, :] / total[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0: not defined
        recall, f1 = hits / rows, 2 * hits / (rows + columns)
        observed = (counts * distance).sum(axis=(1, 2))
        expected = (chance * distance).sum(axis=(1, 2))
        return {
            "accuracy": hits.sum(axis=1) / total,
            "balanced_accuracy": recall.mean(axis=1),
            "f1_macro": f1.mean(axis=1),
            "kappa_quadratic": np.where(expected > 0, 1 - observed / expected, np.nan),
        }
