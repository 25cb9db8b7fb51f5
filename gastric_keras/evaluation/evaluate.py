"""Checkpoint and records to predictions.csv, and that to report.json."""

from __future__ import annotations

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.data.stage_data import patches_of
from gastric_keras.evaluation.class_scoring import score_classes
from gastric_keras.evaluation.external import score_cohorts
from gastric_keras.evaluation.predicting import predict_selections
from gastric_keras.evaluation.scoring import score
from gastric_keras.records.checks import check_set
from gastric_keras.runs.predictions import (
    Predictions,
    read_predictions,
    write_predictions,
)
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.scores import (
    check_config,
    check_untouched,
    has_class_scores,
    has_scores,
    read_class_scores,
    read_scores,
    require_target,
    write_scores,
)
from gastric_keras.statistics.words import spell_auc
from gastric_keras.support.errors import InputError
from gastric_keras.training.start import load_stage

#: Rises with what report.json holds: kept predictions of an older one are scored again.
REPORT_VERSION = 3
#: What stays where validation can choose nothing.
NOT_CHOSEN = "threshold 0.5 and temperature 1"


def run_evaluate(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool = False
) -> None:
    """Stage evaluate: score the finished target model on validation and test, then on
    every external cohort.

    The threshold is chosen on the validation split; more than two classes have none,
    and the highest probability calls. Each split goes through the model
    once: with other settings, the kept predictions are scored again. A cohort that is
    added later leaves the run's own scores as they are.

    Args:
        config: of the run.
        run_dir: with a finished stage target.
        force: do it again, predictions too.

    Raises:
        InputError: stage target is not finished, or the set or finished scores do not
            fit the config.
    """
    _score_run(config, run_dir, force=force)
    score_cohorts(config, run_dir, force=force)


def _score_run(config: ExperimentConfig, run_dir: RunDir, *, force: bool) -> None:
    """Score validation and test, unless that is done."""
    settings = score_settings(config)
    if not force:
        # As long as done.json says what they were.
        for split in SCORED_SPLITS:
            check_untouched(run_dir, run_dir.predictions(split))
        if has_scores(run_dir, settings):
            is_multiclass = has_class_scores(run_dir)
            read = read_class_scores if is_multiclass else read_scores
            check_config(config, read(run_dir))
            print(f"evaluate: finished, the scores are in {run_dir.report_json}")
            return
    require_target(run_dir)
    check_set(config.target.records, config.target.classes, key="target")
    run_dir.reopen("evaluate")
    predictions = _predictions(config, run_dir, force=force)
    train = patches_of(config.target)
    made = score_classes if config.target.is_multiclass else score
    scores = made(
        config,
        predictions["validation"],
        predictions["test"],
        train=(train.count(), train.case_count()),
    )
    write_scores(run_dir, scores, settings)
    left = "temperature 1" if config.target.is_multiclass else NOT_CHOSEN
    if scores.unfitted:
        print(f"evaluate: {left}, not chosen. {scores.unfitted}")
    auc = spell_auc(scores.test.patch.scores["auc"])
    of = "macro " if config.target.is_multiclass else ""
    print(f"evaluate: test {of}{auc}; all scores in {run_dir.report_json}")


def score_settings(config: ExperimentConfig) -> dict[str, object]:
    """What the scores of a run hang on, besides its predictions."""
    settings = config.evaluate.of_own_splits | {"report_version": REPORT_VERSION}
    if config.target.is_multiclass:
        settings["ordered"] = config.target.ordered
    return settings


def _predictions(
    config: ExperimentConfig, run_dir: RunDir, *, force: bool
) -> dict[str, Predictions]:
    """Of both splits: those that stand, the rest made and written."""
    missing = [
        s for s in SCORED_SPLITS if force or not run_dir.predictions(s).is_file()
    ]
    if missing:
        model = load_stage(config, run_dir, "target")
        for split in missing:
            made = predict_selections(config, model, [patches_of(config.target, split)])
            write_predictions(run_dir.predictions(split), made)
    found = {
        split: read_predictions(run_dir.predictions(split)) for split in SCORED_SPLITS
    }
    for split, predictions in found.items():
        wanted = patches_of(config.target, split).count()
        if predictions.label.size != wanted:
            raise InputError(
                f"The predictions must be of the {wanted} patches in "
                f"split {split}, got {predictions.label.size} in "
                f"{run_dir.predictions(split)}. Run --stage evaluate --force."
            )
        if predictions.classes != config.target.classes:
            raise InputError(
                "The predictions must be of the classes "
                f"{', '.join(config.target.classes)}, got "
                f"{', '.join(predictions.classes)} in "
                f"{run_dir.predictions(split)}. Run --stage evaluate --force."
            )
    return found
