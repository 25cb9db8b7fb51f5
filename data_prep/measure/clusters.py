"""Patches by their nuclei: which of two clusters each is, and how real these are."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.config.measures import ClusterConfig
from data_prep.measure.exclusion import stack_columns
from gastric_keras.support.errors import InputError


@dataclasses.dataclass(frozen=True)
class Clustering:
    """Clusters of patches by (nuclei count, total nuclei area).

    Attributes:
        labels: (N,) int, cluster of each patch, in rising order of mean nuclear size
            over count: of two, cluster 1 has the fewer and larger nuclei, as in
            figure 5 of the paper.
        centers: (k, 2) float64: mean (count, area) of each cluster, in raw units.
        mean: (2,) float64: of (count, area) over all patches.
        std: (2,) float64: likewise; k-means ran on ``(features - mean) / std``.
    """

    labels: npt.NDArray[np.int64]
    centers: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]

    def assign(
        self, counts: npt.ArrayLike, areas: npt.ArrayLike
    ) -> npt.NDArray[np.int64]:
        """The nearest cluster of other patches, in the same scaling."""
        features = (_features(counts, areas) - self.mean) / self.std
        centers = (self.centers - self.mean) / self.std
        gaps = ((features[:, None] - centers[None]) ** 2).sum(axis=2)
        return gaps.argmin(axis=1).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class ClusterQuality:
    """How far the clusters are real.

    Attributes:
        silhouette: in [-1, 1], the higher the better (of 2,000 patches at most).
        davies_bouldin: at least 0, the lower the better.
        stability: mean adjusted Rand index against k-means from other seeds; 1 is
            always the same clusters.
        sizes: number of patches in each cluster.
    """

    silhouette: float
    davies_bouldin: float
    stability: float
    sizes: tuple[int, ...]


def cluster_patches(
    counts: npt.ArrayLike,
    areas: npt.ArrayLike,
    config: ClusterConfig = ClusterConfig(),
) -> Clustering:
    """k-means of the patches by nuclei count and total nuclei area.

    Both are scaled to mean 0 and deviation 1 first, since an area in px² would drown
    the count: our choice, the paper says nothing of a scaling. The same patches give
    the same clusters in any order.

    Args:
        counts: (N,) number of nuclei in each patch.
        areas: (N,) their total area, px² or µm².
        config: k and the starts of k-means.

    Returns:
        Labels in the order of the patches, centers and scaling.

    Raises:
        InputError: fewer different patches than clusters, a value that is not
            finite, or lengths that differ.

    References:
        Qu et al., J. Healthc. Eng. 2018, doi:10.1155/2018/8961781.
    """
    features = _features(counts, areas)
    distinct = len(np.unique(features, axis=0))
    if distinct < config.clusters:
        raise InputError(
            f"The patches must differ in at least {config.clusters} ways, one per "
            f"cluster, got {len(features)} patches, {distinct} different. Add "
            "images, or relax the exclusion rule."
        )
    mean, std = features.mean(axis=0), features.std(axis=0)
    # A feature that never changes says nothing, and must not divide by 0.
    std = np.where(std > 0, std, 1.0)
    found = _kmeans((features - mean) / std, config, seed=config.seed)
    centers = np.stack(
        [features[found == i].mean(axis=0) for i in range(found.max() + 1)]
    )
    order = _by_nucleus_size(centers)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Clustering(
        labels=rank[found].astype(np.int64), centers=centers[order], mean=mean, std=std
    )


def measure_quality(
    counts: npt.ArrayLike,
    areas: npt.ArrayLike,
    clustering: Clustering,
    *,
    config: ClusterConfig = ClusterConfig(),
    seeds: int = 20,
) -> ClusterQuality:
    """Silhouette, Davies-Bouldin index and stability over seeds.

    Args:
        counts: (N,) as given to `cluster_patches`.
        areas: (N,) likewise.
        clustering: its result for them.
        config: the one it was made with.
        seeds: number of other seeds to compare with, one start each.

    Returns:
        The figures.

    Raises:
        InputError: fewer than three patches, or values that are not finite.
    """
    from sklearn import metrics

    features = _features(counts, areas)
    if len(features) <= len(clustering.centers):
        raise InputError(
            "There must be more patches than clusters, "
            f"got {len(features)} patches. Add images."
        )
    scaled = (features - clustering.mean) / clustering.std
    single = dataclasses.replace(config, restarts=1)
    agreements = [
        metrics.adjusted_rand_score(
            clustering.labels, _kmeans(scaled, single, seed=config.seed + 1 + i)
        )
        for i in range(seeds)
    ]
    sample = min(len(scaled), 2000)
    return ClusterQuality(
        silhouette=float(
            metrics.silhouette_score(
                scaled, clustering.labels, sample_size=sample, random_state=config.seed
            )
        ),
        davies_bouldin=float(metrics.davies_bouldin_score(scaled, clustering.labels)),
        stability=float(np.mean(agreements)),
        sizes=tuple(np.bincount(clustering.labels).tolist()),
    )


def _kmeans(
    scaled: npt.NDArray[np.float64], config: ClusterConfig, *, seed: int
) -> npt.NDArray[np.int64]:
    from sklearn.cluster import KMeans

    # The starts are drawn by position: sorting frees them from the order of the files.
    order = np.lexsort(scaled.T)
    model = KMeans(config.clusters, n_init=config.restarts, random_state=seed)
    labels = np.empty(len(scaled), np.int64)
    labels[order] = model.fit_predict(scaled[order])
    return labels


def _by_nucleus_size(centers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    # Mean size over count: fewer and larger weigh alike, also where the clusters
    # differ in one of the two only.
    count, area = np.maximum(centers, 1e-9).T
    return np.argsort(area / count**2, kind="stable")


def _features(counts: npt.ArrayLike, areas: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return stack_columns(counts=counts, areas=areas)
