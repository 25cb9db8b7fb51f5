"""The three sets: pictures → labeled patches → splits by case → records."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.engine import Engine, map_bundles
from data_prep.measure.clusters import cluster_patches, measure_quality
from data_prep.measure.exclusion import calibrate_exclusion, exclusion_reasons
from data_prep.quality.measure import OVER_CAP
from data_prep.quality.page import write_quality
from data_prep.sets import splits
from data_prep.sets.caps import cap_plan
from data_prep.sets.look import (
    Found,
    LookAtParts,
    Part,
    find_nuclei,
    find_target,
    find_tissue,
    joined,
    parts_of,
    read_found,
)
from data_prep.sets.tfds import write_tfds_metadata
from data_prep.sets.unfinished import identity_of, unfinished
from data_prep.sets.writer import (
    SET_NAME,
    CutPatches,
    PlannedImage,
    check_out,
    count_patches,
    take_name,
    write_set,
)
from data_prep.sources.pictures import ImageSource, Need, read_sources
from data_prep.sources.region_maps import class_number
from gastric_keras.records.manifest import Manifest
from gastric_keras.support.config_io import to_dict
from gastric_keras.support.errors import InputError

#: The pictures that could be used, with what pass 1 found in each.
Pictures = list[tuple[ImageSource, Found]]


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How a build runs; a set that is built has the same bytes under all of them.

    Attributes:
        engine: where the work is done.
        strict: a picture that cannot be used is an error, not set aside.
        force: replace a finished set.
        allow_ungrouped: pictures of unknown case are cases of their own.
    """

    engine: Engine = Engine()
    strict: bool = False
    force: bool = False
    allow_ungrouped: bool = False


