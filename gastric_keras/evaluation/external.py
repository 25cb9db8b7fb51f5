"""External cohorts of a finished run: checked for leaks, predicted, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.looks import read_appearance
from gastric_keras.data.selection import Selection
from gastric_keras.evaluation.cohort_leaks import check_unshared, find_shared
from gastric_keras.evaluation.cohort_scores import (
    appearance_by_case,
    score_class_cohort,
    score_cohort,
)
from gastric_keras.evaluation.predicting import predict_selections
from gastric_keras.records.checks import check_cohort
from gastric_keras.records.manifest import MANIFEST_NAME, Manifest, read_manifest
from gastric_keras.records.treatment import (
    check_equal_scales,
    check_equal_stains,
    treatment_of,
)
from gastric_keras.runs.cohort_shapes import (
    ClassCohortScores,
    CohortScores,
    SetAppearance,
    SharedWithRun,
)
from gastric_keras.runs.cohorts import (
    is_predicted,
    is_scored,
    seal_cohort,
)
from gastric_keras.runs.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from gastric_keras.runs.run_dir import CohortDir, RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.runs.scores import read_class_scores, read_scores, read_split
from gastric_keras.statistics.words import spell_auc
from gastric_keras.support.files import sha256_of, write_json
from gastric_keras.support.streams import warn
from gastric_keras.training.start import load_stage

#: Rises with what scores.json holds.
SCORES_VERSION = 1


def score_cohorts(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Score a run on the cohorts of ``evaluate.external`` that have no scores yet.

    Nothing of the run itself is predicted or scored again: threshold, temperature and
    the figures of the internal test split are those that lie in its folder. A cohort is
    done again when its set, the weights, the run's scores or its settings changed.

    Args:
        config: of the run.
        run_dir: with scores of the run itself.
        force: do finished cohorts again too.

    Raises:
        InputError: a cohort does not fit the run, or shares cases or pictures with its
            sets. Cohorts that were scored before stay.
    """
    pending: dict[str, Manifest] = {}
    for name, cohort in config.evaluate.external.items():
        # Unread, a set of the wrong kind would be refused for its checksum.
        manifest = read_manifest(cohort.records)
        if force or not is_scored(run_dir, name, _key(config, run_dir, name)):
            pending[name] = manifest
        else:
            path = run_dir.cohort(name).scores
            print(f"evaluate: {name}: finished, the scores stand in {path}")
    if not pending:
        return
    for name, manifest in pending.items():
        _check(config, name, manifest)
    shared = _find_leaks(config, list(pending))
    found = _predictions(config, run_dir, pending, force=force)
    target = config.target.records
    is_multiclass = config.target.is_multiclass
    own = read_class_scores(run_dir) if is_multiclass else read_scores(run_dir)
    test = read_split(run_dir, "test", own)
    internal = _appearance(target, ["test"], run_dir.internal_appearance)
    for name, manifest in pending.items():
        scores = _score(
            config,
            run_dir.cohort(name),
            manifest,
            found[name],
            run=(own, test),
            internal=internal,
            shared=shared[name],
        )
        seal_cohort(run_dir, name, _key(config, run_dir, name))
        _tell(scores, run_dir.cohort(name))


def _key(config: ExperimentConfig, run_dir: RunDir, name: str) -> dict[str, object]:
    """What the results of a cohort hang on."""
    evaluate = config.evaluate
    return _prediction_key(config, run_dir, name) | {
        "version": SCORES_VERSION,
        "report_sha256": sha256_of(run_dir.report_json),
        "cohort": asdict(evaluate.external[name]),
    }


def _prediction_key(
    config: ExperimentConfig, run_dir: RunDir, name: str
) -> dict[str, object]:
    records = config.evaluate.external[name].records
    return {
        # It names the weights, and changes with every training.
        "target_sha256": sha256_of(run_dir.done("target")),
        "manifest_sha256": sha256_of(Path(records) / MANIFEST_NAME),
    }


def _check(config: ExperimentConfig, name: str, manifest: Manifest) -> None:
    """Whether a cohort fits the run."""
    cohort, key = config.evaluate.external[name], f"evaluate.external.{name}"
    check_cohort(cohort.records, config.target.classes, key=key)
    made = treatment_of(manifest), treatment_of(read_manifest(config.target.records))
    if not cohort.allow_unequal_normalization:
        check_equal_stains(*made, name=f"cohort {name}", key=key)
    if not cohort.allow_unequal_scale:
        check_equal_scales(*made, name=f"cohort {name}", key=key)


