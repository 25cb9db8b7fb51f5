"""Finished runs to tables 2 and 3 of the paper, and the verdict on the second stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean

from gastric_keras.comparison.baselines import compare_baselines, has_baselines_only
from gastric_keras.comparison.classes import compare_classes, spell_class_tables
from gastric_keras.comparison.cohorts import compare_cohorts
from gastric_keras.comparison.contrasts import (
    DrawnRuns,
    control_pairs,
    draw_runs,
    efficiency_curves,
    pool,
    setting_differences,
)
from gastric_keras.comparison.feature_gain import read_quality
from gastric_keras.comparison.finished_runs import FinishedRun, read_runs
from gastric_keras.comparison.notes import spell_notes
from gastric_keras.comparison.paths import Pair, find_pairs
from gastric_keras.comparison.pictures import draw_comparison
from gastric_keras.comparison.results import (
    Comparison,
    LabelCost,
    ScoreCell,
    Verdict,
    table_scores,
)
from gastric_keras.comparison.text import spell_tables
from gastric_keras.comparison.verdict import spell_verdict
from gastric_keras.config.backbones import find_backbone
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import has_class_scores
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import PooledDifference, holm
from gastric_keras.support.files import write_atomic, write_json

#: Of every interval; the text says so.
CONFIDENCE = 0.95
WHOLE = "All networks"


def run_compare(
    runs: Sequence[Path], out: Path = Path("tensorboard_logs/compare")
) -> None:
    """Stage compare: write tables, pictures and verdict, and print the text.

    Of more than two classes there are tables and differences only.

    Args:
        runs: folders of finished runs.
        out: folder to write to.
    """
    if any(has_class_scores(RunDir(folder)) for folder in runs):
        print(spell_class_tables(compare_classes(runs, out)))
        print(f"compare: tables.md and comparison.json in {out}")
        return
    print(spell_tables(compare(runs, out)))
    print(f"compare: tables.md, comparison.json and pictures in {out}")


def compare(
    run_folders: Sequence[Path], out: Path, *, bootstrap: int = 1000, seed: int = 0
) -> Comparison:
    """Compare finished runs of one stage and of two on the same test split.

    Writes ``tables.md``, ``comparison.json``, ``roc.png``, if there are pairs
    ``differences.png``, and if there are several numbers of labels ``labels.png``.

    Args:
        run_folders: folders of finished runs, of any networks, subsets and seeds; the
            finished baselines in them, and folders of baselines alone, join the tables.
        out: folder to write to.
        bootstrap: number of paired draws of cases, 100 or more.
        seed: of the draws.

    Returns:
        The comparison.

    Raises:
        InputError: as :func:`gastric_keras.finished_runs.read_runs`.
    """
    draws = Draws(bootstrap, CONFIDENCE, seed)
    folders = [Path(folder) for folder in run_folders]
    runs = read_runs([each for each in folders if not has_baselines_only(each)])
    pairs = find_pairs(runs)
    found = draw_runs(runs, draws)
    baselines, against = compare_baselines(folders, found)
    comparison = Comparison(
        patches=len(runs[0].rows),
        cases=found.cases,
        bootstrap=bootstrap,
        seed=seed,
        cells=_cells(runs),
        differences=setting_differences(found, pairs),
        controls=setting_differences(found, control_pairs(runs)),
        efficiency=efficiency_curves(found),
        quality=read_quality(runs, pairs, found.auc),
        cohorts=compare_cohorts(runs, draws),
        verdicts=_verdicts(_pooled(found, pairs), found.cases),
        notes=spell_notes(runs, pairs),
        baselines=baselines,
        against=against,
    )
    write_atomic(out / "tables.md", spell_tables(comparison))
    write_json(out / "comparison.json", asdict(comparison))
    draw_comparison(runs, comparison, out)
    return comparison


def _pooled(found: DrawnRuns, pairs: Sequence[Pair]) -> dict[str, PooledDifference]:
    """By network, then over all; empty without pairs."""
    if not pairs:
        return {}
    networks = dict.fromkeys(pair.setting[0] for pair in pairs)
    by_network = {
        find_backbone(name).title: pool(
            found, [p for p in pairs if p.setting[0] == name]
        )
        for name in networks
    }
    return {**by_network, WHOLE: pool(found, pairs)}


def _verdicts(pooled: dict[str, PooledDifference], cases: int) -> tuple[Verdict, ...]:
    networks = {name: found for name, found in pooled.items() if name != WHOLE}
    adjusted = holm([found.p_value for found in networks.values()])
    verdicts = [
        Verdict(name, found, p, spell_verdict(name, found, p, cases))
        for (name, found), p in zip(networks.items(), adjusted, strict=True)
    ]
    if len(networks) > 1:
        whole = pooled[WHOLE]
        sentence = spell_verdict(WHOLE, whole, whole.p_value, cases)
        verdicts.append(Verdict(WHOLE, whole, whole.p_value, sentence))
    return tuple(verdicts)


def _cells(runs: Sequence[FinishedRun]) -> tuple[ScoreCell, ...]:
    groups: dict[tuple[str, str, str], list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault((*run.cell, run.path), []).append(run)
    cells = []
    for (backbone, subset, path), group in groups.items():
        found = [table_scores(run.scores.test.patch) for run in group]
        cells.append(
            ScoreCell(
                backbone,
                subset,
                path,
                mean(run.labels for run in group),
                runs=tuple(str(run.folder) for run in group),
                costs=tuple(_cost(run) for run in group),
                scores={name: tuple(each[name] for each in found) for name in found[0]},
            )
        )
    return tuple(cells)


def _cost(run: FinishedRun) -> LabelCost:
    scores = run.scores
    return LabelCost(
        train=round(run.labels * len(scores.classes)),
        train_cases=scores.train_cases,
        validation=scores.validation.n,
        validation_cases=scores.validation.cases,
    )
