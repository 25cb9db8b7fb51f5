"""Finished baselines of a run, for tables and comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gastric_keras.config.baselines import METHODS
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import BaselineDir, RunDir
from gastric_keras.runs.score_shapes import BaselineScores
from gastric_keras.runs.scores import read_baseline_scores
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class Baseline:
    """A finished baseline; rows in the order of their keys.

    Attributes:
        name: of its folder.
        title: for a reader.
        parameters: the point of the grid that validation chose.
        scores: of its report.json.
        rows: (case_id, image_id, x, y, label) of each test patch, label 1 for the
            positive class, as of the runs of a comparison.
        label: (n,) int64, 1 for the positive class.
        score: (n,) float64, probability of the positive class.
    """

    name: str
    title: str
    parameters: dict[str, float]
    scores: BaselineScores
    rows: tuple[tuple, ...]
    label: np.ndarray
    score: np.ndarray


def finished_baselines(run_dir: RunDir) -> tuple[str, ...]:
    """Names of the baselines that are finished: the classical ones in the order of
    ``METHODS``, then the others by name."""
    names = sorted(path.parent.name for path in run_dir.baselines.glob("*/done.json"))
    order = [method.name for method in METHODS]
    return tuple(sorted(names, key=lambda n: order.index(n) if n in order else 99))


def read_baselines(folder: Path) -> list[Baseline]:
    """The finished baselines of a run, in the order of :func:`finished_baselines`.

    Args:
        folder: of the run.

    Raises:
        InputError: none is finished, or the scores of one are damaged.
    """
    run_dir = RunDir(Path(folder))
    names = finished_baselines(run_dir)
    if not names:
        raise InputError(
            "The run must have finished baselines, got "
            f"{folder} without any. Run --stage baselines first."
        )
    return [_read(name, run_dir.baseline(name)) for name in names]


def _read(name: str, place: BaselineDir) -> Baseline:
    scores = read_baseline_scores(place)
    test = read_predictions(place.predictions("test"))
    rows, label, score = test.rows_by_key(scores.positive)
    return Baseline(
        name=name,
        title=scores.title,
        parameters=scores.parameters,
        scores=scores,
        rows=rows,
        label=label,
        score=score,
    )
