"""What an exported model answers to patches, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.serving.exported_metadata import RawPoint
from gastric_keras.support.errors import require

#: Of the outputs: ``<positive>_probability`` of two classes, ``probabilities`` of more.
SUFFIX, ALL, RAW = "_probability", "probabilities", "raw_probabilities"
EXPORT = "Make it with --stage export and name its folder, such as RUN/export."
#: Closer than this to another call, rounding decides.
_CLEAR = 1e-4
#: Probabilities of all classes sum to 1 but for rounding.
_SUM = 1e-3


class Answer(NamedTuple):
    """The answer of a model to n patches.

    Attributes:
        probability: (n,) float32 of the positive class, in [0, 1]; of more than two
            (n, classes), in label order.
        label: (n,) object, names of classes at the threshold, or of the highest.
        threshold: from validation; None: more than two classes, which have none.
        raw: as ``probability``, the same out of the network, by which evaluation calls;
            None where the model or its metadata do not tell it.
    """

    probability: npt.NDArray[np.float32]
    label: npt.NDArray[np.object_]
    threshold: float | None
    raw: npt.NDArray[np.float32] | None = None


def answer_of_two(
    found: Mapping[str, tf.Tensor],
    n: int,
    *,
    positive: str,
    raw_point: RawPoint | None,
    is_known: bool,
) -> Answer:
    """Read the outputs of a model of two classes.

    Args:
        found: output -> values.
        n: how many patches it was asked about.
        positive: name of the class whose probability it gives.
        raw_point: where the network's own probability stands; None: not told.
        is_known: an earlier answer was checked.

    Raises:
        InputError: they contradict each other.
        UnicodeDecodeError: a label is no text.
    """
    label = _names(found["label"])
    probability = found[positive + SUFFIX].numpy()
    threshold = found["threshold"].numpy()
    if not is_known:
        _check_two(n, probability, label, threshold, positive=positive)
    raw = None if raw_point is None else found[RAW].numpy()[:, raw_point.column]
    return Answer(probability, label, float(threshold[0]), raw)


def answer_of_classes(
    found: Mapping[str, tf.Tensor],
    n: int,
    *,
    classes: tuple[str, ...],
    is_known: bool,
) -> Answer:
    """Read the outputs of a model of more than two classes.

    Args:
        found: output -> values.
        n: how many patches it was asked about.
        classes: names, in label order.
        is_known: an earlier answer was checked.

    Raises:
        InputError: they contradict each other.
        UnicodeDecodeError: a label is no text.
    """
    label = _names(found["label"])
    probability, raw = found[ALL].numpy(), found[RAW].numpy()
    if not is_known:
        _check_classes(n, probability, raw, label, classes=classes)
    return Answer(probability, label, None, raw)


def _names(label: tf.Tensor) -> npt.NDArray[np.object_]:
    return np.array([each.decode() for each in label.numpy()], object)


def _check_two(
    n: int,
    probability: npt.NDArray[np.float32],
    label: npt.NDArray[np.object_],
    threshold: npt.NDArray[np.float32],
    *,
    positive: str,
) -> None:
    shapes = [probability.shape, label.shape, threshold.shape]
    require(
        shapes == [(n,)] * 3 and 0 <= threshold[0] <= 1,
        f"The model must give a probability, a label and a threshold in [0, 1] for "
        f"each of {n} patches",
        EXPORT,
        shapes=shapes,
        threshold=threshold.ravel()[:1].tolist(),
    )
    _check_range(probability)
    # Other programs' models have no checksums, but their outputs must agree with
    # each other.
    is_clear = np.abs(probability - threshold) > _CLEAR
    wrong = is_clear & ((label == positive) != (probability >= threshold))
    require(
        not wrong.any(),
        f"The model must give the label {positive} where the probability is "
        "at or above the threshold, and nowhere else",
        EXPORT,
        probability=probability[wrong][:1].tolist(),
        threshold=threshold[:1].tolist(),
        label=label[wrong][:1].tolist(),
    )


def _check_classes(
    n: int,
    probability: npt.NDArray[np.float32],
    raw: npt.NDArray[np.float32],
    label: npt.NDArray[np.object_],
    *,
    classes: tuple[str, ...],
) -> None:
    shapes = [probability.shape, raw.shape, label.shape]
    require(
        shapes == [(n, len(classes))] * 2 + [(n,)],
        f"The model must give {len(classes)} probabilities, calibrated and raw, and a "
        f"label for each of {n} patches",
        EXPORT,
        shapes=shapes,
    )
    for values in (probability, raw):
        _check_range(values)
        total = values.sum(axis=1)
        is_off = np.abs(total - 1) > _SUM
        require(
            not is_off.any(),
            "The probabilities of all classes must sum to 1",
            EXPORT,
            sum=total[is_off][:1].tolist(),
        )
        called = (label[:, None] == np.array(classes, object)).astype(bool)
        # Of a name that is no class no column is taken; NaN is counted by the caller.
        of_label = np.where(called, values, 0).sum(axis=1)
        wrong = of_label < values.max(axis=1) - _CLEAR
        wrong |= ~called.any(axis=1)
        require(
            not wrong.any(),
            "The model must give the label of the highest probability",
            EXPORT,
            probabilities=values[wrong][:1].tolist(),
            classes=list(classes),
            label=label[wrong][:1].tolist(),
        )


def _check_range(probability: npt.NDArray[np.float32]) -> None:
    # NaN is counted by the caller, who has all patches.
    outside = (probability < 0) | (probability > 1)
    require(
        not outside.any(),
        "The model must give probabilities in [0, 1]",
        EXPORT,
        probability=probability[outside][:1].tolist(),
    )
