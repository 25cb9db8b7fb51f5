"""What two sides hold and share, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.leaks.find import Contents, Leak


def describe_contents(contents: Sequence[Contents]) -> str:
    """One line for each side that was compared, and how many flat patches it holds."""
    return "\n".join(
        f"compared: {side}: {len(side.patches.keys)} patches of "
        f"{len(side.keys['case'])} cases and {len(side.keys['image'])} images; "
        f"{int(side.patches.pictures.is_flat.sum())} flat, left out of perceptual"
        for side in contents
    )


def describe_leaks(leaks: Sequence[Leak]) -> str:
    """One line for each leak, with examples; or that there is none."""
    if not leaks:
        return "No leak: no case, image, overlap, equal or similar patch on two sides."
    return "\n".join(
        f"LEAK: {leak.first} and {leak.second} share {leak.count} × {leak.kind}: "
        + "; ".join(leak.examples)
        + ("; …" if leak.count > len(leak.examples) else "")
        for leak in leaks
    )
