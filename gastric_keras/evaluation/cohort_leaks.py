"""What external cohorts share with the sets of a run: sought before they are scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gastric_keras.data.looks import Looks, read_looks
from gastric_keras.imaging.fingerprints import find_alike
from gastric_keras.records.manifest import read_manifest
from gastric_keras.runs.cohort_shapes import SharedWithRun
from gastric_keras.support.errors import InputError


def find_shared(
    cohorts: Mapping[str, str], sets: Mapping[str, str]
) -> dict[str, list[SharedWithRun]]:
    """Look for cases, images and pictures of cohorts in the sets of a run.

    Pictures are compared by their pixels and by their look, which turning, flipping and
    compressing again do not change (``imaging.fingerprints``). Each set is read once
    for all cohorts, some patches at a time.

    Args:
        cohorts: name -> folder.
        sets: name, for a reader -> folder.

    Returns:
        Cohort -> what it shares with each split of each set; empty where nothing.
    """
    seen = {name: _whole(folder) for name, folder in cohorts.items()}
    shared: dict[str, list[SharedWithRun]] = {name: [] for name in cohorts}
    for title, folder in sets.items():
        for split in _splits(folder):
            found: dict[str, dict[str, set[str]]] = {name: {} for name in cohorts}
            for part in read_looks(folder, [split]):
                for name, looks in seen.items():
                    for what, names in _compare(looks, part):
                        found[name].setdefault(what, set()).update(names)
            for name, kinds in found.items():
                shared[name] += [
                    SharedWithRun(what, f"{split} of the {title}", len(n), min(n))
                    for what, n in kinds.items()
                    if n
                ]
    return shared


def check_unshared(
    key: str, cohort: str, sets: Sequence[str], shared: Sequence[SharedWithRun]
) -> None:
    """Refuse a cohort that shares something with the sets of the run.

    Args:
        key: of the cohort in the config.
        cohort: folder of it.
        sets: folders of the sets of the run.
        shared: of :func:`find_shared`.

    Raises:
        InputError: it shares anything.
    """
    if not shared:
        return
    found = "; ".join(
        f"{each.count} {each.what} with {each.where}, such as {each.example!r}"
        for each in shared
    )
    raise InputError(
        f"{key}.records must share no case and no picture with the sets of the run, "
        f"got {cohort} with {found}. Leave these cases out (python -m data_prep check "
        f"{' '.join([cohort, *sets])} names them all); if only names agree, give each "
        "source a name in the data_prep config; or score it as it is with --set "
        f"{key}.allow_leaks=true."
    )


def _splits(folder: str) -> list[str]:
    manifest = read_manifest(folder)
    return [split for split in manifest.counts if manifest.count(split)]


def _whole(folder: str) -> Looks:
    (whole,) = read_looks(folder, _splits(folder), chunk=None)
    return whole


def _compare(cohort: Looks, part: Looks) -> Iterator[tuple[str, set[str]]]:
    """Kind -> what of the cohort is in the part too."""
    yield "cases", set(cohort.cases) & set(part.cases)
    yield "images", set(cohort.images) & set(part.images)
    # All bare glass is alike, whoever it is of.
    theirs = {part.hashes[row] for row in np.flatnonzero(~part.pictures.is_flat)}
    equal = {key for key, pixels in zip(cohort.keys, cohort.hashes) if pixels in theirs}
    yield "equal patches", equal
    alike = find_alike(cohort.pictures, part.pictures)
    yield "patches that look alike", {cohort.keys[a.first] for a in alike} - equal
