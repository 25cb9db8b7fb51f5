"""Checks of the sets of a run before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

from gastric_keras.records.integrity import verify_set
from gastric_keras.records.manifest import Manifest, read_manifest
from gastric_keras.support.errors import InputError


def check_set(
    folder: str, classes: tuple[str, ...], *, key: str, task: str = "classes"
) -> Manifest:
    """Check a set against the config and its own manifest.

    Args:
        folder: of the set.
        classes: that the config expects, in order.
        key: of the section in the config, for the message.
        task: what is learned of it, see ``MidConfig.task``.

    Raises:
        InputError: not a set, other classes, no train or validation split, bytes and
            records that do not match its manifest, or no quantities for the task.
    """
    manifest = read_manifest(folder)
    _check_task(manifest, folder, key=key, task=task)
    names = manifest.quantities if task == "measures" else manifest.classes
    if names != classes:
        what = "measures" if task == "measures" else "classes"
        raise InputError(
            f"{key}.classes must be the {what} of {folder}, in its order: "
            f"{list(names)}, got {list(classes)}. Copy that list into the config."
        )
    for split in ("train", "validation"):
        empty = [
            name
            for name in manifest.classes
            if not manifest.counts.get(split, {}).get(name)
        ]
        if empty:
            raise InputError(
                f"{key}.records must have patches of every class in the split "
                f"{split!r}, got {folder} with none of {', '.join(empty)}. Make the "
                "set again with other split shares or with more cases."
            )
    verify_set(folder, manifest)
    return manifest


def _check_task(manifest: Manifest, folder: str, *, key: str, task: str) -> None:
    """Refuse a set without the numbers that a task learns."""
    has = {
        "shares": manifest.has_shares,
        "measures": bool(manifest.quantities) and not manifest.has_shares,
    }
    if not has.get(task, True):
        kind = "tissue" if task == "shares" else "nuclei"
        held = ", ".join(manifest.quantities) or "none"
        raise InputError(
            f"{key}.records must hold {task} with {key}.task: {task}, got {folder} "
            f"with quantities: {held}. Make the set again with data_prep {kind} and "
            f"task: {task} in its config."
        )


def check_cohort(folder: str, classes: tuple[str, ...], *, key: str) -> Manifest:
    """Check an external cohort against the classes of a run and its own manifest.

    Args:
        folder: of the set; whatever splits it has, they are one cohort.
        classes: that the run tells apart, in order.
        key: of the cohort in the config, for the message.

    Raises:
        InputError: not a set, other classes, no patch of a class, or bytes and records
            that do not match its manifest.
    """
    manifest = read_manifest(folder)
    if manifest.classes != classes:
        raise InputError(
            f"{key}.records must have the classes of the run, in its order: "
            f"{list(classes)}, got {folder} with {list(manifest.classes)}. Make the "
            "set with these classes; labels of data_prep target translates other names."
        )
    counts = {
        name: sum(count.get(name, 0) for count in manifest.counts.values())
        for name in classes
    }
    if not all(counts.values()):
        spelled = ", ".join(f"{name}={count}" for name, count in counts.items())
        raise InputError(
            f"{key}.records must have patches of every class, got {folder} with "
            f"{spelled}. Add cases of the missing class: one class alone shows neither "
            "an AUC nor a drop of it."
        )
    verify_set(folder, manifest)
    return manifest


def check_no_shared_cases(
    mid: Manifest, target: Manifest, *, name: str = "mid-level set"
) -> None:
    """Refuse a mid-level set with cases of the target's validation or test split.

    Args:
        mid: of the mid-level set.
        target: of the target set.
        name: of the mid-level set, for the message.

    Raises:
        InputError: a case is both in the mid-level set and in validation or test of the
            target set.
    """
    seen = {case for cases in mid.cases.values() for case in cases}
    shared = sorted(
        case
        for split in ("validation", "test")
        for case in target.cases.get(split, ())
        if case in seen
    )
    if shared:
        raise InputError(
            f"The {name} must not have cases of the target's validation and test "
            f"splits, got {len(shared)} shared cases, first {shared[0]!r}. Make one of "
            "the sets from other cases; if they only share a name, give each source a "
            "different name in the data_prep config."
        )


def crossing_warnings(*sets: Manifest) -> Iterator[str]:
    """What is doubtful of the cases of sets that one t=1 learns.

    Args:
        sets: one, of which nothing is said, or two.

    Yields:
        One sentence, where cases are in training of one and in validation of the other.
    """
    if len(sets) < 2:
        return
    first, second = sets
    crossing = [
        set(one.cases.get("train", ())) & set(other.cases.get("validation", ()))
        for one, other in ((first, second), (second, first))
    ]
    if any(crossing):
        of_second, of_first = map(len, crossing)
        yield (
            f"cases of validation that the other set trains on: {of_first} of the "
            f"mid-level set, {of_second} of the second one. t=1 has seen their "
            "pictures, though not by these labels, so its scores may be too good. A "
            "split column in the index of both sets avoids it."
        )
