"""What stage evaluate left, as the stages behind it read it: scores and predictions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gastric_keras.config.experiment import BackboneName, ExperimentConfig
from gastric_keras.runs.predictions import Predictions, read_predictions
from gastric_keras.runs.rows import CALL_NAMES, RANKING_NAMES, positives_of
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.scores import ranking_scores
from gastric_keras.statistics.split_report import Report, Score, UnitReport
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import read_json, read_object, sha256_of

#: That are predicted and scored.
SPLITS = ("validation", "test")
#: More draws than anybody waits for.
_MOST_DRAWS = 1_000_000
_WAY_OUT = (
    "Copy it again from a sound copy, or run --stage evaluate --force, which makes "
    "scores and predictions anew."
)


@dataclass(frozen=True)
class _Scores:
    """The keys of report.json, as ``evaluate.score`` writes it. Of those that it did
    not always write, the readers say what they lack."""

    name: str
    backbone: BackboneName
    seed: int
    classes: tuple[str, ...]
    positive: str
    threshold: float
    validation: Report
    test: Report
    weights: str = ""
    mid: str | None = None
    subset: str | int | None = None
    labels_per_class: float | None = None
    temperature: float | None = None
    unfitted: str | None = None
    subgroups: dict[str, dict[str, Report]] = field(default_factory=dict)


def read_scores(run_dir: RunDir) -> dict[str, Any]:
    """The content of report.json.

    Raises:
        InputError: it is missing, damaged, or not what stage evaluate wrote.
    """
    path = run_dir.report_json
    check_untouched(run_dir, path)
    tree = read_json(path)
    try:
        _check_scores(config_io.build(_Scores, tree, path.name))
    except InputError as error:
        raise InputError(
            f"A report.json as --stage evaluate writes it was expected. Received: "
            f"{path} ({error}). {_WAY_OUT}"
        ) from error
    return tree


def read_split(run_dir: RunDir, split: str, scores: dict[str, Any]) -> Predictions:
    """The predictions that the scores of a split are of.

    Args:
        run_dir: of the run.
        split: validation or test.
        scores: of :func:`read_scores`.

    Raises:
        InputError: they are missing or damaged, or of other patches than the scores.
    """
    path = run_dir.predictions(split)
    check_untouched(run_dir, path)
    found = read_predictions(path)
    report, index = scores[split], scores["classes"].index(scores["positive"])
    held = {
        "classes": list(found.classes),
        "patches": found.label.size,
        "positives": int((found.label == index).sum()),
        "cases": len(set(found.case_id.tolist())),
    }
    require(
        list(held.values())
        == [scores["classes"], report["n"], report["positives"], report["cases"]],
        f"Predictions of {report['n']} patches, {report['positives']} of them "
        f"{scores['positive']}, of {report['cases']} cases and the classes "
        f"{', '.join(scores['classes'])} were expected, as {run_dir.report_json} says.",
        _WAY_OUT,
        path=str(path),
        **held,
    )
    _check_area(found, path, split, scores)
    return found


def _check_area(
    found: Predictions, path: Path, split: str, scores: dict[str, Any]
) -> None:
    """Whether the AUC of predictions is the one that was written of them: what a run
    of an earlier version has in place of a checksum."""
    wanted = scores[split]["patch"]["scores"]["auc"]["value"]
    label, score = positives_of(found, scores["positive"])
    auc = None
    if np.isfinite(score).all() and label.any() and not label.all():
        weight = np.ones((1, label.size))
        auc = float(ranking_scores(label, score.clip(0, 1), weight)["auc"][0])
    require(
        (auc is None) == (wanted is None)
        and (auc is None or math.isclose(auc, wanted, abs_tol=1e-9)),
        f"Predictions with the AUC {wanted} of {split} in report.json were expected.",
        _WAY_OUT,
        path=str(path),
        auc=auc,
    )


def check_config(config: ExperimentConfig, scores: dict[str, Any]) -> None:
    """Whether scores are those of a config.

    Raises:
        InputError: naming what differs.
    """
    target = config.target
    wanted = {
        "name": config.name,
        "backbone": config.backbone.name,
        "seed": config.seed,
        "classes": list(target.classes),
        "positive": target.positive,
        "subset": target.subset,
    }
    differ = [key for key, value in wanted.items() if scores.get(key) != value]
    if (config.mid is None) != (scores.get("mid") is None):
        differ.append("mid")
        wanted["mid"] = None if config.mid is None else config.mid.records
    require(
        not differ,
        "Scores of the config were expected: "
        f"{', '.join(f'{key} {wanted[key]!r}' for key in differ)}.",
        "Copy config.yaml and report.json again from one run, or run --stage evaluate.",
        report={key: scores.get(key) for key in differ},
    )


def _check_scores(found: _Scores) -> None:
    require(
        len(set(found.classes)) == len(found.classes) == 2
        and found.positive in found.classes,
        "Two classes, the positive one among them, were expected.",
        "Mend them.",
        classes=found.classes,
        positive=found.positive,
    )
    calibrated = found.temperature is not None
    require(
        0 <= found.threshold <= 1
        and (found.temperature is None or 0 < found.temperature < math.inf),
        "A threshold in [0, 1] and a temperature above 0 were expected.",
        "Mend them.",
        threshold=found.threshold,
        temperature=found.temperature,
    )
    require(
        found.labels_per_class is None or 0 < found.labels_per_class < math.inf,
        "A number of labels was expected.",
        "Mend it.",
        labels_per_class=found.labels_per_class,
    )
    reports = [found.validation, found.test]
    for name, group in found.subgroups.items():
        if set(group) != set(SPLITS):
            raise InputError(f"subgroups.{name} of {sorted(group)}")
        reports += group.values()
    for report in reports:
        _check_report(report, calibrated=calibrated)


def _check_report(report: Report, *, calibrated: bool) -> None:
    require(
        1 <= report.cases <= report.n
        and 0 <= report.positives <= report.n
        and 0 <= report.mixed_cases <= report.cases
        and 100 <= report.bootstrap <= _MOST_DRAWS
        and 0 < report.confidence < 1
        and report.seed >= 0
        and report.patch.n == report.n
        and report.case.n == report.cases
        and report.patch.positives == report.positives,
        "Numbers of patches, cases and draws that fit together were expected.",
        "Mend them.",
        n=report.n,
        cases=report.cases,
        positives=report.positives,
        bootstrap=report.bootstrap,
        confidence=report.confidence,
        seed=report.seed,
    )
    for unit in (report.patch, report.case):
        _check_unit(unit, calibrated=calibrated)


def _check_unit(unit: UnitReport, *, calibrated: bool) -> None:
    ranking = [k for k in RANKING_NAMES if calibrated or not k.endswith("_calibrated")]
    _check_figures(unit.scores, ranking)
    for point in (unit.at_half, unit.at_threshold):
        _check_figures(point.scores, list(CALL_NAMES))
        rows = point.confusion
        counts = [count for row in rows for count in row]
        if [len(row) for row in rows] != [2, 2] or min(counts) < 0:
            raise InputError(f"a confusion of {rows}")
        # None where the probabilities are no numbers.
        if sum(counts) not in (0, unit.n):
            raise InputError(f"a confusion of {sum(counts)} of {unit.n}")


def _check_figures(scores: dict[str, Score], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in scores]
    if missing:
        raise InputError(f"no {', '.join(missing)}")
    for name, score in scores.items():
        ends = (score.low, score.high)
        is_whole = (ends.count(None) in (0, 2)) and (
            (score.value is not None and ends.count(None) == 0)
            or score.reason is not None
        )
        given = [each for each in (score.value, *ends) if each is not None]
        if not is_whole or not all(0 <= each <= 1 for each in given):
            raise InputError(f"{name} of {score}")


def checksums(run_dir: RunDir) -> dict[str, dict[str, str]]:
    """Of scores and predictions, by file name, as done.json of the stage holds them."""
    files = [run_dir.report_json, *map(run_dir.predictions, SPLITS)]
    return {"sha256": {path.name: sha256_of(path) for path in files}}


def check_untouched(run_dir: RunDir, path: Path) -> None:
    """Compare a file of stage evaluate with its checksum: CSV and JSON have none of
    their own, and one other digit would be another score in silence.

    Raises:
        InputError: it was changed since it was written.
    """
    wanted = held_of(run_dir).get("sha256", {}).get(path.name)
    # A run of an earlier version comes without one.
    if wanted is not None and path.is_file() and sha256_of(path) != wanted:
        raise InputError(
            f"The file that --stage evaluate wrote, sha256 {wanted}, was expected. "
            f"Received: {path}, which was changed since. Copy it again from a sound "
            "copy, or run --stage evaluate --force."
        )


def held_of(run_dir: RunDir) -> dict[str, Any]:
    """Content of done.json; nothing where the stage is not finished."""
    done = run_dir.done("evaluate")
    held = read_object(done) if done.is_file() else {}
    if not isinstance(held.get("sha256", {}), dict):
        raise InputError(
            "The settings of a finished stage evaluate were expected. Received: "
            f"{done} with {str(held)[:200]!r}. Copy it again from a sound copy, or "
            "delete it and run --stage evaluate: the kept predictions are scored anew."
        )
    return held


def require_target(run_dir: RunDir) -> None:
    """Check that stage target is finished.

    Raises:
        InputError: it is not.
    """
    if not run_dir.done("target").is_file():
        raise InputError(
            "A finished stage target was expected. Received: "
            f"{run_dir.root} without {run_dir.done('target')}. Run --stage target or "
            "--stage all first."
        )
