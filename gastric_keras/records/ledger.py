"""The ledger of a set: what was read, left out and assumed on the way to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gastric_keras.support.streams import warn


@dataclass
class Ledger:
    """Filled while a set is made; the manifest keeps it under ``config.ledger``.

    Attributes:
        read: what -> how many were read.
        left_out: what and why -> how many were left out.
        assumed: what was taken for granted -> how many times.
        warnings: what looks wrong, in words.
    """

    read: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    assumed: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Print a warning and keep it."""
        warn(text)
        self.warnings.append(text)

    def tree(self) -> dict[str, Any]:
        """Plain values for the manifest, in an order that does not change."""
        counts = {
            name: dict(sorted((+getattr(self, name)).items()))
            for name in ("read", "left_out", "assumed")
        }
        return {**counts, "warnings": list(self.warnings)}


def ledger_lines(config: Mapping[str, Any]) -> Iterator[str]:
    """The ledger of a manifest's config as lines; none where it has no ledger.

    Args:
        config: of the manifest.
    """
    ledger = config.get("ledger")
    # Of a damaged manifest the config may hold anything.
    parts = ledger if isinstance(ledger, dict) else {}
    for name in ("read", "left_out", "assumed"):
        counts = parts.get(name)
        for what, number in counts.items() if isinstance(counts, dict) else ():
            yield f"{name.replace('_', ' ')}: {number} × {what}"
    texts = parts.get("warnings")
    for text in texts if isinstance(texts, list) else ():
        yield f"warning: {text}"
