"""Patches by their nuclei: which can be measured, and which of two clusters each is."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.measure_config import ClusterConfig
from data_prep.nuclei import NucleiMeasurement
from gastric_keras.errors import InputError, require

TOO_LITTLE_TISSUE = "too little tissue"


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


@dataclasses.dataclass(frozen=True)
class Calibration:
    """An exclusion rule, and what it keeps.

    Attributes:
        config: with the limits as tightened.
        kept: number of patches that stay.
        patches: number of patches with tissue that it was calibrated on.
    """

    config: ClusterConfig
    kept: int
    patches: int

    @property
    def share(self) -> float:
        """Part of the patches with tissue that stay, in [0, 1]."""
        return self.kept / self.patches


def exclusion_reason(
    measurement: NucleiMeasurement, config: ClusterConfig = ClusterConfig()
) -> str | None:
    """Why a patch is left out of the mid-level set, or None to keep it.

    Args:
        measurement: of the patch.
        config: the limits.

    Returns:
        One of "too little tissue", "too few nuclei", "staining too pale",
        "staining too uneven"; None for a patch that can be measured.
    """
    if measurement.tissue_fraction < config.min_tissue:
        return TOO_LITTLE_TISSUE
    return exclusion_reasons(
        [measurement.count], [measurement.contrast], [measurement.unevenness], config
    )[0]


def exclusion_reasons(
    counts: npt.ArrayLike,
    contrasts: npt.ArrayLike,
    unevennesses: npt.ArrayLike,
    config: ClusterConfig = ClusterConfig(),
) -> list[str | None]:
    """Why each patch with tissue is left out, or None to keep it.

    Args:
        counts: (N,) number of nuclei in each patch.
        contrasts: (N,) mean hematoxylin of the nuclei above that of the rest.
        unevennesses: (N,) deviation of the hematoxylin of the nuclei over its mean.
        config: the limits.

    Returns:
        N reasons as of `exclusion_reason`, the first that holds.

    Raises:
        InputError: lengths that differ, or a value that is not finite.
    """
    values = _columns(counts=counts, contrasts=contrasts, unevennesses=unevennesses)
    number, contrast, unevenness = values.T
    reasons = np.full(len(values), None, dtype=object)
    # In reverse, so that the first reason is the one that stays.
    reasons[unevenness > config.max_unevenness] = "staining too uneven"
    reasons[contrast < config.min_contrast] = "staining too pale"
    reasons[number < config.min_nuclei] = "too few nuclei"
    return list(reasons)


def calibrate_exclusion(
    counts: npt.ArrayLike,
    contrasts: npt.ArrayLike,
    unevennesses: npt.ArrayLike,
    config: ClusterConfig,
) -> Calibration:
    """Tighten the limits together until ``config.keep_share`` of the patches stay.

    The paper leaves out patches with too few nuclei or too uneven a stain and gives
    no limits, but says how many stay: 14,129 of 48,000. Here all three limits stand
    at the same rank of their own distribution, the k-th worst patch, and k is found
    by bisection, since the share that stays falls with it. No limit gets looser than
    the config's own.

    Args:
        counts: (N,) of every patch with tissue, as for `exclusion_reasons`.
        contrasts: (N,) likewise.
        unevennesses: (N,) likewise.
        config: the loosest limits, and the share.

    Returns:
        The limits and how many patches they keep: as near to the share as ties
        allow, the larger of two equally near. Where the config's own limits keep no
        more than the share, or keep_share is None, they stay.

    Raises:
        InputError: no patches, lengths that differ, or a value that is not finite.

    References:
        Qu et al., J. Healthc. Eng. 2018, doi:10.1155/2018/8961781.
    """
    values = _columns(counts=counts, contrasts=contrasts, unevennesses=unevennesses)
    total = len(values)
    require(
        total > 0,
        "Patches with tissue were expected.",
        "Add images, or lower clusters.min_tissue.",
        patches=total,
    )
    # Higher is better in all three columns, and the k-th worst is row k.
    goodness = values * np.array([1.0, 1.0, -1.0])
    ranks = np.sort(goodness, axis=0)
    loosest = np.array([config.min_nuclei, config.min_contrast, -config.max_unevenness])

    def limits_at(rank: int) -> npt.NDArray[np.float64]:
        # Every patch passes the worst of its own kind: rank 0 is the config's limits.
        return np.maximum(ranks[rank], loosest) if rank else loosest

    def kept_at(rank: int) -> int:
        return int((goodness >= limits_at(rank)).all(axis=1).sum())

    def adopt(limits: npt.NDArray[np.float64], kept: int) -> Calibration:
        tightened = dataclasses.replace(
            config,
            min_nuclei=int(limits[0]),
            min_contrast=float(limits[1]),
            max_unevenness=float(-limits[2]),
        )
        return Calibration(tightened, kept, total)

    if config.keep_share is None:
        return adopt(loosest, kept_at(0))
    wanted = config.keep_share * total
    # The last rank that keeps at least what is wanted, and the one after it.
    low, high = 0, total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept_at(middle) >= wanted else (low, middle)
    near = [low] if high == total else [low, high]
    best = min(near, key=lambda rank: abs(kept_at(rank) - wanted))
    return adopt(limits_at(best), kept_at(best))


def cluster_patches(
    counts: npt.ArrayLike,
    areas: npt.ArrayLike,
    config: ClusterConfig = ClusterConfig(),
) -> Clustering:
    """k-means of the patches by nuclei count and total nuclei area.

    Both are scaled to mean 0 and deviation 1 first, as the paper does, since an area
    in px² would drown the count. The same patches give the same clusters in any
    order.

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
            f"At least {config.clusters} patches that differ were expected, one a "
            f"cluster. Received: {len(features)} patches, {distinct} different. Add "
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
            "More patches than clusters were expected. "
            f"Received: {len(features)} patches. Add images."
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
    return _columns(counts=counts, areas=areas)


def _columns(**measures: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """(N, columns) float64 of lists that must be finite and of equal length."""
    columns = {name: np.asarray(v, dtype=np.float64) for name, v in measures.items()}
    shapes = [column.shape for column in columns.values()]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        received = ", ".join(f"{k} with shape={v.shape}" for k, v in columns.items())
        raise InputError(
            f"One of each of {', '.join(columns)} a patch was expected. Received: "
            f"{received}. Give lists of equal length."
        )
    table = np.stack(list(columns.values()), axis=1)
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        first = ", ".join(f"{k}={v[bad[0]]}" for k, v in columns.items())
        raise InputError(
            f"Finite {', '.join(columns)} were expected. Received: {first} at patch "
            f"{bad[0]} ({len(bad)} in all). Leave such patches out."
        )
    return table
