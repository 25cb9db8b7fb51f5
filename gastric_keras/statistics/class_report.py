"""Every score of one split of a classifier of more than two classes, with intervals.

As ``split_report`` does for two classes: cases are drawn whole, per patch and per case.
The scores of one class are those of ``bootstrap.cluster_bootstrap``, the class against
the rest, with the call of the highest probability in place of a threshold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from gastric_keras.statistics.bootstrap import (
    Evidence,
    case_interval,
    cluster_bootstrap,
    draw_cases,
)
from gastric_keras.statistics.class_cases import (
    case_classes,
    class_counts,
    class_means,
    rarest_cases,
)
from gastric_keras.statistics.class_scores import (
    certainty_scores,
    check_class_rows,
    class_confusion,
    multiclass_scores,
)
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.scores import Score, check_cases, not_numbers

KAPPA = "kappa_quadratic"
#: Of one class against the rest.
CLASS_KEYS = (
    *("auc", "pr_auc", "sensitivity", "specificity", "precision", "f1"),
    *("ece", "ece_calibrated"),
)


@dataclass(frozen=True)
class ClassUnitReport:
    """Scores where the unit is the patch, or the case.

    Attributes:
        n: number of units.
        counts: of each class, in label order.
        scores: auc and pr_auc (means over the classes, each against the rest),
            accuracy, balanced_accuracy, f1_macro, brier, ece, brier_calibrated,
            ece_calibrated, and of ordered classes kappa_quadratic.
        by_class: class -> its scores against the rest, as of ``CLASS_KEYS``.
        confusion: counts, row = truth, column = call; all 0 where probabilities are
            not numbers.
    """

    n: int
    counts: tuple[int, ...]
    scores: dict[str, Score]
    by_class: dict[str, dict[str, Score]]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClassReport:
    """Every score of one split, per patch and per case; JSON through ``asdict``.

    Attributes:
        n: number of patches.
        cases: number of cases.
        mixed_cases: cases with patches of several classes.
        confidence: of the intervals.
        bootstrap: number of draws.
        seed: of the draws.
        patch: the unit is the patch, the cases are drawn.
        case: the unit is the case: its probabilities are the means over its patches;
            its class is the highest that any of its patches shows where the classes
            are ordered, else that of most of its patches, the later of equals.
    """

    n: int
    cases: int
    mixed_cases: int
    confidence: float
    bootstrap: int
    seed: int
    patch: ClassUnitReport
    case: ClassUnitReport

    @property
    def draws(self) -> Draws:
        """How its cases were drawn: another score of the same split is drawn alike."""
        return Draws(self.bootstrap, self.confidence, self.seed)


def class_report(
    label: Any,
    probability: Any,
    case_id: Any,
    *,
    classes: tuple[str, ...],
    is_ordered: bool,
    calibrated: Any,
    draws: Draws = Draws(),
) -> ClassReport:
    """All scores of one split with case-clustered intervals.

    Args:
        label: (n,) int, index into classes.
        probability: (n, classes) float in [0, 1]; where one is NaN or infinite no score
            of the split is defined.
        case_id: (n,) str.
        classes: names, in label order.
        is_ordered: their order is a ladder.
        calibrated: (n, classes), the probabilities after temperature scaling.
        draws: how many, from which seed, and the confidence of the intervals.

    Returns:
        The report; a score that is not defined has value None and a reason.

    Raises:
        InputError: bad shape or range.
    """
    unit: Callable[..., ClassUnitReport] = partial(
        _unit, classes=classes, is_ordered=is_ordered, draws=draws
    )
    if reason := not_numbers(probability):
        even = np.full(np.shape(probability), 1 / len(classes))
        whole = class_report(
            label,
            even,
            case_id,
            classes=classes,
            is_ordered=is_ordered,
            calibrated=even,
            draws=draws,
        )
        return replace(
            whole, patch=_blank(whole.patch, reason), case=_blank(whole.case, reason)
        )
    label, probability = check_class_rows(label, probability)
    calibrated = check_class_rows(label, calibrated)[1]
    names, case = check_cases(case_id, label.size)
    case_label = case_classes(label, case, len(classes), is_ordered=is_ordered)
    times = class_counts(label, case, len(classes))
    parts = (label, probability, calibrated, names[case])
    means = [class_means(each, case) for each in (probability, calibrated)]
    return ClassReport(
        n=label.size,
        cases=len(names),
        mixed_cases=int(((times > 0).sum(axis=1) > 1).sum()),
        confidence=draws.confidence,
        bootstrap=draws.draws,
        seed=draws.seed,
        patch=unit(*parts),
        case=unit(case_label, *means, names),
    )


def _unit(
    label: np.ndarray,
    probability: np.ndarray,
    calibrated: np.ndarray,
    case_id: np.ndarray,
    *,
    classes: tuple[str, ...],
    is_ordered: bool,
    draws: Draws,
) -> ClassUnitReport:
    called = probability.argmax(axis=1)
    counts = np.bincount(label, minlength=len(classes))
    by_class = {}
    for index, name in enumerate(classes):
        found = cluster_bootstrap(
            label == index,
            probability[:, index],
            case_id,
            calibrated=calibrated[:, index],
            # Thresholds that make the calls: below every score where it is called.
            threshold=np.where(called == index, 0.0, 2.0),
            draws=draws,
        )
        by_class[name] = {key: found[key] for key in CLASS_KEYS}
    scores = whole_scores(label, probability, calibrated, case_id, draws=draws)
    if not is_ordered:
        del scores[KAPPA]
    confusion = class_confusion(label, called, len(classes))
    return ClassUnitReport(
        n=label.size,
        counts=tuple(counts.tolist()),
        scores=scores,
        by_class=by_class,
        confusion=tuple(map(tuple, confusion.tolist())),
    )


def whole_scores(
    label: np.ndarray,
    probability: np.ndarray,
    calibrated: np.ndarray,
    case_id: np.ndarray,
    *,
    draws: Draws,
) -> dict[str, Score]:
    """Scores over all classes, kappa among them, with case-clustered intervals.

    Args:
        label: (n,) int, index into the classes.
        probability: (n, classes) float64 in [0, 1].
        calibrated: (n, classes), after temperature scaling.
        case_id: (n,) str.
        draws: of cases.

    Returns:
        name -> score; value None and a reason where it is not defined.
    """
    names, case = check_cases(case_id, label.size)

    def scores_of(weight: np.ndarray) -> dict[str, np.ndarray]:
        after = certainty_scores(label, calibrated, weight)
        return {
            **multiclass_scores(label, probability, weight),
            **{f"{name}_calibrated": drawn for name, drawn in after.items()},
        }

    value = {k: float(v[0]) for k, v in scores_of(np.ones((1, label.size))).items()}
    drawn = draw_cases(scores_of, case, len(names), draws)
    classes = probability.shape[1]
    shown = (class_counts(label, case, classes) > 0).sum(axis=0)
    every = Evidence(len(names), len(names) - 1, 0)
    needs_all = Evidence(
        rarest_cases(label, case_id, classes), max(1, len(names) - classes), 0
    )
    evidence = dict.fromkeys(value, every)
    evidence |= dict.fromkeys(
        ("auc", "pr_auc", "balanced_accuracy", "f1_macro"), needs_all
    )
    evidence["accuracy"] = replace(every, independent=len(names))
    reason = f"needs every class; {int((shown == 0).sum())} without a row"
    return {
        name: (
            Score(None, reason=reason)
            if np.isnan(value[name])
            else _score(name, value[name], drawn[name], evidence[name], draws)
        )
        for name in value
    }


def _score(
    name: str, value: float, drawn: np.ndarray, evidence: Evidence, draws: Draws
) -> Score:
    if name != KAPPA:
        return case_interval(name, value, drawn, evidence, draws.confidence)
    # (kappa + 1) / 2 is a share, and its logit is twice Fisher's z of kappa.
    found = case_interval(
        name, (value + 1) / 2, (drawn + 1) / 2, evidence, draws.confidence
    )
    if found.low is None or found.high is None:
        return replace(found, value=value)
    return replace(found, value=value, low=2 * found.low - 1, high=2 * found.high - 1)


def _blank(unit: ClassUnitReport, reason: str) -> ClassUnitReport:
    """The same unit with every score not defined, for one reason."""
    none = Score(None, reason=reason)
    return replace(
        unit,
        scores=dict.fromkeys(unit.scores, none),
        by_class={c: dict.fromkeys(found, none) for c, found in unit.by_class.items()},
        confusion=tuple((0,) * len(row) for row in unit.confusion),
    )
