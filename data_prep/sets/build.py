"""The three sets: pictures → labeled patches → splits by case → records."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.engine import Engine, map_bundles
from data_prep.quality.measure import OVER_CAP
from data_prep.quality.page import write_quality
from data_prep.sets import splits
from data_prep.sets.balance import tell_balance
from data_prep.sets.caps import cap_plan
from data_prep.sets.found import (
    Found,
    LookAtParts,
    Pictures,
    assumed,
    joined,
    read_found,
)
from data_prep.sets.kinds import NUCLEI, TARGET, TISSUE, SetKind
from data_prep.sets.plan import PlannedImage, count_patches, plan_images
from data_prep.sets.scale import count_not_square, tell_scales
from data_prep.sets.spool import CutPatches
from data_prep.sets.tfds import write_tfds_metadata
from data_prep.sets.told import tell_assumed, tell_maps
from data_prep.sets.unfinished import identity_of, unfinished
from data_prep.sets.view import parts_of
from data_prep.sets.writer import SET_NAME, check_out, take_name, write_set
from data_prep.sources.pictures import ImageSource, read_sources
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.manifest import Manifest
from gastric_keras.support.config_io import to_dict
from gastric_keras.support.errors import InputError
from gastric_keras.support.streams import warn


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """How a build runs; a set that is built has the same bytes under all of them.

    Attributes:
        engine: where the work is done.
        strict: a picture that cannot be used is an error, not set aside.
        force: replace a finished set.
        allow_ungrouped: each picture of unknown case is its own case.
    """

    engine: Engine = Engine()
    strict: bool = False
    force: bool = False
    allow_ungrouped: bool = False


def build_tissue_set(
    config: TissueSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level tissue set: patches labeled by region maps.

    See :func:`build_set` for arguments, result and errors.
    """
    return build_set(TISSUE, config, out, options=options)


