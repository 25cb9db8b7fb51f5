"""--stage crossval: the runs of all folds to one run, scored out of fold."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.evaluate import REPORT_VERSION
from gastric_keras.evaluation.scoring import draws_of, scaled
from gastric_keras.records.manifest import Fold
from gastric_keras.runs.predictions import (
    COLUMNS,
    Predictions,
    matching_rows,
    write_predictions,
)
from gastric_keras.runs.run_dir import SCORED_SPLITS, RunDir
from gastric_keras.runs.score_shapes import CrossValidation, RunScores, SplitReports
from gastric_keras.runs.scores import (
    check_config,
    read_scores,
    read_split,
    write_scores,
)
from gastric_keras.statistics.split_report import Report, report
from gastric_keras.statistics.words import spell_score
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_atomic
from gastric_keras.support.text import text_table

#: Of the table, and of the page in docs/.
ASSUMED = (
    "The interval draws cases and holds the networks fixed: it says how the score "
    "would differ with other cases, not with another training or another deal of the "
    "folds; networks of two folds share most of their training cases. Repeat with "
    "folds of another --seed, and with other training seeds, to see those."
)


@dataclass(frozen=True)
class FoldRun:
    """The finished run of one fold; predictions by split."""

    folder: Path
    config: ExperimentConfig
    scores: RunScores
    fold: Fold
    predictions: dict[str, Predictions]


def run_crossval(
    runs: Sequence[Path], out: Path = Path("tensorboard_logs/crossval")
) -> None:
    """Stage crossval: pool the folds of each setting, and print what came out.

    Each setting (one config but for the fold) becomes a folder below ``out`` that
    ``--stage compare`` reads like any finished run. Each patch has the probability of
    the one network that was not trained on its case, and is called by that network's
    own threshold, which its own validation split chose.

    Args:
        runs: folders of the finished runs of all folds, of any settings.
        out: folder to write to.

    Raises:
        InputError: a run that is not finished or not of a fold, a fold that is missing
            or there twice, or a case that two folds test.
    """
    pooled = [_pool(out, runs_of) for runs_of in _settings(runs)]
    lines = [
        "# Cross-validation, every case tested once",
        _table(pooled),
        f"Intervals: {pooled[0].test.confidence:.0%}, by case. {ASSUMED}",
    ]
    text = "\n\n".join(lines)
    write_atomic(out / "crossval.md", text + "\n")
    names = " ".join(str(out / scores.name) for scores in pooled)
    print(f"{text}\n\ncrossval: go on with --stage compare --runs {names}")


def _settings(folders: Sequence[Path]) -> list[list[FoldRun]]:
    """The runs of each setting, by fold."""
    groups: dict[str, list[FoldRun]] = defaultdict(list)
    for folder in folders:
        run = _read_run(Path(folder))
        groups[_setting(run)].append(run)
    for runs in groups.values():
        runs.sort(key=lambda run: run.fold.number)
        _check_folds(runs)
    return list(groups.values())


def _read_run(folder: Path) -> FoldRun:
    run_dir = RunDir(folder)
    files = [run_dir.config, run_dir.done("evaluate")]
    if absent := [str(file) for file in files if not file.is_file()]:
        raise InputError(
            f"Every run must be finished, got {folder} without {absent[0]}. Run "
            "--stage evaluate of it first, or leave it out."
        )
    scores = read_scores(run_dir)
    config = config_io.load(ExperimentConfig, run_dir.config)
    check_config(config, scores)
    if scores.fold is None:
        raise InputError(
            f"Stage crossval must get runs of folds, got {folder}, whose target set is "
            f"whole. Make folds with python -m data_prep folds {config.target.records} "
            "--out DIR, and train on each."
        )
    predictions = {split: read_split(run_dir, split, scores) for split in SCORED_SPLITS}
    return FoldRun(folder, config, scores, scores.fold, predictions)


def _setting(run: FoldRun) -> str:
    """All that the runs of one cross-validation share."""
    tree = config_io.to_dict(run.config)
    del tree["name"], tree["target"]["records"]
    # Where it ran is no setting; its precision is.
    tree["runtime"] = tree["runtime"]["precision"]
    return f"{tree} {run.fold.count} {run.fold.seed}"


def _check_folds(runs: Sequence[FoldRun]) -> None:
    found = [run.fold.number for run in runs]
    wanted = list(range(1, runs[0].fold.count + 1))
    if found != wanted:
        missing = sorted(set(wanted) - set(found))
        twice = sorted({number for number in found if found.count(number) > 1})
        faults = [f"without fold {', '.join(map(str, missing))}"] if missing else []
        faults += [f"with fold {', '.join(map(str, twice))} twice"] if twice else []
        raise InputError(
            f"A setting must have a run of each of its {len(wanted)} folds, got "
            f"{', '.join(str(run.folder) for run in runs)}, {' and '.join(faults)}. "
            "Name the runs of all folds with --runs, each once; those of one setting "
            "differ in name and target.records only."
        )
    seen: dict[str, FoldRun] = {}
    for run in runs:
        for case in _test_cases(run):
            if case in seen:
                raise InputError(
                    f"Each case must be tested by one fold, got {case} in the test "
                    f"splits of {seen[case].folder} and {run.folder}. Train on folds "
                    "of one data_prep folds only."
                )
            seen[case] = run


def _pool(out: Path, runs: Sequence[FoldRun]) -> RunScores:
    """Write the pooled run of one setting; its scores."""
    name = _name([run.config.name for run in runs])
    run_dir = RunDir(out / name)
    config = replace(runs[0].config, name=name)
    config = replace(config, runtime=replace(config.runtime, output=str(out)))
    predictions = {split: _joined(runs, split) for split in SCORED_SPLITS}
    scores = _score(config, runs, predictions)
    with run_dir.locked():
        run_dir.done("evaluate").unlink(missing_ok=True)
        config_io.save(config, run_dir.config)
        for split, joined in predictions.items():
            write_predictions(run_dir.predictions(split), joined)
        settings = config.evaluate.of_own_splits | {"report_version": REPORT_VERSION}
        write_scores(run_dir, scores, settings)
    return scores


def _name(names: Sequence[str]) -> str:
    """What the runs' names share before and after the fold: f1-n20-s0 to f-n20-s0."""
    before = os.path.commonprefix(names)
    rest = [name[len(before) :] for name in names]
    after = os.path.commonprefix([text[::-1] for text in rest])[::-1]
    parts = [part for part in f"{before}-{after}".split("-") if part]
    return "-".join(parts) or "pooled"


