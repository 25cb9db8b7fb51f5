"""Read the results of stages evaluate and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs import earlier
from gastric_keras.runs.predictions import Predictions, read_predictions
from gastric_keras.runs.run_dir import SCORED_SPLITS, BaselineDir, RunDir
from gastric_keras.runs.score_shapes import BaselineScores, ClassScores, RunScores
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import read_json, read_object, sha256_of, write_json

_WAY_OUT = (
    "Copy it again from an intact copy, or run --stage evaluate --force, which makes "
    "scores and predictions again."
)


def read_scores(run_dir: RunDir) -> RunScores:
    """The content of report.json, of two classes.

    Raises:
        InputError: it is missing, damaged, not what stage evaluate wrote, or of more
            than two classes.
    """
    path = run_dir.report_json
    is_sealed = check_untouched(run_dir, path)
    tree = read_json(path)
    require(
        not _is_of_classes(tree),
        "This command must get runs of two classes",
        "It does not know more: stages evaluate, crossval, visualize and report do. "
        "Merge classes with labels of data_prep target for the rest.",
        run=str(run_dir.root),
        classes=tree.get("classes") if _is_of_classes(tree) else None,
    )
    try:
        found: RunScores = config_io.build(RunScores, tree, path.name)
        if not is_sealed:
            earlier.check_scores(found)
    except InputError as error:
        raise InputError(
            f"{path.name} must be as --stage evaluate writes it, got {path} ({error}). "
            f"{_WAY_OUT}"
        ) from error
    return found


def read_class_scores(run_dir: RunDir) -> ClassScores:
    """The content of report.json, of more than two classes.

    Raises:
        InputError: it is missing, damaged, or not what stage evaluate wrote.
    """
    path = run_dir.report_json
    is_sealed = check_untouched(run_dir, path)
    try:
        found: ClassScores = config_io.build(ClassScores, read_json(path), path.name)
        # No earlier version wrote such a report, so none comes without its checksum.
        require(
            is_sealed,
            "done.json must hold the checksum of report.json",
            "Copy both.",
            run=str(run_dir.root),
        )
    except InputError as error:
        raise InputError(
            f"{path.name} must be as --stage evaluate writes it, got {path} ({error}). "
            f"{_WAY_OUT}"
        ) from error
    return found


def has_class_scores(run_dir: RunDir) -> bool:
    """Whether a run was scored on more than two classes."""
    path = run_dir.report_json
    return path.is_file() and _is_of_classes(read_json(path))


def _is_of_classes(tree: object) -> bool:
    return isinstance(tree, dict) and "ordered" in tree


def read_baseline_scores(place: BaselineDir) -> BaselineScores:
    """The content of a classical method's report.json.

    Raises:
        InputError: it is missing, damaged, or not what stage baselines wrote.
    """
    path = place.report_json
    tree = read_object(path)
    try:
        found: BaselineScores = config_io.build(BaselineScores, tree, path.name)
    except InputError as error:
        raise InputError(
            f"{path.name} must hold the scores of a baseline, got path={path} "
            f"({error}). Run --stage baselines --force."
        ) from error
    return found


def read_split(
    run_dir: RunDir, split: str, scores: RunScores | ClassScores
) -> Predictions:
    """The predictions from which the scores of a split were computed.

    Args:
        run_dir: of the run.
        split: validation or test.
        scores: of :func:`read_scores` or :func:`read_class_scores`.

    Raises:
        InputError: they are missing or damaged, or of other patches than the scores.
    """
    path = run_dir.predictions(split)
    is_sealed = check_untouched(run_dir, path)
    found = read_predictions(path)
    require(
        not is_sealed or found.classes == scores.classes,
        f"Predictions must be of the classes of report.json, {list(scores.classes)}",
        _WAY_OUT,
        path=str(path),
        classes=list(found.classes),
    )
    if not is_sealed:
        require(
            isinstance(scores, RunScores),
            "done.json must hold the checksums of the predictions",
            _WAY_OUT,
            path=str(path),
        )
        assert isinstance(scores, RunScores), "the line before saw to that"
        earlier.check_predictions(
            found, scores, split, path=str(path), way_out=_WAY_OUT
        )
    return found


def check_config(config: ExperimentConfig, scores: RunScores | ClassScores) -> None:
    """Check that scores belong to a config.

    Raises:
        InputError: naming what differs.
    """
    target = config.target
    wanted: dict[str, object] = {
        "name": config.name,
        "backbone": config.backbone.name,
        "seed": config.seed,
        "classes": target.classes,
    }
    own = "positive" if isinstance(scores, RunScores) else "ordered"
    wanted |= {own: getattr(target, own), "subset": target.subset}
    differ = [key for key, value in wanted.items() if getattr(scores, key) != value]
    if (config.mid is None) != (scores.mid is None):
        differ.append("mid")
        wanted["mid"] = None if config.mid is None else config.mid.records
    require(
        not differ,
        "report.json must have what the config says: "
        f"{', '.join(f'{key} {wanted[key]!r}' for key in differ)}",
        "Copy config.yaml and report.json again from one run, or run --stage evaluate.",
        report={key: getattr(scores, key) for key in differ},
    )


def checksums(run_dir: RunDir) -> dict[str, dict[str, str]]:
    """Of scores and predictions, by file name, as done.json of the stage holds them."""
    files = [run_dir.report_json, *map(run_dir.predictions, SCORED_SPLITS)]
    return {"sha256": {path.name: sha256_of(path) for path in files}}


def write_scores(
    run_dir: RunDir, scores: RunScores | ClassScores, settings: Mapping[str, object]
) -> None:
    """Write report.json, and seal it with the predictions that it was computed from.

    Args:
        run_dir: with the predictions of both splits.
        scores: of them.
        settings: that decide the scores, see :func:`has_scores`.
    """
    write_json(run_dir.report_json, asdict(scores))
    write_json(run_dir.done("evaluate"), {**settings, **checksums(run_dir)})


def check_untouched(run_dir: RunDir, path: Path) -> bool:
    """Compare a file of stage evaluate with its checksum: CSV and JSON have none, so
    a changed digit would go unnoticed.

    Returns:
        Whether it has one; a run of an earlier version comes without.

    Raises:
        InputError: it was changed since it was written.
    """
    wanted = _read_done(run_dir)[1].get(path.name)
    if wanted is not None and path.is_file() and sha256_of(path) != wanted:
        raise InputError(
            f"{path.name} must have the sha256 {wanted} that --stage evaluate wrote, "
            f"got {path}, which was changed since. Copy it again from an intact copy, "
            "or run --stage evaluate --force."
        )
    return wanted is not None


def has_scores(run_dir: RunDir, settings: Mapping[str, object]) -> bool:
    """Whether intact scores exist that were made with these settings."""
    held, sums = _read_done(run_dir)
    if {key: held.get(key) for key in settings} != settings:
        return False
    # Missing or damaged scores are computed again from the predictions.
    path = run_dir.report_json
    return path.is_file() and (not sums or sums.get(path.name) == sha256_of(path))


def _read_done(run_dir: RunDir) -> tuple[dict[str, object], dict[str, str]]:
    """Settings and checksums of done.json; none where the stage is not finished."""
    done = run_dir.done("evaluate")
    held: dict[str, object] = read_object(done) if done.is_file() else {}
    sums = held.get("sha256", {})
    if not isinstance(sums, dict):
        raise InputError(
            f"{done.name} must hold the settings of a finished stage evaluate, got "
            f"{done} with {str(held)[:200]!r}. Copy it again from an intact copy, or "
            "delete it and run --stage evaluate: the kept predictions are scored again."
        )
    return held, sums


def require_target(run_dir: RunDir) -> None:
    """Check that stage target is finished.

    Raises:
        InputError: it is not.
    """
    if not run_dir.done("target").is_file():
        raise InputError(
            f"Stage target must be finished, got {run_dir.root} without "
            f"{run_dir.done('target')}. Run --stage target or --stage all first."
        )
