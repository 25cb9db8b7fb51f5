"""Which patches have nuclei that can be measured, by limits or by the share kept."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from data_prep.config.measures import ClusterConfig
from gastric_keras.support.errors import InputError, require

TOO_LITTLE_TISSUE = "too little tissue"


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
        N of "too few nuclei", "staining too pale", "staining too uneven", the first
        that holds; None for a patch that can be measured.

    Raises:
        InputError: lengths that differ, or a value that is not finite.
    """
    values = stack_columns(
        counts=counts, contrasts=contrasts, unevennesses=unevennesses
    )
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
    values = stack_columns(
        counts=counts, contrasts=contrasts, unevennesses=unevennesses
    )
    total = len(values)
    require(
        total > 0,
        "patches with tissue must be 1 or more",
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


def stack_columns(**measures: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Lists of equal length as the columns of a table.

    Args:
        **measures: name -> (N,) numbers; errors use the names.

    Returns:
        (N, number of lists) float64.

    Raises:
        InputError: lengths that differ, or a value that is not finite.
    """
    columns = {name: np.asarray(v, dtype=np.float64) for name, v in measures.items()}
    shapes = [column.shape for column in columns.values()]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        received = ", ".join(f"{k} with shape={v.shape}" for k, v in columns.items())
        raise InputError(
            f"There must be one of each of {', '.join(columns)} per patch, got "
            f"{received}. Give lists of equal length."
        )
    table = np.stack(list(columns.values()), axis=1)
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        first = ", ".join(f"{k}={v[bad[0]]}" for k, v in columns.items())
        raise InputError(
            f"Each of {', '.join(columns)} must be finite, got {first} at patch "
            f"{bad[0]} ({len(bad)} in all). Leave such patches out."
        )
    return table
