"""What stage ensemble found; ``ensemble.json`` key by key."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.serving.metadata import EnsembleMember, FoldMember
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


@dataclass(frozen=True)
class FoldEnsemble:
    """The mean of the folds of one cross-validation.

    Attributes:
        members: of the mean, one a fold.
        threshold: of the mean, chosen on the out-of-fold answers, pooled.
        temperature: of the mean, fitted there.
        out_of_fold: of the members, each on the cases that it was not trained on and at
            its own threshold; of the mean there are no scores.
    """

    members: tuple[FoldMember, ...]
    threshold: float
    temperature: float
    out_of_fold: RunScores

    @property
    def scores(self) -> RunScores:
        """The out-of-fold scores with threshold and temperature of the mean."""
        return replace(
            self.out_of_fold, threshold=self.threshold, temperature=self.temperature
        )