def build_target_set(
    config: TargetSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the target set: pictures labeled by an expert, whole or in a grid.

    See :func:`build_set` for arguments, result and errors.
    """
    return build_set(TARGET, config, out, options=options)


def build_nuclei_set(
    config: NucleiSetConfig, out: Path | str, *, options: BuildOptions = BuildOptions()
) -> Manifest:
    """Build the mid-level nuclei set: patches clustered by their nuclei, no labels.

    The limits of the exclusion, the centers, the scaling and the quality of the
    clusters go into the manifest's config under ``clustering``. See
    :func:`build_set` for the rest.
    """
    return build_set(NUCLEI, config, out, options=options)


def build_set(
    kind: SetKind,
    config: SetConfig,
    out: Path | str,
    *,
    options: BuildOptions = BuildOptions(),
) -> Manifest:
    """Build a set of one of ``kinds.KINDS``.

    Killed and called again with the same arguments, it resumes.

    Args:
        kind: of the set.
        config: sources, classes and rules, of the kind's schema.
        out: folder of the set, made at the very end.
        options: how the build runs.

    Returns:
        The manifest as written.

    Raises:
        InputError: anything in the config or the data that the user can fix.
    """
    check_out(out, force=options.force)
    ledger = Ledger()
    sources = read_sources(
        config, kind.need, allow_ungrouped=options.allow_ungrouped, ledger=ledger
    )
    if kind.check is not None:
        kind.check(config, sources)
    with unfinished(out, identity_of(kind.name, to_dict(config), sources)) as work:
        look = LookAtParts(kind.find, config, options.strict)
        title = f"{kind.name}: looking at images"
        found, set_aside = _look(look, sources, title, work, options.engine)
        tell_maps(config, found, ledger)
        _require_patches(found, set_aside)
        tell_assumed(found, ledger)
        notes: dict[str, Any] = {}
        if kind.label is not None:
            found, notes = kind.label(config, found)
            _require_patches(found, set_aside)
        plan, dropped = _plan(config, found, ledger)
        tell_balance(plan, config.classes, ledger, is_mid_level=kind.is_mid_level)
        notes |= _notes(config, found, plan)
        before = _draft(
            kind, config, found, dropped=dropped, set_aside=set_aside, notes=notes
        )
        manifest = write_set(
            plan,
            before,
            work,
            cut=CutPatches(config.stored_size, config.max_pixels, config.normalization),
            records_per_shard=config.records_per_shard,
            engine=options.engine,
            ledger=ledger,
        )
        write_tfds_metadata(work / SET_NAME, manifest)
        if kind.is_mid_level:
            for warning in write_quality(work / SET_NAME):
                warn(warning)
        take_name(work, out)
    return manifest


def _draft(
    kind: SetKind,
    config: SetConfig,
    found: Pictures,
    *,
    dropped: dict[str, int],
    set_aside: dict[str, str],
    notes: dict[str, Any],
) -> Manifest:
    """The manifest before anything is written; the writer fills in what it counts."""
    return Manifest(
        dataset=kind.name,
        classes=config.classes,
        counts={},
        cases={},
        patch_size=0,
        mpp=0.0,
        dropped=dropped,
        config=to_dict(config) | notes,
        shards=(),
        subsets=config.subsets,
        set_aside=set_aside,
        is_grouped=all(image.is_grouped for image, _ in found),
        quantities=kind.quantities(config) if kind.quantities else (),
    )


def _look(
    look: LookAtParts,
    sources: Sequence[ImageSource],
    title: str,
    work: Path,
    engine: Engine,
) -> tuple[Pictures, dict[str, str]]:
    """Pass 1: light references to patches, and the pictures set aside with reasons."""
    parts = [part for image in sources for part in parts_of(look.config, image)]
    found: dict[str, tuple[ImageSource, Found]] = {}
    set_aside: dict[str, str] = {}
    bundles = map_bundles(look, parts, work / "found", title=title, engine=engine)
    for bundle, path in bundles:
        for part, seen in zip(bundle, read_found(path)):
            name = part.image.image_id
            if isinstance(seen, str):
                if look.strict:
                    raise InputError(seen)
                set_aside[name] = seen
            elif name in found:
                found[name] = (part.image, joined(found[name][1], seen))
            else:
                found[name] = (part.image, seen)
    # A slide of which a part cannot be read is left out whole.
    kept = [entry for name, entry in found.items() if name not in set_aside]
    return kept, set_aside


def _plan(
    config: SetConfig, found: Pictures, ledger: Ledger
) -> tuple[list[PlannedImage], dict[str, int]]:
    """Splits by case and caps: the patches to cut; and how many others, by reason."""
    planned = plan_images(config, found)
    source_of_case = {image.case_id: image.source for image, _ in found}
    plan = cap_plan(
        planned,
        config.max_per_class,
        source_of_case=source_of_case if config.even_sources else None,
    )
    _check_counts(config, found, plan)
    tell_scales(config, found, ledger)
    dropped = _dropped(found)
    dropped[OVER_CAP] = _size(planned) - _size(plan)
    return plan, dict(sorted((+dropped).items()))


def _notes(
    config: SetConfig, found: Pictures, plan: Sequence[PlannedImage]
) -> dict[str, Any]:
    """What of the pictures goes into the manifest's config."""
    notes: dict[str, Any] = {}
    if config.normalization is not None:
        notes["not_normalized"] = [
            image.image_id for image, seen in found if not seen.is_normalized
        ]
    if of_pixels := assumed(found):
        notes["assumed"] = of_pixels
    if squeezed := count_not_square(found):
        notes["not_square"] = squeezed
    # The config has the side that most pictures share; here are the others.
    notes["sides"] = {
        image.image_id: image.patch_size
        for image in plan
        if image.patch_size != config.patch_size
    }
    return notes


def _dropped(found: Pictures) -> Counter[str]:
    return sum((seen.dropped for _, seen in found), Counter[str]())


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


def _require_patches(found: Pictures, set_aside: dict[str, str]) -> None:
    if any(seen.refs for _, seen in found):
        return
    dropped = _dropped(found).most_common()
    reasons = [f"{reason}: {number}" for reason, number in dropped]
    for name, reason in list(set_aside.items())[:1]:
        reasons.append(f"images set aside: {len(set_aside)}, first {name}: {reason}")
    raise InputError(
        "At least one patch must pass every rule, got none "
        f"({'; '.join(reasons)}). Relax the rules or patch_size in the config."
    )
