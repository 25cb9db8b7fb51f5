"""The three sets: pictures → labeled patches → splits by case → records."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep import splits
from data_prep.annotations import class_number
from data_prep.clusters import cluster_patches, measure_quality
from data_prep.config import (
    NucleiSetConfig,
    SetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.engine import map_images
from data_prep.labeling import (
    Found,
    find_nuclei,
    find_target,
    find_tissue,
    patch_size,
    scale_of,
)
from data_prep.sources import ImageSource, read_sources
from data_prep.writer import (
    CutPatches,
    PlannedImage,
    check_out,
    count_patches,
    write_set,
)
from gastric_keras.config_io import to_dict
from gastric_keras.errors import InputError
from gastric_keras.records import Manifest, first_ranked

OVER_CAP = "over max_per_class"

#: The pictures that could be used, with what pass 1 found in each.
Pictures = list[tuple[ImageSource, Found]]


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How a build runs; a set that is built has the same bytes under all of them.

    Attributes:
        workers: processes; None takes all cores.
        strict: a picture that cannot be used is an error, not set aside.
        force: replace a finished set.
        allow_ungrouped: pictures of unknown case are cases of their own.
    """

    workers: int | None = None
    strict: bool = False
    force: bool = False
    allow_ungrouped: bool = False


def build_tissue_set(
    config: TissueSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level tissue set: patches labeled by region maps.

    Args:
        config: sources, classes and rules.
        out: folder of the set, made at the very end.
        options: how the build runs.

    Returns:
        The manifest as written.

    Raises:
        InputError: anything in the config or the data that the user can mend.
    """
    check_out(out, force=options.force)
    sources = read_sources(
        config, "annotation", allow_ungrouped=options.allow_ungrouped
    )
    for source in config.sources:
        if not patch_size(config, source):
            raise InputError(
                "A patch size was expected, since a whole picture shows several "
                f"tissues. Received: images={source.images}, patch_size=0. Give px."
            )
    found, set_aside = _look(sources, partial(find_tissue, config), "tissue", options)
    return _finish("tissue", config, found, set_aside, out=out, options=options)


def build_target_set(
    config: TargetSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the target set: pictures labeled by an expert, whole or in a grid.

    See :func:`build_tissue_set` for arguments, result and errors.
    """
    check_out(out, force=options.force)
    sources = read_sources(config, "label", allow_ungrouped=options.allow_ungrouped)
    _check_labels(config, sources)
    found, set_aside = _look(sources, partial(find_target, config), "target", options)
    return _finish("target", config, found, set_aside, out=out, options=options)


def build_nuclei_set(
    config: NucleiSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level nuclei set: patches clustered by their nuclei, no labels.

    The centers, the scaling and the quality of the clusters go into the manifest's
    config under ``clustering``. See :func:`build_tissue_set` for the rest.
    """
    check_out(out, force=options.force)
    sources = read_sources(config, "nothing", allow_ungrouped=options.allow_ungrouped)
    found, set_aside = _look(sources, partial(find_nuclei, config), "nuclei", options)
    _require_patches(found, set_aside)
    features = np.array([row for _, seen in found for row in seen.nuclei], float)
    if config.level_sources:
        owner = np.array([image.source for image, seen in found for _ in seen.refs])
        features = _leveled(features, owner)
    counts, areas = features.T
    clustering = cluster_patches(counts, areas, config=config.clusters)
    quality = measure_quality(counts, areas, clustering, config=config.clusters)
    labels = iter(clustering.labels.tolist())
    labeled = [
        (
            image,
            Found(
                [ref._replace(label=next(labels)) for ref in seen.refs], seen.dropped
            ),
        )
        for image, seen in found
    ]
    numbers = {name: getattr(clustering, name) for name in ("centers", "mean", "std")}
    notes = {name: array.tolist() for name, array in numbers.items()}
    return _finish(
        "nuclei",
        config,
        labeled,
        set_aside,
        out=out,
        options=options,
        notes={"clustering": notes | {"quality": to_dict(quality)}},
    )


def _leveled(
    features: npt.NDArray[np.float64], owner: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Counts and areas (N, 2), each source moved to the mean and deviation of all."""
    leveled = features.copy()
    mean, std = features.mean(axis=0), features.std(axis=0)
    for source in set(owner.tolist()) if len(set(owner.tolist())) > 1 else ():
        rows = owner == source
        own = features[rows].std(axis=0)
        scale = std / np.where(own > 0, own, 1.0)
        leveled[rows] = (features[rows] - features[rows].mean(axis=0)) * scale + mean
    return leveled


def _look(
    sources: Sequence[ImageSource],
    find: Callable[[ImageSource], Found],
    dataset: str,
    options: BuildOptions,
) -> tuple[Pictures, dict[str, str]]:
    """Pass 1: light references to patches, and the pictures set aside with reasons."""
    set_aside: dict[str, str] = {}

    def note(image: ImageSource, reason: str) -> None:
        set_aside[image.image_id] = reason

    found = map_images(
        find,
        sources,
        title=f"{dataset}: looking at images",
        workers=options.workers,
        on_unusable=None if options.strict else note,
    )
    return list(found), set_aside


def _finish(
    dataset: str,
    config: SetConfig,
    found: Pictures,
    set_aside: dict[str, str],
    *,
    out: Path | str,
    options: BuildOptions,
    notes: dict[str, Any] | None = None,
) -> Manifest:
    """Splits by case, caps, checks, and pass 2."""
    _require_patches(found, set_aside)
    planned = _plan(config, found)
    plan = _capped(planned, config.max_per_class)
    _check_counts(config, found, plan)
    dropped = sum((seen.dropped for _, seen in found), Counter[str]())
    dropped[OVER_CAP] = _size(planned) - _size(plan)
    manifest = Manifest(
        dataset=dataset,
        classes=config.classes,
        counts={},
        cases={},
        patch_size=0,
        mpp=0.0,
        dropped=dict(sorted((+dropped).items())),
        config=to_dict(config) | (notes or {}),
        shards=(),
        subsets=config.subsets,
        set_aside=set_aside,
        is_grouped=all(image.is_grouped for image, _ in found),
    )
    return write_set(
        plan,
        manifest,
        out,
        cut=CutPatches(config.stored_size, config.max_pixels),
        map_images=partial(
            map_images, title=f"{dataset}: writing", workers=options.workers
        ),
        records_per_shard=config.records_per_shard,
        force=options.force,
    )


def _plan(config: SetConfig, found: Pictures) -> list[PlannedImage]:
    counts = splits.count_by_case(
        (image.case_id, ref.label) for image, seen in found for ref in seen.refs
    )
    split_of = splits.assign_splits(
        counts,
        config=config.splits,
        num_classes=len(config.classes),
        fixed={image.case_id: image.split for image, _ in found if image.split},
    )
    plan = []
    for image, seen in found:
        source = config.sources[image.source]
        if seen.refs:
            plan.append(
                PlannedImage(
                    path=image.path,
                    image_id=image.image_id,
                    case_id=image.case_id,
                    split=split_of[image.case_id],
                    patch_size=patch_size(config, source),
                    mpp=scale_of(config, source),
                    refs=tuple(seen.refs),
                )
            )
    return plan


def _capped(
    plan: Sequence[PlannedImage], max_per_class: dict[str, int]
) -> list[PlannedImage]:
    keys: dict[tuple[str, int], list[str]] = defaultdict(list)
    for image in plan:
        for ref in image.refs:
            keys[image.split, ref.label].append(image.key(ref))
    kept = {
        (split, label): first_ranked(names, max_per_class[split])
        for (split, label), names in keys.items()
        if split in max_per_class
    }
    capped = []
    for image in plan:
        if image.split in max_per_class:
            stay = [r for r in image.refs if image.key(r) in kept[image.split, r.label]]
            image = dataclasses.replace(image, refs=tuple(stay))
        if image.refs:
            capped.append(image)
    return capped


def _size(plan: Sequence[PlannedImage]) -> int:
    return sum(len(image.refs) for image in plan)


def _check_counts(
    config: SetConfig, found: Pictures, plan: Sequence[PlannedImage]
) -> None:
    given = [image.split for image, seen in found if seen.refs]
    counts: dict[str, dict[str, int]] = {
        split: {} for split in splits.wanted_splits(config.splits, given)
    }
    counts |= count_patches(plan, config.classes)
    splits.check_splits(counts, classes=config.classes)
    splits.check_subsets(config.subsets, counts.get("train", {}))
    if config.stored_size is None and len({image.mpp for image in plan}) > 1:
        print(
            "Warning: the sources differ in mpp and stored_size is null: patches of "
            "equal side show unequal areas.",
            file=sys.stderr,
        )


def _check_labels(config: TargetSetConfig, sources: Sequence[ImageSource]) -> None:
    """Refuse unknown and empty classes before a picture is opened."""
    numbers: Counter[int] = Counter()
    for image in sources:
        labels = {**config.labels, **config.sources[image.source].labels}
        try:
            numbers[class_number(image.label or "", config.classes, labels)] += 1
        except InputError as error:
            raise InputError(f"{image.path}: {error}") from error
    empty = [n for i, n in enumerate(config.classes, start=1) if not numbers[i]]
    if empty:
        raise InputError(
            f"Pictures of every class of {', '.join(config.classes)} were expected. "
            f"Received: none of {', '.join(empty)}. Add some, or mend classes and "
            "labels in the config."
        )


def _require_patches(found: Pictures, set_aside: dict[str, str]) -> None:
    if any(seen.refs for _, seen in found):
        return
    dropped = sum((seen.dropped for _, seen in found), Counter[str]())
    reasons = [f"{reason}: {number}" for reason, number in dropped.most_common()]
    for name, reason in list(set_aside.items())[:1]:
        reasons.append(f"images set aside: {len(set_aside)}, first {name}: {reason}")
    raise InputError(
        "At least one patch that passes every rule was expected. Received: none kept "
        f"({'; '.join(reasons)}). Relax the rules or patch_size in the config."
    )


#: What each command builds with.
BUILDERS: dict[str, Callable[..., Manifest]] = {
    "tissue": build_tissue_set,
    "nuclei": build_nuclei_set,
    "target": build_target_set,
}
