"""Names as people and spreadsheets write them: empty cells, near-equal names."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

#: Cells that say that nothing is known, in small letters.
_EMPTY = frozenset(
    """nan <na> na n/a n.a. n.a #n/a #na nat none null nil - -- --- – — ? ?? ??? . ..
    unknown missing undefined #ref! #value! #name? #null! #div/0! #num!""".split()
)
#: Columns too narrow for a number show this when a spreadsheet prints them.
_HASHES = re.compile(r"#+")
#: A long number as Excel rounds it: 1234567890123 becomes 1.23457E+12.
_ROUNDED = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d+")
#: A number that pandas or Excel made a float: 100.0.
_FLOAT = re.compile(r"((?:^|/)\d+)[.,]0+$")
#: Words, numbers, and marks that are no separator.
_PARTS = re.compile(r"[^\W\d_]+|\d+|[^\w\s\-‐-―−.,:;/\\#()\[\]]")


def clean(cell: str) -> str:
    """A cell without blanks and unseen characters around it, in Unicode's form NFC."""
    return unicodedata.normalize("NFC", cell.strip().strip("\u200b\ufeff").strip())


def is_empty_like(cell: str) -> bool:
    """Whether a cell says that nothing is known: blank, nan, NA, None, -, ?."""
    text = unicodedata.normalize("NFKC", clean(cell)).casefold()
    return not text or text in _EMPTY or _HASHES.fullmatch(text) is not None


def is_rounded(cell: str) -> bool:
    """Whether a cell is a long number that a spreadsheet rounded, as 1.23457E+12."""
    return _ROUNDED.fullmatch(unicodedata.normalize("NFKC", clean(cell))) is not None


def spelling_key(name: str) -> tuple[str, ...]:
    """What two spellings of one name share.

    Letter case, separators and blanks, leading zeros, a trailing ``.0``, unseen
    characters and Unicode's forms do not count: ``100``, ``0100`` and ``100.0`` are
    alike, and ``P 1``, ``p-01`` and ``P1``; ``1-1`` and ``11`` are not.
    """
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf")
    text = unicodedata.normalize("NFKC", seen).casefold().strip()
    parts = _PARTS.findall(_FLOAT.sub(r"\1", text))
    key = (p.lstrip("0") or "0" if p.isdecimal() else p for p in parts)
    return tuple(key) or (text,)


def near_equal(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of different names that only their spelling tells apart, in order."""
    groups: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name in names:
        groups[spelling_key(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def few(words: Iterable[str], most: int = 5) -> str:
    """The first of some words, separated by commas."""
    words = list(words)
    return ", ".join(words[:most]) + (", …" if len(words) > most else "")
