"""Whether one case is most of a split, and how many cases have several classes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from data_prep.sets.plan import PlannedImage
from gastric_keras.records.ledger import Ledger

#: A larger share of a split, or of a class of it, is told.
_MOST = 0.5
#: Cases of a split of a mid-level set below which one is bound to be much of it.
_FEW = 3


def tell_balance(
    plan: Sequence[PlannedImage],
    classes: Sequence[str],
    ledger: Ledger,
    *,
    is_mid_level: bool,
) -> None:
    """Warn where one case is most of a split or of a class of a split.

    Args:
        plan: the pictures with their patches.
        classes: names, in label order.
        ledger: is told; also how many cases of a target set have several classes.
        is_mid_level: a set that nothing is judged on: classes, and splits of one or
            two cases, are not told.
    """
    sizes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    labels: dict[str, set[int]] = defaultdict(set)
    for image in plan:
        for ref in image.refs:
            sizes[image.split, ""][image.case_id] += 1
            sizes[image.split, classes[ref.label]][image.case_id] += 1
            labels[image.case_id].add(ref.label)
    if not is_mid_level:
        several = sum(len(found) > 1 for found in labels.values())
        ledger.read["cases with patches of several classes"] += several
    told: dict[tuple[str, str], str] = {}
    for (split, name), cases in sorted(sizes.items()):
        ((case, number),) = cases.most_common(1)
        share = number / cases.total()
        # The quality page of a mid-level set has its classes.
        is_few = is_mid_level and (bool(name) or len(cases) < _FEW)
        # A case that is most of the split is most of some class, too.
        if share <= _MOST or is_few or (split, case) in told:
            continue
        told[split, case] = (
            f"{share:.0%} of {name + ' in ' if name else ''}{split} are {case} "
            f"({number} of {cases.total()} patches; cases: {len(cases)})"
        )
    if told:
        ledger.warn(
            f"one case is most of a split or class: {'; '.join(told.values())}. Add "
            "cases, or set max_per_class: such a score is that patient's."
        )
