"""The labels of the nuclei set: every patch takes the number of its cluster."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import NucleiSetConfig
from data_prep.measure.clusters import cluster_patches, measure_quality
from data_prep.measure.exclusion import calibrate_exclusion, exclusion_reasons
from data_prep.measure.population import MEASURES
from data_prep.sets.found import Pictures
from gastric_keras.support.config_io import to_dict


def label_by_cluster(
    config: NucleiSetConfig, found: Pictures
) -> tuple[Pictures, dict[str, Any]]:
    """Cluster the patches that can be measured; the others are dropped, with reasons.

    Args:
        config: limits of the exclusion, and how the rest is clustered.
        found: the pictures, the nuclei of every patch measured.

    Returns:
        The pictures with their labels, and what the manifest says of the clusters.
    """
    measured = np.array([row for _, seen in found for row in seen.nuclei], float)
    counts, areas, contrasts, unevennesses = measured.T[:4]
    calibration = calibrate_exclusion(counts, contrasts, unevennesses, config.clusters)
    limits = calibration.config
    reasons = exclusion_reasons(counts, contrasts, unevennesses, limits)
    kept = np.array([reason is None for reason in reasons])
    if not kept.any():
        return _labeled(found, reasons, iter(())), {}
    features = np.stack([counts[kept], areas[kept]], axis=1)
    measures = measured[kept, 4:]
    if config.level_sources:
        owner = np.array([image.source for image, seen in found for _ in seen.refs])
        features = _leveled(features, owner[kept])
        measures = _leveled(measures, owner[kept])
    counts, areas = features.T
    clustering = cluster_patches(counts, areas, config=config.clusters)
    quality = measure_quality(counts, areas, clustering, config=config.clusters)
    numbers = {name: getattr(clustering, name) for name in ("centers", "mean", "std")}
    notes = {name: array.tolist() for name, array in numbers.items()}
    notes["quality"] = to_dict(quality)
    notes["limits"] = {
        name: getattr(limits, name)
        for name in ("min_nuclei", "min_contrast", "max_unevenness")
    }
    notes["share_kept"] = calibration.share
    labels = iter(clustering.labels.tolist())
    if config.task != "measures":
        return _labeled(found, reasons, labels), {"clustering": notes}
    standardized, scaling = _standardized(measures)
    labeled = _labeled(found, reasons, labels, iter(standardized.tolist()))
    return labeled, {"clustering": notes, "standardization": scaling}


def _standardized(
    measures: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], dict[str, dict[str, float]]]:
    """Measures (N, 7) to mean 0 and deviation 1, and the constants of each by name."""
    mean, std = measures.mean(axis=0), measures.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    scaling = {
        name: {"mean": float(middle), "std": float(spread)}
        for name, middle, spread in zip(MEASURES, mean, std, strict=True)
    }
    return (measures - mean) / std, scaling


def _labeled(
    found: Pictures,
    reasons: Sequence[str | None],
    labels: Iterator[int],
    quantities: Iterator[list[float]] | None = None,
) -> Pictures:
    reason_of = iter(reasons)
    labeled = []
    for image, seen in found:
        refs, dropped = [], Counter(seen.dropped)
        for ref in seen.refs:
            reason = next(reason_of)
            if reason is None:
                numbers = () if quantities is None else tuple(next(quantities))
                refs.append(ref._replace(label=next(labels), quantities=numbers))
            else:
                dropped[reason] += 1
        labeled.append(
            (image, dataclasses.replace(seen, refs=refs, dropped=dropped, nuclei=[]))
        )
    return labeled


def _leveled(
    features: npt.NDArray[np.float64], owner: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Features (N, k), each source moved to the mean and deviation of all."""
    leveled = features.copy()
    mean, std = features.mean(axis=0), features.std(axis=0)
    for source in set(owner.tolist()) if len(set(owner.tolist())) > 1 else ():
        rows = owner == source
        own = features[rows].std(axis=0)
        scale = std / np.where(own > 0, own, 1.0)
        leveled[rows] = (features[rows] - features[rows].mean(axis=0)) * scale + mean
    return leveled
