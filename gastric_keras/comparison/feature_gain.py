"""How good is a mid-level set? What t=1 does to the features, and what it brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from gastric_keras.comparison.finished_runs import FinishedRun
from gastric_keras.comparison.paths import Pair
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.shapes import read_layer_scores


@dataclass(frozen=True)
class MidQuality:
    """One run of two stages that was probed.

    Attributes:
        backbone: vgg16, alexnet or inception_v3.
        subset: of the training patches.
        mid: kind of the mid-level set.
        replicate: seed.
        layers: of the backbone, from the input on.
        before: validation AUC of a linear probe of each, at t=0.
        after: the same at t=1.
        gain: test AUC of two stages less that of one.
    """

    backbone: str
    subset: str
    mid: str
    replicate: str
    layers: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    gain: float


def read_quality(
    runs: Sequence[FinishedRun], pairs: Sequence[Pair], auc: np.ndarray
) -> tuple[MidQuality, ...]:
    """Of each pair whose run of two stages has been through ``--stage probe``.

    Args:
        runs: that the pairs are of.
        pairs: one stage and two.
        auc: (runs,) test AUC.
    """
    found = []
    for pair in pairs:
        path = RunDir(runs[pair.two].folder).layer_scores
        if not path.is_file():
            continue
        scores = read_layer_scores(path)
        before = [score for score in scores if score.stage == "initial"]
        after = [score for score in scores if score.stage == "mid"]
        found.append(
            MidQuality(
                *pair.setting,
                replicate=pair.replicate,
                layers=tuple(score.layer for score in before),
                before=tuple(score.val_auc for score in before),
                after=tuple(score.val_auc for score in after),
                gain=float(auc[pair.two] - auc[pair.one]),
            )
        )
    return tuple(found)


def rank_correlation(quality: Sequence[MidQuality]) -> tuple[float, float] | None:
    """Spearman's rho, with its p value, between what t=1 does to the probe of the last
    layer and what it brings in the end; None with fewer than four runs or no spread.

    Args:
        quality: of probed runs; it takes them for independent, which runs that share
            a t=1 or the test cases are not.
    """
    change = [each.after[-1] - each.before[-1] for each in quality]
    gain = [each.gain for each in quality]
    if len(quality) < 4 or np.ptp(change) == 0 or np.ptp(gain) == 0:
        return None
    rho, p_value = spearmanr(change, gain)
    return float(rho), float(p_value)
