"""What pass 1 tells of the pictures and their region maps, for the ledger."""

from __future__ import annotations

from collections import Counter

from data_prep.config.sets import SetConfig
from data_prep.config.sources import SourceConfig
from data_prep.sets.found import Pictures, assumed
from data_prep.sources.class_names import IGNORE
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.streams import warn

#: Warnings about pictures that are printed one by one.
_MAX_WARNINGS = 20


def tell_assumed(found: Pictures, ledger: Ledger) -> None:
    """What was assumed of the pixels of pictures."""
    for note, images in assumed(found).items():
        ledger.assumed[f"pictures: {note}"] += len(images)
        ledger.warn(
            f"{len(images)} picture{'s' * (len(images) > 1)}: {note}; first "
            f"{images[0]}."
        )


def tell_maps(config: SetConfig, found: Pictures, ledger: Ledger) -> None:
    """How region maps were used, and what is probably wrong with the pictures."""
    for position, source in enumerate(config.sources):
        seen = [entry for image, entry in found if image.source == position]
        _tell_values(
            source, sum((entry.mask_values for entry in seen), Counter()), ledger
        )
    outlines = sum((seen.outlines for _, seen in found), Counter[str]())
    for use, number in outlines.items():
        is_out = use.startswith(("passed over", "mapped to ignore"))
        is_read = use in ("read", "hole")
        kind = ledger.read if is_read else ledger.assumed
        (ledger.left_out if is_out else kind)[f"outlines, {use}"] += number
    warnings = [warning for _, seen in found for warning in seen.warnings]
    for warning in warnings[:_MAX_WARNINGS]:
        ledger.warn(warning)
    if len(warnings) > _MAX_WARNINGS:
        more = len(warnings) - _MAX_WARNINGS
        warn(f"{more} more like these; manifest.json lists all")
        ledger.warnings += warnings[_MAX_WARNINGS:]


def _tell_values(source: SourceConfig, met: Counter[str], ledger: Ledger) -> None:
    """Count the pixels of label masks by value, and name values that none has."""
    if not met:
        return
    for value, name in source.mask_values.items():
        kind = ledger.left_out if name == IGNORE else ledger.read
        kind[f"pixels of label masks, value {value}: {name}"] += met[str(value)]
    absent = [
        f"{value} ({name})"
        for value, name in source.mask_values.items()
        if name != IGNORE and not met[str(value)]
    ]
    if absent:
        found = ", ".join(sorted(met, key=int))
        ledger.warn(
            f"no label mask of {source.annotations or source.images} has the "
            f"value{'s' * (len(absent) > 1)} {', '.join(absent)} of mask_values; "
            f"found: {found}."
        )
