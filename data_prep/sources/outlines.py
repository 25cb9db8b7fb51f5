"""What a file of outlines holds: the outlines, and what was passed over by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outline:
    """One outline as the file gives it.

    Attributes:
        name: of its class; None where the file gives none.
        area: valid shapely Polygon or MultiPolygon, px as the file counts them.
        texts: what else the file calls it, such as QuPath's name of an object.
    """

    name: str | None
    area: Any
    texts: tuple[str, ...] = ()


@dataclass
class Outlines:
    """All outlines of a file.

    Attributes:
        outlines: those with an area, in file order, parents before their children.
        passed_over: kind -> number of what has no area or is no annotation.
        counts_from_bounds: whether the tool that wrote it counts from the bounds of
            the slide, as QuPath does, and not from its corner.
        mpp: µm per px that the file says it was drawn at; 0.0 where it does not.
    """

    outlines: list[Outline] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    counts_from_bounds: bool = False
    mpp: float = 0.0


def spell_counts(counts: Mapping[str, int]) -> str:
    """Kinds with their numbers: "3 detections, 1 line at z=2"."""
    return ", ".join(
        f"{number} {_plural(kind) if number != 1 else kind}"
        for kind, number in sorted(counts.items())
    )


def _plural(kind: str) -> str:
    noun, blank, rest = kind.partition(" ")
    return f"{noun}s{blank}{rest}"
