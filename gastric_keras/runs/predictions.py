"""Write, read and select predictions of the patches of a split."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.statistics.split_report import case_means
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_csv

KEYS = ("case_id", "image_id", "x", "y", "label")
COLUMNS = (*KEYS, "probability")


@dataclass(frozen=True)
class Predictions:
    """Probabilities of the patches of one split, ordered as the records.

    Attributes:
        classes: names, in label order.
        case_id: (n,) str.
        image_id: (n,) str.
        x: (n,) int, px.
        y: (n,) int, px.
        label: (n,) int, index into classes.
        probability: (n, len(classes)) float32, rows sum to 1.
    """

    classes: tuple[str, ...]
    case_id: np.ndarray
    image_id: np.ndarray
    x: np.ndarray
    y: np.ndarray
    label: np.ndarray
    probability: np.ndarray

    def positives(self, positive: str) -> tuple[np.ndarray, np.ndarray]:
        """(n,) 0 or 1, and (n,) probability of the positive class, float64."""
        index = self.classes.index(positive)
        label = (self.label == index).astype(np.int64)
        return label, self.probability[:, index].astype(np.float64)

    def units(
        self, positive: str, unit: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Label (0 or 1), probability of the positive class and case of each unit.

        Args:
            positive: name of the positive class.
            unit: ``patch``, or ``case``: the mean over its patches.
        """
        label, score = self.positives(positive)
        if unit == "patch":
            return label, score, self.case_id
        names, truth, mean = case_means(label, score, self.case_id)
        return truth, mean, names

    def rows_by_key(
        self, positive: str
    ) -> tuple[tuple[tuple, ...], np.ndarray, np.ndarray]:
        """In the order of their keys, so that those of two models line up.

        Args:
            positive: name of the positive class.

        Returns:
            (case_id, image_id, x, y, label) of each patch, label 1 for the positive
            class; (n,) label; (n,) probability of the positive class, float64.
        """
        label, score = self.positives(positive)
        rows, order = self._sorted(label)
        return rows, label[order], score[order]

    def classes_by_key(self) -> tuple[tuple[tuple, ...], np.ndarray]:
        """In the order of their keys, of any number of classes.

        Returns:
            (case_id, image_id, x, y, label) of each patch; (n, classes) probability,
            float64.
        """
        rows, order = self._sorted(self.label)
        return rows, self.probability[order].astype(np.float64)

    def _sorted(self, label: np.ndarray) -> tuple[tuple[tuple, ...], list[int]]:
        columns = (self.case_id, self.image_id, self.x, self.y, label)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        order = sorted(range(len(rows)), key=rows.__getitem__)
        return tuple(rows[i] for i in order), order

    def hardest_errors(
        self, positive: str | None, threshold: float | None, *, most: int
    ) -> list[int]:
        """Rows of the wrong calls that lie farthest from the truth, one a case.

        Args:
            positive: name of the positive class; None: more than two classes, where
                the highest probability calls.
            threshold: from the validation split, of the positive class.
            most: how many rows, at most.

        Returns:
            Row numbers, the farthest first; none where every call is right.
        """
        if positive is None:
            true = np.take_along_axis(self.probability, self.label[:, None], axis=1)
            distance = 1 - true[:, 0].astype(np.float64)
            is_wrong = self.probability.argmax(axis=1) != self.label
        else:
            label, score = self.positives(positive)
            distance = np.abs(label - score)
            is_wrong = (score >= threshold) != (label == 1)
        rows: dict[str, int] = {}
        for row in np.argsort(-distance, kind="stable"):
            if is_wrong[row]:
                rows.setdefault(str(self.case_id[row]), int(row))
        return list(rows.values())[:most]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions as CSV: the keys, then one column ``p_<class>`` a class."""
    columns = [getattr(predictions, key) for key in KEYS]
    rows = (
        # Nine digits bring a float32 back to the bit.
        [*keys, *(f"{value:.9g}" for value in probability)]
        for *keys, probability in zip(*columns, predictions.probability, strict=True)
    )
    write_csv(path, [*KEYS, *(f"p_{name}" for name in predictions.classes)], rows)


def read_predictions(path: Path) -> Predictions:
    """Read what :func:`write_predictions` wrote.

    Raises:
        InputError: the file is missing, empty or damaged, or has other columns.
    """
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream, strict=True)) or [[]]
    except OSError as error:
        raise InputError(
            f"The path must lead to a predictions file, got path={path} "
            f"({error.strerror}). Run --stage evaluate first."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, error) from error
    classes = tuple(name.removeprefix("p_") for name in header[len(KEYS) :])
    if tuple(header[: len(KEYS)]) != KEYS or not classes or not rows:
        raise InputError(
            f"Predictions must be a CSV with the columns {', '.join(KEYS)}, p_<class>… "
            f"and at least one row, got {path} with columns {header} and {len(rows)} "
            "rows. Run --stage evaluate --force."
        )
    try:
        columns = list(zip(*rows, strict=True))
        if len(set(header)) < len(header):
            raise ValueError("a repeated column")
        x, y, label = (np.array(column, np.int64) for column in columns[2:5])
        probability = np.array(columns[5:], np.float32).T
        if not (
            0 <= label.min() and label.max() < probability.shape[1] == len(classes)
        ):
            raise ValueError(f"labels that are not of {len(classes)} classes")
        _check_probabilities(probability)
        patches = len(set(zip(*columns[:4])))
        if patches < len(rows):
            raise ValueError(f"{len(rows)} rows of {patches} patches")
    except (ValueError, IndexError, OverflowError) as error:
        raise _damaged(path, error) from error
    return Predictions(
        classes=classes,
        case_id=np.array(columns[0]),
        image_id=np.array(columns[1]),
        x=x,
        y=y,
        label=label,
        probability=probability,
    )


def _check_probabilities(probability: np.ndarray) -> None:
    # A diverged network predicts NaN for every class; the scores report it.
    bad = ~np.isfinite(probability)
    if (bad.any(axis=1) != bad.all(axis=1)).any():
        raise ValueError("a row with NaN in some of its probabilities")
    sound = probability[~bad.any(axis=1)].astype(float)
    # A softmax in float32 is off by a rounding error.
    is_share = (sound > -1e-6).all() and (np.abs(sound.sum(axis=1) - 1) < 1e-4).all()
    if not is_share:
        raise ValueError("probabilities that are not in [0, 1] or do not sum to 1")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(
        f"Predictions must be as --stage evaluate writes them, got {path} ({error}). "
        "Copy it again from an intact copy, or run --stage evaluate --force."
    )


def select(predictions: Predictions, pattern: str) -> Predictions:
    """The patches whose image id holds a regular expression; "" selects all.

    Raises:
        InputError: there is none.
    """
    rows = matching_rows(predictions, pattern)
    columns = {name: getattr(predictions, name)[rows] for name in COLUMNS}
    return Predictions(classes=predictions.classes, **columns)


def matching_rows(predictions: Predictions, pattern: str) -> np.ndarray:
    """Row numbers of the patches whose image id holds a regular expression.

    Raises:
        InputError: there is none.
    """
    found = [re.search(pattern, name) is not None for name in predictions.image_id]
    if not any(found):
        raise InputError(
            "A pattern of evaluate.subgroups must match part of an image id, got "
            f"{pattern!r}; an image id is {predictions.image_id[0]!r}. Fix the pattern."
        )
    return np.flatnonzero(found)