def _find_leaks(
    config: ExperimentConfig, names: Sequence[str]
) -> dict[str, list[SharedWithRun]]:
    """What each cohort shares with the run's sets; refused unless that is allowed."""
    sets = {"target set": config.target.records}
    if config.mid is not None:
        sets |= config.mid.sets
    cohorts = {name: config.evaluate.external[name].records for name in names}
    shared = find_shared(cohorts, sets)
    for name, folder in cohorts.items():
        if not config.evaluate.external[name].allow_leaks:
            key = f"evaluate.external.{name}"
            check_unshared(key, folder, list(sets.values()), shared[name])
    return shared


def _predictions(
    config: ExperimentConfig,
    run_dir: RunDir,
    pending: Mapping[str, Manifest],
    *,
    force: bool,
) -> dict[str, Predictions]:
    """Of each cohort: those that stand, the rest made and written."""
    missing = [
        name
        for name in pending
        if force
        or not is_predicted(run_dir, name, _prediction_key(config, run_dir, name))
    ]
    model = load_stage(config, run_dir, "target") if missing else None
    found = {}
    for name, manifest in pending.items():
        path = run_dir.cohort(name).predictions
        if name in missing:
            folder = config.evaluate.external[name].records
            selections = [Selection(folder, split) for split in _splits(manifest)]
            run_dir.cohort(name).done.unlink(missing_ok=True)
            write_predictions(path, predict_selections(config, model, selections))
        found[name] = read_predictions(path)
    return found


def _score(
    config: ExperimentConfig,
    place: CohortDir,
    manifest: Manifest,
    found: Predictions,
    *,
    run: tuple[RunScores | ClassScores, Predictions],
    internal: SetAppearance,
    shared: Sequence[SharedWithRun],
) -> CohortScores | ClassCohortScores:
    """Score one cohort, and write what was found."""
    name = place.root.name
    folder = config.evaluate.external[name].records
    appearance = _appearance(folder, _splits(manifest), place.appearance)
    scores, test = run
    rest: dict[str, Any] = {
        "records": folder,
        "manifests": (manifest, read_manifest(config.target.records)),
        "appearances": (appearance, internal),
        "shared": shared,
    }
    result: CohortScores | ClassCohortScores
    if isinstance(scores, ClassScores):
        result = score_class_cohort(name, found, run=(scores, test), **rest)
    else:
        result = score_cohort(name, found, run=(scores, test), **rest)
    write_json(place.scores, asdict(result))
    return result


def _splits(manifest: Manifest) -> list[str]:
    """Of a cohort: all that have patches."""
    return [split for split in manifest.counts if manifest.count(split)]


def _appearance(folder: str, splits: Sequence[str], path: Path) -> SetAppearance:
    """Stain and scale by case, measured and written."""
    digest = sha256_of(Path(folder) / MANIFEST_NAME)
    made = appearance_by_case(read_appearance(folder, splits), digest)
    write_json(path, asdict(made))
    return made


def _tell(scores: CohortScores | ClassCohortScores, place: CohortDir) -> None:
    for warning in scores.warnings:
        warn(f"cohort {scores.name}: {warning}")
    for each in scores.shared:
        warn(
            f"cohort {scores.name} shares {each.count} {each.what} with {each.where}, "
            f"such as {each.example!r}: its scores may be too good."
        )
    counts = ", ".join(
        f"{each.patches} {each.name} from {each.cases} cases" for each in scores.counts
    )
    macro = "macro " if isinstance(scores, ClassCohortScores) else ""
    auc = macro + spell_auc(scores.report.patch.scores["auc"])
    change = scores.changes["patch"]["auc"]
    spelled = "" if change.value is None else f", {change.value:+.3f}"
    if change.low is not None:
        spelled += f" ({change.low:+.3f} to {change.high:+.3f}) against the test split"
    print(
        f"evaluate: {scores.name}: {counts} ({' + '.join(scores.splits)}); "
        f"{auc}{spelled}; all scores in "
        f"{place.scores}"
    )
