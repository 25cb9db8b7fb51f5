"""--stage crossval: the runs of all folds to one run, scored out of fold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.evaluate import score_settings
from gastric_keras.evaluation.fold_runs import (
    FoldRun,
    group_folds,
    join_scaled,
    join_split,
    made_of,
    pool_settings,
)
from gastric_keras.evaluation.pooled_classes import pool_classes
from gastric_keras.evaluation.scoring import draws_of
from gastric_keras.runs.predictions import (
    Predictions,
    matching_rows,
    write_predictions,
)
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.score_shapes import ClassScores, RunScores, SplitReports
from gastric_keras.runs.scores import write_scores
from gastric_keras.statistics.split_report import Report, report
from gastric_keras.statistics.words import spell_score
from gastric_keras.support import config_io
from gastric_keras.support.files import write_atomic
from gastric_keras.support.text import text_table

#: Of the table, and of the page in docs/.
ASSUMED = (
    "The interval draws cases and holds the networks fixed: it says how the score "
    "would differ with other cases, not with another training or another deal of the "
    "folds; networks of two folds share most of their training cases. Repeat with "
    "folds of another --seed, and with other training seeds, to see those."
)


def run_crossval(
    runs: Sequence[Path], out: Path = Path("tensorboard_logs/crossval")
) -> None:
    """Stage crossval: pool the folds of each setting, and print what came out.

    Each setting (one config but for the fold) becomes a folder below ``out`` that
    ``--stage compare`` reads like any finished run. Each patch has the probability of
    the one network that was not trained on its case, and is called by that network's
    own threshold, which its own validation split chose; of more than two classes by
    the highest probability, and the AUC is the macro one.

    Args:
        runs: folders of the finished runs of all folds, of any settings.
        out: folder to write to.

    Raises:
        InputError: a run that is not finished or not of a fold, a fold that is missing
            or there twice, or a case that two folds test.
    """
    pooled = [_pool(out, runs_of) for runs_of in group_folds(runs)]
    lines = [
        "# Cross-validation, every case tested once",
        _table(pooled),
        f"Intervals: {pooled[0].test.confidence:.0%}, by case. {ASSUMED}",
    ]
    text = "\n\n".join(lines)
    write_atomic(out / "crossval.md", text + "\n")
    names = " ".join(str(out / scores.name) for scores in pooled)
    print(f"{text}\n\ncrossval: go on with --stage compare --runs {names}")


def _pool(out: Path, runs: Sequence[FoldRun]) -> RunScores | ClassScores:
    """Write the pooled run of one setting; its scores."""
    name = _name([run.config.name for run in runs])
    run_dir = RunDir(out / name)
    config = replace(runs[0].config, name=name)
    config = replace(config, runtime=replace(config.runtime, output=str(out)))
    predictions = {split: join_split(runs, split) for split in SCORED_SPLITS}
    made = pool_classes if config.target.is_multiclass else pool_two_classes
    scores = made(config, runs, predictions)
    with run_dir.locked():
        run_dir.done("evaluate").unlink(missing_ok=True)
        config_io.save(config, run_dir.config)
        for split, joined in predictions.items():
            write_predictions(run_dir.predictions(split), joined)
        write_scores(run_dir, scores, score_settings(config))
    return scores


def _name(names: Sequence[str]) -> str:
    """What the runs' names share before and after the fold: f1-n20-s0 to f-n20-s0."""
    before = os.path.commonprefix(names)
    rest = [name[len(before) :] for name in names]
    after = os.path.commonprefix([text[::-1] for text in rest])[::-1]
    parts = [part for part in f"{before}-{after}".split("-") if part]
    return "-".join(parts) or "pooled"


def pool_two_classes(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    predictions: Mapping[str, Predictions],
) -> RunScores:
    """The scores of the pooled run; what the folds chose is kept fold by fold.

    Args:
        config: of the pooled run.
        runs: of all folds, in order.
        predictions: split -> those of all folds, joined.
    """
    found = [run.scores for run in runs if isinstance(run.scores, RunScores)]
    groups = {
        name: SplitReports(
            _report(config, runs, predictions["validation"], "validation", pattern),
            _report(config, runs, predictions["test"], "test", pattern),
        )
        for name, pattern in {"": "", **config.evaluate.subgroups}.items()
    }
    whole = groups.pop("")
    return replace(
        pool_settings(found, config.name),
        threshold=whole.test.threshold,
        validation=whole.validation,
        test=whole.test,
        subgroups=groups,
        cross_validation=made_of(runs, tuple(s.threshold for s in found)),
    )


def _report(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    joined: Predictions,
    split: str,
    pattern: str,
) -> Report:
    """Of one split and group: each patch called and scaled as its own fold does."""
    sizes = [run.predictions[split].label.size for run in runs]
    found = [run.scores for run in runs if isinstance(run.scores, RunScores)]
    thresholds = np.repeat([scores.threshold for scores in found], sizes)
    calibrated = join_scaled(runs, split)
    rows = matching_rows(joined, pattern)
    positive = config.target.scored_class
    label, probability = joined.positives(positive)
    return report(
        label[rows],
        probability[rows],
        joined.case_id[rows],
        threshold=thresholds[rows],
        calibrated=calibrated[rows, joined.classes.index(positive)],
        draws=draws_of(config),
    )


def _table(pooled: Sequence[RunScores | ClassScores]) -> str:
    header = ["run", "folds", "cases", "AUC", "AUC by case", "AUC within the folds"]
    return text_table(header, [_row(scores) for scores in pooled])


def _row(scores: RunScores | ClassScores) -> list[str]:
    made, test = scores.cross_validation, scores.test
    assert made is not None, "pooling fills it in"
    known = [value for value in made.auc if value is not None]
    classes = "both classes" if len(scores.classes) == 2 else "every class"
    within = "not defined"
    if known:
        within = f"{fmean(known):.3f} ({min(known):.3f} to {max(known):.3f})"
    if 0 < len(known) < len(made.auc):
        within += f", of {len(known)} folds that hold {classes}"
    by_patch, by_case = (
        spell_score(unit.scores["auc"]) for unit in (test.patch, test.case)
    )
    return [
        scores.name,
        str(made.folds),
        str(test.cases),
        f"{by_patch.value} ({by_patch.beside})",
        f"{by_case.value} ({by_case.beside})",
        within,
    ]