def build_tissue_set(
    config: TissueSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level tissue set: patches labeled by region maps.

    Killed and called again with the same arguments, it goes on where it stood.

    Args:
        config: sources, classes and rules.
        out: folder of the set, made at the very end.
        options: how the build runs.

    Returns:
        The manifest as written.

    Raises:
        InputError: anything in the config or the data that the user can mend.
    """
    return _build("tissue", config, out, "annotation", find_tissue, options)


def build_target_set(
    config: TargetSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the target set: pictures labeled by an expert, whole or in a grid.

    See :func:`build_tissue_set` for arguments, result and errors.
    """
    return _build("target", config, out, "label", find_target, options)


def build_nuclei_set(
    config: NucleiSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level nuclei set: patches clustered by their nuclei, no labels.

    The limits of the exclusion, the centers, the scaling and the quality of the
    clusters go into the manifest's config under ``clustering``. See
    :func:`build_tissue_set` for the rest.
    """
    return _build("nuclei", config, out, "nothing", find_nuclei, options)


def _build(
    dataset: str,
    config: SetConfig,
    out: Path | str,
    need: Need,
    find: Callable[[Any, Part], Found],
    options: BuildOptions,
) -> Manifest:
    check_out(out, force=options.force)
    sources = read_sources(config, need, allow_ungrouped=options.allow_ungrouped)
    if isinstance(config, TargetSetConfig):
        _check_labels(config, sources)
    with unfinished(out, identity_of(dataset, to_dict(config), sources)) as work:
        found, set_aside = _look(
            sources, LookAtParts(find, config, options.strict), dataset, work, options
        )
        notes: dict[str, Any] = {}
        if isinstance(config, NucleiSetConfig):
            _require_patches(found, set_aside)
            found, notes = _clustered(config, found)
        manifest = _finish(
            dataset, config, found, set_aside, work=work, options=options, notes=notes
        )
        write_tfds_metadata(work / SET_NAME, manifest)
        if dataset != "target":
            for warning in write_quality(work / SET_NAME):
                print(f"Warning: {warning}", file=sys.stderr)
        take_name(work, out)
    return manifest


def _clustered(
    config: NucleiSetConfig, found: Pictures
) -> tuple[Pictures, dict[str, Any]]:
    """The patches that can be measured, labeled by their cluster; and the notes."""
    measured = np.array([row for _, seen in found for row in seen.nuclei], float)
    counts, areas, contrasts, unevennesses = measured.T
    calibration = calibrate_exclusion(counts, contrasts, unevennesses, config.clusters)
    limits = calibration.config
    reasons = exclusion_reasons(counts, contrasts, unevennesses, limits)
    kept = np.array([reason is None for reason in reasons])
    if not kept.any():
        return _labeled(found, reasons, iter(())), {}
    features = np.stack([counts[kept], areas[kept]], axis=1)
    if config.level_sources:
        owner = np.array([image.source for image, seen in found for _ in seen.refs])
        features = _leveled(features, owner[kept])
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
    labeled = _labeled(found, reasons, iter(clustering.labels.tolist()))
    return labeled, {"clustering": notes}


def _labeled(
    found: Pictures, reasons: Sequence[str | None], labels: Iterator[int]
) -> Pictures:
    reason_of = iter(reasons)
    labeled = []
    for image, seen in found:
        refs, dropped = [], Counter(seen.dropped)
        for ref in seen.refs:
            reason = next(reason_of)
            if reason is None:
                refs.append(ref._replace(label=next(labels)))
            else:
                dropped[reason] += 1
        labeled.append(
            (image, dataclasses.replace(seen, refs=refs, dropped=dropped, nuclei=[]))
        )
    return labeled


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
    look: LookAtParts,
    dataset: str,
    work: Path,
    options: BuildOptions,
) -> tuple[Pictures, dict[str, str]]:
    """Pass 1: light references to patches, and the pictures set aside with reasons."""
    parts = [part for image in sources for part in parts_of(look.config, image)]
    found: dict[str, tuple[ImageSource, Found]] = {}
    set_aside: dict[str, str] = {}
    bundles = map_bundles(
        look,
        parts,
        work / "found",
        title=f"{dataset}: looking at images",
        engine=options.engine,
    )
    for bundle, path in bundles:
        for part, seen in zip(bundle, read_found(path)):
            name = part.image.image_id
            if isinstance(seen, str):
                if options.strict:
                    raise InputError(seen)
                set_aside[name] = seen
            elif name in found:
                found[name] = (part.image, joined(found[name][1], seen))
            else:
                found[name] = (part.image, seen)
    # A slide of which a part cannot be read is left out whole.
    kept = [entry for name, entry in found.items() if name not in set_aside]
    return kept, set_aside


def _finish(
    dataset: str,
    config: SetConfig,
    found: Pictures,
    set_aside: dict[str, str],
    *,
    work: Path,
    options: BuildOptions,
    notes: dict[str, Any],
) -> Manifest:
    """Splits by case, caps, checks, and pass 2."""
    _require_patches(found, set_aside)
    planned = _plan(config, found)
    plan = cap_plan(
        planned,
        config.max_per_class,
        source_of_case=(
            {image.case_id: image.source for image, _ in found}
            if config.even_sources
            else None
        ),
    )
    _check_counts(config, found, plan)
    dropped = sum((seen.dropped for _, seen in found), Counter[str]())
    dropped[OVER_CAP] = _size(planned) - _size(plan)
    if config.normalization is not None:
        notes["not_normalized"] = [
            image.image_id for image, seen in found if not seen.is_normalized
        ]
    # The side that most pictures share stands in the config; the others stand here.
    notes["sides"] = {
        image.image_id: image.patch_size
        for image in plan
        if image.patch_size != config.patch_size
    }
    manifest = Manifest(
        dataset=dataset,
        classes=config.classes,
        counts={},
        cases={},
        patch_size=0,
        mpp=0.0,
        dropped=dict(sorted((+dropped).items())),
        config=to_dict(config) | notes,
        shards=(),
        subsets=config.subsets,
        set_aside=set_aside,
        is_grouped=all(image.is_grouped for image, _ in found),
    )
    return write_set(
        plan,
        manifest,
        work,
        cut=CutPatches(config.stored_size, config.max_pixels, config.normalization),
        map_bundles=partial(
            map_bundles, title=f"{dataset}: writing", engine=options.engine
        ),
        records_per_shard=config.records_per_shard,
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
        if seen.refs:
            plan.append(
                PlannedImage(
                    path=image.path,
                    image_id=image.image_id,
                    case_id=image.case_id,
                    split=split_of[image.case_id],
                    patch_size=seen.side,
                    mpp=seen.mpp,
                    refs=tuple(seen.refs),
                )
            )
    return plan


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
