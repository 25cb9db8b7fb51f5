"""Paired differences between finished runs, on one set of draws of cases and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.comparison.paths import CONTROLS, ONE_STAGE, PROBE, Pair, pair_paths
from gastric_keras.comparison.results import Efficiency, SettingDifference
from gastric_keras.records.subsets import CaseSubset
from gastric_keras.statistics.bootstrap import auc_draws, rarer_cases
from gastric_keras.statistics.delong import pooled_auc_test
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.label_efficiency import curve_points, savings
from gastric_keras.statistics.mcnemar import McNemar, mcnemar_test
from gastric_keras.statistics.paired import (
    PooledDifference,
    draw_seeds,
    holm,
    pool_differences,
    times_drawn,
)


@dataclass(frozen=True)
class DrawnRuns:
    """Runs with their AUC on common draws of the test cases.

    Attributes:
        runs: of :func:`gastric_keras.finished_runs.read_runs`.
        auc: (runs,).
        drawn: (runs, draws.draws).
        draws: how they were drawn.
        cases: number of test cases.
        rarer: number of test cases of the rarer class.
    """

    runs: tuple[FinishedRun, ...]
    auc: np.ndarray
    drawn: np.ndarray
    draws: Draws
    cases: int
    rarer: int


def draw_runs(runs: Sequence[FinishedRun], draws: Draws) -> DrawnRuns:
    """Draw cases with replacement and score every run on each draw.

    Args:
        runs: of one test split.
        draws: how many, and from which seed.
    """
    case_id = np.array([row[0] for row in runs[0].rows])
    scores = np.stack([run.score for run in runs])
    areas = [run.scores.test.patch.scores["auc"].value for run in runs]
    return DrawnRuns(
        runs=tuple(runs),
        auc=np.array(areas),
        draws=draws,
        drawn=auc_draws(runs[0].label, scores, case_id, draws),
        cases=np.unique(case_id).size,
        rarer=rarer_cases(runs[0].label, case_id),
    )


def pool(found: DrawnRuns, pairs: Sequence[Pair]) -> PooledDifference:
    """The difference of some pairs, averaged over their settings and seeds.

    Args:
        found: the runs.
        pairs: one or more.
    """
    one, two = [p.one for p in pairs], [p.two for p in pairs]
    return pool_differences(
        found.auc[two] - found.auc[one],
        found.drawn[two] - found.drawn[one],
        setting=["/".join(p.setting) for p in pairs],
        replicate=[p.replicate for p in pairs],
        cases=found.rarer,
        base=one,
        draws=found.draws,
    )


def setting_differences(
    found: DrawnRuns, pairs: Sequence[Pair]
) -> tuple[SettingDifference, ...]:
    """One difference a setting, with p values adjusted over all of them (Holm).

    Args:
        found: the runs.
        pairs: of any settings and base paths.
    """
    settings: dict[tuple[str, str, str, str], list[Pair]] = {}
    for pair in pairs:
        base = found.runs[pair.one].path
        settings.setdefault((*pair.setting, base), []).append(pair)
    pooled = [pool(found, chosen) for chosen in settings.values()]
    adjusted = holm([each.p_value for each in pooled])
    scores = np.stack([run.score for run in found.runs])
    return tuple(
        SettingDifference(
            backbone=backbone,
            subset=subset,
            path=path,
            base=base,
            seeds={p.replicate: float(found.auc[p.two] - found.auc[p.one]) for p in ps},
            clustered=clustered,
            p_holm=p_holm,
            delong=pooled_auc_test(
                found.runs[0].label,
                scores[[p.one for p in ps]],
                scores[[p.two for p in ps]],
            ),
            calls={p.replicate: _compare_calls(found, p) for p in ps},
        )
        for ((backbone, subset, path, base), ps), clustered, p_holm in zip(
            settings.items(), pooled, adjusted, strict=True
        )
    )


def _compare_calls(found: DrawnRuns, pair: Pair) -> McNemar:
    case_id = [row[0] for row in found.runs[0].rows]
    one, two = (
        run.is_called == (run.label == 1)
        for run in (found.runs[pair.one], found.runs[pair.two])
    )
    return mcnemar_test(one, two, case_id)


def control_pairs(runs: Sequence[FinishedRun]) -> list[Pair]:
    """Each mid-level set against its controls: where does a gain come from?

    Its true labels against shuffled labels (is it the labels?), against as many updates
    of one stage (is it the training?), against both sets at once (is it the order?);
    and the regression on the backbone before and after t=1 (is it in the features?).

    Args:
        runs: of :func:`gastric_keras.finished_runs.read_runs`.
    """
    mids = dict.fromkeys(run.mid for run in runs if run.mid is not None)
    pairs = []
    for mid in mids:
        for control in CONTROLS.values():
            pairs += pair_paths(runs, control.format(mid), mid)
            pairs += pair_paths(runs, ONE_STAGE, control.format(mid))
        pairs += pair_paths(runs, PROBE, f"{PROBE} after {mid}")
    pairs += pair_paths(runs, PROBE, ONE_STAGE)
    return pairs


def efficiency_curves(found: DrawnRuns) -> tuple[Efficiency, ...]:
    """AUC against labels of each network and path with two numbers of labels or more.

    Args:
        found: the runs.
    """
    curves = []
    for backbone in dict.fromkeys(run.cell[0] for run in found.runs):
        chosen = [
            i
            for i, run in enumerate(found.runs)
            if run.cell[0] == backbone and not run.is_control
            # Of a draw of whole cases the labels are not a number to plot against.
            and not isinstance(run.config.target.subset, CaseSubset)
        ]
        curves += _curves_of(found, backbone, chosen)
    return tuple(curves)


def _curves_of(
    found: DrawnRuns, backbone: str, chosen: Sequence[int]
) -> list[Efficiency]:
    seeds = sorted({found.runs[i].replicate for i in chosen})
    times = times_drawn(len(seeds), found.draws)
    auc: dict[str, dict[float, list[float]]] = {}
    drawn: dict[str, dict[float, np.ndarray]] = {}
    for path in dict.fromkeys(found.runs[i].path for i in chosen):
        mine = [i for i in chosen if found.runs[i].path == path]
        for labels in sorted({found.runs[i].labels for i in mine}):
            rows = [i for i in mine if found.runs[i].labels == labels]
            which = [seeds.index(found.runs[i].replicate) for i in rows]
            auc.setdefault(path, {})[labels] = list(found.auc[rows])
            drawn.setdefault(path, {})[labels] = draw_seeds(
                found.drawn[rows], times[:, which].T
            )
    one = auc.get(ONE_STAGE, {})
    return [
        Efficiency(
            backbone,
            path,
            points=curve_points(
                auc[path], drawn[path], draws=found.draws, cases=found.rarer
            ),
            savings=(
                savings(
                    one,
                    auc[path],
                    drawn[ONE_STAGE],
                    drawn[path],
                    draws=found.draws,
                    cases=found.rarer,
                )
                if path != ONE_STAGE and len(one) > 1
                else ()
            ),
        )
        for path in auc
        if len(auc[path]) > 1
    ]
