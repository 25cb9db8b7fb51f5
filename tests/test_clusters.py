"""Clusters of patches: planted ones are found again, and nonsense is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from data_prep.clusters import (
    cluster_patches,
    exclusion_reason,
    measure_quality,
)
from data_prep.config import ClusterConfig
from data_prep.nuclei import NucleiMeasurement
from gastric_keras.errors import InputError

GOOD = NucleiMeasurement(
    count=20,
    total_area=8000.0,
    total_area_um2=500.0,
    labels=np.zeros((1, 1), np.int32),
    tissue_fraction=0.9,
    nuclear_hematoxylin=0.5,
    contrast=0.4,
    unevenness=0.2,
)


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, areas and clusters: 1 has fewer, larger nuclei."""
    rng = np.random.default_rng(0)
    cluster = np.repeat([1, 0], [40, 60])
    counts = np.where(cluster, rng.normal(20, 2, 100), rng.normal(50, 4, 100)).round()
    areas = counts * np.where(cluster, 400, 120) * rng.uniform(0.95, 1.05, 100)
    return counts, areas, cluster


def test_planted_clusters_are_found_in_the_paper_s_order(
    planted: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    counts, areas, cluster = planted
    found = cluster_patches(counts, areas)
    np.testing.assert_array_equal(found.labels, cluster)
    np.testing.assert_allclose(found.mean, [counts.mean(), areas.mean()])
    np.testing.assert_allclose(found.std, [counts.std(), areas.std()])
    np.testing.assert_allclose(
        found.centers[1], [counts[cluster == 1].mean(), areas[cluster == 1].mean()]
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_order_of_the_patches_does_not_matter(seed: int) -> None:
    # No gaps, five clusters and one start: k-means has every choice.
    counts, areas = np.random.default_rng(9).uniform(1, 2, (2, 80))
    config = ClusterConfig(clusters=5, restarts=1)
    order = np.random.default_rng(seed).permutation(len(counts))
    straight = cluster_patches(counts, areas, config)
    shuffled = cluster_patches(counts[order], areas[order], config)
    np.testing.assert_array_equal(shuffled.labels, straight.labels[order])
    np.testing.assert_allclose(shuffled.centers, straight.centers)


def test_the_unit_of_area_does_not_matter(
    planted: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    counts, areas, _ = planted
    in_um = cluster_patches(counts, areas * 0.0625)
    np.testing.assert_array_equal(in_um.labels, cluster_patches(counts, areas).labels)


def test_four_patches_by_hand() -> None:
    found = cluster_patches([10, 12, 3, 5], [100, 120, 300, 320])
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])
    np.testing.assert_array_equal(found.centers, [[11, 110], [4, 310]])
    np.testing.assert_array_equal(found.assign([11, 4], [90, 400]), [0, 1])


def test_fewer_nuclei_of_like_size_are_cluster_1_too() -> None:
    found = cluster_patches([30, 31, 16, 17], [12000, 12300, 6300, 6700])
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])


def test_a_feature_that_never_changes_is_no_obstacle() -> None:
    found = cluster_patches([5, 5, 5, 5], [10, 11, 90, 91])
    np.testing.assert_array_equal(found.labels, [0, 0, 1, 1])


def test_quality_of_planted_clusters_is_high(
    planted: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    counts, areas, _ = planted
    quality = measure_quality(counts, areas, cluster_patches(counts, areas))
    assert quality.silhouette > 0.6
    assert quality.davies_bouldin < 0.6
    assert quality.stability == 1.0
    assert quality.sizes == (60, 40)


def test_quality_of_no_clusters_is_low() -> None:
    counts, areas = np.random.default_rng(0).uniform(1, 2, (2, 300))
    quality = measure_quality(counts, areas, cluster_patches(counts, areas))
    assert quality.silhouette < 0.45


def test_quality_needs_more_patches_than_clusters() -> None:
    found = cluster_patches([1, 2], [1, 2])
    with pytest.raises(InputError, match="Received: 2 patches"):
        measure_quality([1, 2], [1, 2], found)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"tissue_fraction": 0.1, "count": 0}, "too little tissue"),
        ({"count": 4, "contrast": 0.0}, "too few nuclei"),
        ({"contrast": 0.05}, "staining too pale"),
        ({"unevenness": 0.9}, "staining too uneven"),
    ],
)
def test_each_reason_to_leave_a_patch_out(change: dict, reason: str | None) -> None:
    measurement = dataclasses.replace(GOOD, **change)
    assert exclusion_reason(measurement, ClusterConfig()) == reason


def test_limits_are_kept_at_the_limit() -> None:
    config = ClusterConfig(min_nuclei=20, min_tissue=0.9, min_contrast=0.4)
    assert exclusion_reason(GOOD, config) is None


def test_too_few_patches_are_refused() -> None:
    with pytest.raises(InputError, match="Received: 1 patches, 1 different"):
        cluster_patches([4], [7])
    with pytest.raises(InputError, match="Received: 3 patches, 1 different"):
        cluster_patches([4, 4, 4], [7, 7, 7])
    with pytest.raises(InputError, match="Received: 0 patches"):
        cluster_patches([], [])


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match=r"Received: count=2.0, area=nan at patch 1"):
        cluster_patches([1, 2, 3], [1, float("nan"), 3])


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"counts with shape=\(3,\), areas with shape"):
        cluster_patches([1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    ("name", "value"), [("clusters", 1), ("restarts", 0), ("min_tissue", 1.5)]
)
def test_limits_without_meaning_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"Received: {name}={value}"):
        ClusterConfig(**{name: value})
