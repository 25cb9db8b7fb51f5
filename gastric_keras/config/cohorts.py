"""What an external cohort of a run can be told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gastric_keras.support.errors import require


@dataclass(frozen=True)
class CohortConfig:
    """A further target set, of another hospital, that a finished run is scored on.

    Attributes:
        records: folder of the set, made by ``data_prep target``; all of its splits are
            scored together, as one cohort.
        allow_leaks: score it though cases or pictures of it are in the sets that the
            run was trained, chosen or tested on; the report counts them.
        allow_unequal_normalization: score it though data_prep normalized its stain
            otherwise than that of the run's target set.
        allow_unequal_scale: score it though a patch shows five times the width of
            tissue, µm, that one of the run's target set shows, or a fifth.
    """

    records: str
    allow_leaks: bool = False
    allow_unequal_normalization: bool = False
    allow_unequal_scale: bool = False


def check_cohort_names(names: Iterable[str]) -> None:
    """Check the names of external cohorts.

    Raises:
        InputError: a name cannot be that of a folder, or two differ in case alone.
    """
    seen: set[str] = set()
    for name in names:
        require(
            re.fullmatch(r"\w[\w-]*", name) is not None,
            "external must have names of letters, digits, '_' and '-' only",
            "Each becomes the name of a folder.",
            name=name,
        )
        require(
            name.lower() not in seen,
            "external must have names that differ in more than case",
            "Some disks take the folders of both for one: rename one.",
            name=name,
        )
        seen.add(name.lower())
