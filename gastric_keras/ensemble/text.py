"""An ensemble in words and tables: Markdown that also reads as text."""

from __future__ import annotations

from gastric_keras.ensemble.results import Ensemble, FoldEnsemble, Gain
from gastric_keras.runs.rows import score_rows
from gastric_keras.statistics.referral import ReferralCurve
from gastric_keras.statistics.split_report import UnitReport
from gastric_keras.statistics.words import spell_p
from gastric_keras.support.text import markdown_name, text_table

#: Shares of the table; the picture has them all.
_ROWS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)


def spell_ensemble(found: Ensemble) -> str:
    """Members, scores and referral.

    Args:
        found: by the stage.
    """
    scores, test = found.scores, found.scores.test
    parts = [
        f"# Ensemble of {len(found.members)} runs",
        f"Mean probability of the members. Threshold {scores.threshold:.3f} and "
        f"temperature {scores.temperature:.2f} are of the mean on the validation "
        f"split. Test split: {test.n} patches of {test.cases} cases; intervals by "
        f"case, {test.bootstrap} draws.",
        _score_table(test.patch),
        "## Members",
        "AUC of the ensemble less that of each member, paired by case; p is adjusted "
        "over the members (Holm).",
        text_table(
            ["member", "AUC", "ensemble − member", "by case", "p (Holm)"],
            [_gain(each) for each in found.gains],
        ),
        "## Referral",
        "Accuracy of the patches that are kept when the least sure ones are referred "
        "to a person. Entropy: of the mean probability, so near 0.5 first. Spread: "
        "standard deviation between the members. Each share has its own interval.",
        text_table(
            ["share referred", *found.referral],
            [
                [f"{share:.0%}", *(_kept(c, share) for c in found.referral.values())]
                for share in _ROWS
            ],
        ),
        "To refer in practice, take the doubt from the validation split:",
        text_table(
            ["share of validation", *found.validation_share],
            [
                [f"{float(share):.0%}"]
                + [f"{cuts[share]:.4f}" for cuts in found.validation_share.values()]
                for share in next(iter(found.validation_share.values()))
            ],
        ),
    ]
    if scores.unfitted:
        parts.insert(
            2, f"Threshold 0.5 and temperature 1, not chosen: {scores.unfitted}."
        )
    return "\n\n".join(parts) + "\n"


def spell_fold_ensemble(found: FoldEnsemble) -> str:
    """Members, and what is known of their mean.

    Args:
        found: by the stage.
    """
    scores, made = found.out_of_fold, found.out_of_fold.cross_validation
    assert made is not None, "pooling fills it in"
    test = scores.test
    rows = zip(found.members, made.thresholds, made.auc, made.cases, strict=True)
    parts = [
        f"# Ensemble of {len(found.members)} folds",
        "Mean probability of the networks of all folds. **It has no internal test:** "
        "every case was trained on by some member, so its own scores, spread and "
        "referral curve on these cases would be too good, and are not computed. Score "
        "it on cases that no fold holds, with --stage predict.",
        f"Threshold {found.threshold:.3f} and temperature {found.temperature:.2f} are "
        "chosen on the out-of-fold answers, pooled: of each case the one member that "
        "was not trained on it. A mean of networks is less spread than these answers.",
        "## Out of fold",
        f"Scores of single members, each called by its own threshold, not of the mean: "
        f"{test.n} patches of {test.cases} cases; intervals by case, {test.bootstrap} "
        "draws, networks held fixed.",
        _score_table(test.patch),
        "## Members",
        text_table(
            ["member", "fold", "cases that it tests", "threshold", "test AUC"],
            [
                [
                    markdown_name(member.name),
                    str(member.fold),
                    str(len(cases)),
                    f"{threshold:.3f}",
                    "not defined" if auc is None else f"{auc:.3f}",
                ]
                for member, threshold, auc, cases in rows
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _score_table(unit: UnitReport) -> str:
    return text_table(
        ["score per patch", "at 0.5", "at the threshold"],
        [
            [row.name, *(f"{c.value} ({c.beside})" for c in row.cells)]
            + [""] * (2 - len(row.cells))
            for row in score_rows(unit)
        ],
    )


def _gain(found: Gain) -> list[str]:
    difference = found.difference
    interval = difference.reason or "not defined"
    if difference.low is not None:
        interval = f"{difference.low:+.3f} to {difference.high:+.3f}"
    p_value = "" if found.p_holm is None else spell_p(found.p_holm).removeprefix("= ")
    return [
        markdown_name(found.member),
        f"{found.auc:.3f}",
        f"{difference.difference:+.3f}",
        interval,
        p_value,
    ]


def _kept(curve: ReferralCurve, share: float) -> str:
    place = curve.shares.index(share)
    value = f"{curve.accuracy[place]:.3f}"
    if not curve.low:
        return f"{value} (no interval: {curve.reason})"
    return f"{value} ({curve.low[place]:.3f}–{curve.high[place]:.3f})"