def _joined(runs: Sequence[FoldRun], split: str) -> Predictions:
    parts = [run.predictions[split] for run in runs]
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in COLUMNS
    }
    return Predictions(classes=parts[0].classes, **columns)


def _score(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    predictions: Mapping[str, Predictions],
) -> RunScores:
    """The scores of the pooled run; what the folds chose is kept fold by fold."""
    first = runs[0].scores
    groups = {
        name: SplitReports(
            _report(config, runs, predictions["validation"], "validation", pattern),
            _report(config, runs, predictions["test"], "test", pattern),
        )
        for name, pattern in {"": "", **config.evaluate.subgroups}.items()
    }
    whole = groups.pop("")
    found = [run.scores for run in runs]
    cases = [scores.train_cases for scores in found if scores.train_cases is not None]
    return replace(
        first,
        name=config.name,
        labels_per_class=fmean(s.labels_per_class or 0.0 for s in found),
        train_cases=round(fmean(cases)) if cases else None,
        threshold=whole.test.threshold,
        temperature=fmean(s.temperature or 1.0 for s in found),
        unfitted="; ".join(s.unfitted for s in found if s.unfitted) or None,
        validation=whole.validation,
        test=whole.test,
        subgroups=groups,
        fold=None,
        cross_validation=CrossValidation(
            folds=len(runs),
            seed=runs[0].fold.seed,
            thresholds=tuple(s.threshold for s in found),
            temperatures=tuple(s.temperature or 1.0 for s in found),
            cases=tuple(_test_cases(run) for run in runs),
            auc=tuple(s.test.patch.scores["auc"].value for s in found),
        ),
    )


def _test_cases(run: FoldRun) -> tuple[str, ...]:
    return tuple(sorted(set(run.predictions["test"].case_id.tolist())))


def _report(
    config: ExperimentConfig,
    runs: Sequence[FoldRun],
    joined: Predictions,
    split: str,
    pattern: str,
) -> Report:
    """Of one split and group: each patch called and scaled as its own fold does."""
    sizes = [run.predictions[split].label.size for run in runs]
    thresholds = np.repeat([run.scores.threshold for run in runs], sizes)
    calibrated = np.concatenate(
        [scaled(run.predictions[split], run.scores.temperature or 1.0) for run in runs]
    )
    rows = matching_rows(joined, pattern)
    positive = config.target.positive
    label, probability = joined.positives(positive)
    return report(
        label[rows],
        probability[rows],
        joined.case_id[rows],
        threshold=thresholds[rows],
        calibrated=calibrated[rows, joined.classes.index(positive)],
        draws=draws_of(config),
    )


def _table(pooled: Sequence[RunScores]) -> str:
    header = ["run", "folds", "cases", "AUC", "AUC by case", "AUC within the folds"]
    return text_table(header, [_row(scores) for scores in pooled])


def _row(scores: RunScores) -> list[str]:
    made, test = scores.cross_validation, scores.test
    assert made is not None, "_score fills it in"
    known = [value for value in made.auc if value is not None]
    within = "not defined"
    if known:
        within = f"{fmean(known):.3f} ({min(known):.3f} to {max(known):.3f})"
    if 0 < len(known) < len(made.auc):
        within += f", of {len(known)} folds that hold both classes"
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
