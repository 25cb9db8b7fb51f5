"""Clusters of patches: planted ones are found again, and nonsense is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data_prep.config.sets import ClusterConfig
from data_prep.measure.clusters import cluster_patches, measure_quality
from data_prep.measure.exclusion import calibrate_exclusion, exclusion_reasons
from gastric_keras.support.errors import InputError


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
    with pytest.raises(InputError, match="got 2 patches"):
        measure_quality([1, 2], [1, 2], found)


@pytest.mark.parametrize(
    ("count", "contrast", "unevenness", "reason"),
    [
        (5, 0.08, 0.5, None),
        (4, 0.0, 0.9, "too few nuclei"),
        (20, 0.05, 0.9, "staining too pale"),
        (20, 0.4, 0.51, "staining too uneven"),
    ],
)
def test_each_reason_to_leave_a_patch_out(
    count: int, contrast: float, unevenness: float, reason: str | None
) -> None:
    good = (20, 0.4, 0.2)
    measures = zip(good, (count, contrast, unevenness), good, strict=True)
    assert exclusion_reasons(*measures, ClusterConfig()) == [None, reason, None]


def test_too_few_patches_are_refused() -> None:
    with pytest.raises(InputError, match="got 1 patches, 1 different"):
        cluster_patches([4], [7])
    with pytest.raises(InputError, match="got 3 patches, 1 different"):
        cluster_patches([4, 4, 4], [7, 7, 7])
    with pytest.raises(InputError, match="got 0 patches"):
        cluster_patches([], [])


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match=r"got counts=2.0, areas=nan at patch 1"):
        cluster_patches([1, 2, 3], [1, float("nan"), 3])


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match=r"counts with shape=\(3,\), areas with shape"):
        cluster_patches([1, 2, 3], [1, 2])


@pytest.mark.parametrize(
    ("name", "value"), [("clusters", 1), ("restarts", 0), ("min_tissue", 1.5)]
)
def test_limits_without_meaning_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{name}.* must .*got .*{value}"):
        ClusterConfig(**{name: value})


def draw_measures(
    n: int = 500, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, contrasts and unevennesses that pass the fixed limits."""
    rng = np.random.default_rng(seed)
    return (
        rng.integers(5, 60, n),
        rng.uniform(0.08, 0.8, n),
        rng.uniform(0.05, 0.5, n),
    )


def test_no_patches_have_no_reasons() -> None:
    assert exclusion_reasons([], [], [], ClusterConfig()) == []


@pytest.mark.parametrize("share", [1.0, 0.8, 0.44, 0.29, 0.05])
def test_the_share_that_was_asked_for_stays(share: float) -> None:
    measures = draw_measures()
    found = calibrate_exclusion(*measures, ClusterConfig(keep_share=share))
    kept = exclusion_reasons(*measures, found.config).count(None)
    assert (found.kept, found.patches, found.share) == (kept, 500, kept / 500)
    # 55 different counts among 500 patches: ten of them go at once.
    assert found.share == pytest.approx(share, abs=0.011)


def test_calibrated_limits_are_never_looser_than_the_fixed_ones() -> None:
    counts, contrasts, unevennesses = draw_measures()
    counts[:300] = 0
    for share in (1.0, 0.4, 0.1):
        config = ClusterConfig(keep_share=share)
        found = calibrate_exclusion(counts, contrasts, unevennesses, config)
        assert found.config.min_nuclei >= config.min_nuclei
        assert found.config.min_contrast >= config.min_contrast
        assert found.config.max_unevenness <= config.max_unevenness
    # Of 500, 200 pass the fixed limits, which is less than the share.
    config = ClusterConfig(keep_share=0.9)
    found = calibrate_exclusion(counts, contrasts, unevennesses, config)
    assert (found.config, found.share) == (config, 0.4)


def test_without_a_share_the_fixed_limits_stay() -> None:
    found = calibrate_exclusion([9, 4, 9], [0.5] * 3, [0.1] * 3, ClusterConfig())
    assert (found.config, found.kept, found.patches) == (ClusterConfig(), 2, 3)


def test_limits_by_hand() -> None:
    # Ranked alike in all three, so that each rank drops one patch more.
    counts, contrasts = [10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4]
    unevennesses = [0.4, 0.3, 0.2, 0.1]
    config = ClusterConfig(keep_share=0.5)
    found = calibrate_exclusion(counts, contrasts, unevennesses, config)
    limits = found.config
    assert (limits.min_nuclei, limits.min_contrast) == (30, 0.3)
    assert (limits.max_unevenness, found.kept) == (0.2, 2)


def test_patches_that_are_all_alike_stay_together() -> None:
    config = ClusterConfig(keep_share=0.44)
    found = calibrate_exclusion([9] * 7, [0.5] * 7, [0.1] * 7, config)
    assert found.share == 1.0


def test_the_order_of_the_patches_does_not_change_the_limits() -> None:
    measures = draw_measures()
    order = np.random.default_rng(1).permutation(len(measures[0]))
    counts, contrasts, unevennesses = (values[order] for values in measures)
    config = ClusterConfig(keep_share=0.44)
    shuffled = calibrate_exclusion(counts, contrasts, unevennesses, config)
    assert shuffled == calibrate_exclusion(*measures, config)


def test_calibration_refuses_what_it_cannot_rank() -> None:
    config = ClusterConfig(keep_share=0.44)
    with pytest.raises(InputError, match="got 0. Add images"):
        calibrate_exclusion([], [], [], config)
    with pytest.raises(InputError, match="contrasts=nan.*at patch 1"):
        calibrate_exclusion([1, 2], [0.1, float("nan")], [0.1, 0.1], config)
    with pytest.raises(InputError, match=r"unevennesses with shape=\(1,\)"):
        calibrate_exclusion([1, 2], [0.1, 0.2], [0.1], config)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_without_meaning_is_refused(share: float) -> None:
    with pytest.raises(InputError, match=f"keep_share must .*got {share}. Use null"):
        ClusterConfig(keep_share=share)
