"""What is told of the pictures of a set: how they were read, what was assumed."""

from __future__ import annotations

from collections import Counter

from data_prep.sets.found import Pictures, assumed
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.streams import warn

#: Warnings about pictures that are printed one by one.
_MAX_WARNINGS = 20


def tell_assumed(found: Pictures, ledger: Ledger) -> None:
    """What was assumed of the pixels, each thing once, with the number of pictures."""
    for note, images in assumed(found).items():
        ledger.assumed[f"pictures: {note}"] += len(images)
        ledger.warn(
            f"{len(images)} picture{'s' * (len(images) > 1)}: {note}; first "
            f"{images[0]}."
        )


def tell_outlines(found: Pictures, ledger: Ledger) -> None:
    """How outlines were used, and what is probably wrong with the pictures."""
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
