"""The finished baselines of a run beside its network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gastric_keras.config.backbones import find_backbone
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.baselines import Baseline, finished_baselines, read_baselines
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.score_shapes import RunScores, Scores
from gastric_keras.statistics.paired import PooledDifference, auc_difference, holm
from gastric_keras.statistics.words import SpelledScore, spell_p, spell_score

#: Column -> score at the validation threshold.
_CALLS = {
    "Accuracy": "accuracy",
    "Precision": "precision",
    "Recall": "sensitivity",
}


@dataclass(frozen=True)
class BaselineRow:
    """A method and its scores.

    Attributes:
        title: for a reader.
        note: what validation chose, and where features made elsewhere come from.
        cells: AUC, then one a column of ``_CALLS``.
        difference: AUC of the network less that of the method; None: the network.
        p_value: of it, adjusted over the table; "": none.
    """

    title: str
    note: str
    cells: tuple[SpelledScore, ...]
    difference: SpelledScore | None = None
    p_value: str = ""


@dataclass(frozen=True)
class BaselineTable:
    """The section of the page.

    Attributes:
        columns: titles of the scores.
        rows: the network first.
        left_out: titles of baselines of other labels or other test patches.
    """

    columns: tuple[str, ...]
    rows: tuple[BaselineRow, ...]
    left_out: tuple[str, ...]


def baseline_table(
    run_dir: RunDir, config: ExperimentConfig, scores: RunScores, test: Predictions
) -> BaselineTable | None:
    """The finished baselines of a run beside its network; None: it has none.

    Args:
        run_dir: of the run.
        config: of the run.
        scores: of the network.
        test: its predictions of the test split.

    Raises:
        InputError: the scores of a baseline are damaged.
    """
    if not finished_baselines(run_dir):
        return None
    rows, label, score = test.rows_by_key(scores.positive)
    found: list[Baseline] = []
    left_out: list[Baseline] = []
    target = config.target
    # All labels are the same whatever the draw.
    wanted = (target.subset, target.subset_seed if target.subset else 0)
    for each in read_baselines(run_dir.root):
        is_same = each.rows == rows and _labels_of(each) == wanted
        (found if is_same else left_out).append(each)
    network = BaselineRow(
        find_backbone(config.backbone.name).title, "this run", _cells(scores)
    )
    report = scores.test
    draws = report.draws
    differences: list[PooledDifference | None] = [None] * len(found)
    if report.patch.scores["auc"].value is not None:
        case_id = np.array([row[0] for row in rows])
        differences = [
            auc_difference(label, score, each.score, case_id, draws) for each in found
        ]
    adjusted = holm([each.p_value if each else None for each in differences])
    return BaselineTable(
        columns=("AUC", *_CALLS),
        rows=(
            network,
            *(
                _row(each, difference, p_value)
                for each, difference, p_value in zip(
                    found, differences, adjusted, strict=True
                )
            ),
        ),
        left_out=tuple(each.title for each in left_out),
    )


def _labels_of(found: Baseline) -> tuple:
    scores = found.scores
    return scores.subset, scores.subset_seed if scores.subset else 0


def _cells(scores: Scores) -> tuple[SpelledScore, ...]:
    unit = scores.test.patch
    calls = unit.at_threshold.scores
    return tuple(
        map(spell_score, (unit.scores["auc"], *(calls[key] for key in _CALLS.values())))
    )


def _row(
    found: Baseline, difference: PooledDifference | None, p_value: float | None
) -> BaselineRow:
    chosen = ", ".join(f"{key} {value:g}" for key, value in found.parameters.items())
    note = f"{chosen}; validation AUC {found.scores.validation_auc:.3f}"
    if found.scores.source:
        note += f"; {found.scores.source}"
    spelled = SpelledScore("—", note="AUC not defined")
    if difference is not None:
        interval = ""
        if difference.low is not None:
            interval = f"{difference.low:+.3f} to {difference.high:+.3f}"
        spelled = SpelledScore(
            f"{difference.difference:+.3f}", interval, difference.reason or ""
        )
    return BaselineRow(
        found.title,
        note,
        _cells(found.scores),
        spelled,
        "" if p_value is None else spell_p(p_value).removeprefix("= "),
    )
