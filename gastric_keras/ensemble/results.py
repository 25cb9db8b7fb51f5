"""What stage ensemble found; ``ensemble.json`` key by key."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.serving.metadata import EnsembleMember
from gastric_keras.statistics.paired import PooledDifference
from gastric_keras.statistics.referral import ReferralCurve


@dataclass(frozen=True)
class Gain:
    """AUC of the ensemble less that of a member, paired by case.

    Attributes:
        member: name of the run.
        auc: of the member, test split, per patch.
        difference: of the ensemble less the member.
        p_holm: its p value, adjusted over the members; None: not defined.
    """

    member: str
    auc: float
    difference: PooledDifference
    p_holm: float | None


@dataclass(frozen=True)
class Ensemble:
    """The mean of several runs, and how sure it is.

    Attributes:
        members: of the mean.
        scores: of the mean, threshold and temperature from its validation split.
        gains: one a member; empty where the AUC is not defined.
        referral: name of a doubt -> its curve on the test split.
        validation_share: name of a doubt -> share -> the doubt from which on patches
            are referred, so that this share of the validation patches is.
    """

    members: tuple[EnsembleMember, ...]
    scores: RunScores
    gains: tuple[Gain, ...]
    referral: dict[str, ReferralCurve]
    validation_share: dict[str, dict[str, float]]
