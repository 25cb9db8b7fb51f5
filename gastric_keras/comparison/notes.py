"""What a reader of a comparison must be told beside its figures."""

from __future__ import annotations

from collections.abc import Sequence

from gastric_keras.comparison.paths import Pair, PlacedRun, other_changes


def spell_notes(runs: Sequence[PlacedRun], pairs: Sequence[Pair]) -> tuple[str, ...]:
    """What limits the differences, a sentence each.

    Args:
        runs: all of the comparison.
        pairs: those of two stages with those of one.
    """
    notes = []
    counts = {p.setting: sum(q.setting == p.setting for q in pairs) for p in pairs}
    if counts and min(counts.values()) < 3:
        notes.append(
            f"The smallest setting has {_count_seeds(min(counts.values()))}: how much "
            "the difference varies from one training to the next is not known well. "
            "Three seeds or more, better five, would show it."
        )
    for pair in pairs:
        one, two = runs[pair.one], runs[pair.two]
        changed = other_changes(one.config, two.config)
        if changed:
            notes.append(
                f"{one.folder.name} and {two.folder.name} differ in more than the "
                f"second stage: {', '.join(changed)}. Their difference cannot "
                "be put down to the second stage alone."
            )
    paired = {i for pair in pairs for i in (pair.one, pair.two)}
    alone = [
        run.folder.name
        for i, run in enumerate(runs)
        if i not in paired and not run.is_control
    ]
    if alone:
        notes.append(f"In the table only, without a partner: {', '.join(alone)}.")
    return tuple(notes)


def _count_seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
