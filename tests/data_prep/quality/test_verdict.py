"""Warnings beyond each limit, and none before."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from data_prep.quality.verdict import Association, Quality, rows_of, warnings_of

GOOD = Quality(
    dataset="nuclei",
    kept={"train": {"one": 50, "two": 50}},
    dropped={},
    share_kept=0.9,
    images=20,
    set_aside=0,
    cases=10,
    is_grouped=True,
    case_association=Association(0.4, 0.3),
    source_association=None,
    largest_cases={"one": ("p", 0.2), "two": ("q", 0.2)},
    sampled=100,
    hematoxylin_auc={"one against two": 0.6},
    clusters={
        "silhouette": 0.5,
        "davies_bouldin": 0.8,
        "stability": 1.0,
        "sizes": [50, 50],
    },
    agreement=1.0,
    config_sha256="0" * 64,
)


def test_good_figures_bring_no_warning() -> None:
    assert warnings_of(GOOD) == []


BAD: dict[str, dict[str, Any]] = {
    "Of all patches 9.0% passed": {"share_kept": 0.09},
    "2 of 22 pictures were set aside": {"set_aside": 2},
    "The cases are not known": {"is_grouped": False},
    "Class two has 9.1%": {"kept": {"train": {"one": 50, "two": 5}}},
    "Case q gives 51% of class two": {"largest_cases": {"two": ("q", 0.51)}},
    "The class is tied to the case": {"case_association": Association(0.7, 0.51)},
    "The class is tied to the source": {"source_association": Association(0.7, 0.51)},
    "The mean amount of hematoxylin alone": {"hematoxylin_auc": {"one": 0.91}},
    "The silhouette of the clusters is 0.24": {
        "clusters": {**(GOOD.clusters or {}), "silhouette": 0.24}
    },
    "Other seeds give other clusters": {
        "clusters": {**(GOOD.clusters or {}), "stability": 0.89}
    },
    "Measured again, 89%": {"agreement": 0.89},
}


@pytest.mark.parametrize("beginning", BAD)
def test_each_bad_figure_is_warned_of(beginning: str) -> None:
    bad = dataclasses.replace(GOOD, **BAD[beginning])
    (warning,) = warnings_of(bad)
    assert warning.startswith(beginning)
    (row,) = [row for row in rows_of(bad) if row.warning]
    assert row.limit and row.meaning
