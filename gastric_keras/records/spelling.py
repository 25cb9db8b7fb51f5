"""Names as people and spreadsheets write them: empty cells, near-equal names."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

#: Cells that say that nothing is known, in small letters.
_EMPTY = (
    frozenset(
        """nan na n/a n.a. n.a #n/a #na nat none null nil nul \\n - -- --- – — ? ?? ???
    . .. ... … _ __ * ** unknown unk missing undefined undef blank tbd tba
    todo n.d. nd. n.n. k.a. k.a unbekannt inconnu desconocido sconosciuto onbekend
    неизвестно 未知 不详 不明 无 不知 anonymous anonymized anonymised anonym
    #ref! #value! #name? #null! #div/0! #num! #calc! #spill!""".split()
    )
    | {"not available", "not known", "not applicable", "keine angabe", "no id", "nan.0"}
)
#: What may stand around such a word: <NA>, (blank), [null], "", =.
_AROUND = "<>()[]{}\"'`="
#: Columns too narrow for a number show this when a spreadsheet prints them.
_HASHES = re.compile(r"#+")
#: A long number as Excel rounds it: 1234567890123 becomes 1.23457E+12.
_ROUNDED = re.compile(r"[+-]?\d(?:(?:[.,]\d+)?[eE]\+\d+|[.,]\d+[eE]-\d+)")
#: A number that pandas or Excel made a float: 100.0.
_FLOAT = re.compile(r"((?:^|/)\d+)[.,]0+$")
#: The same with its thousands set apart: 1,234,567.
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,' ’])\d{3})(?:\1\d{3})*")
#: Public barcodes: what of them is the patient; sample, slide and aliquot follow.
_BARCODE = re.compile(
    r"((?:^|/)(?:tcga-\w\w-\w{4}|target-\d\d-\w{6}|gtex-\w{4,5}|c3[ln]-\d{5}))(?:-.+)"
)
#: Words, numbers, and marks that are no separator or quote.
_PARTS = re.compile(r"[^\W\d_]+|\d+|[^\w\s\-‐-―−.,:;/\\#()\[\]=\"'`´‘’“”]")
#: Letters that look alike -> one of them, in small letters: Cyrillic, Greek, Turkish.
_ALIKE = str.maketrans("авекмнорстухіјѕı", "abekmhopctyxijsi") | str.maketrans(
    "αβεικνορτυχζη", "abeikvoptuxzh"
)
#: Months as spreadsheets write them into cells such as 2-Jan: English, German, French.
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mär|mai|okt|dez|janv|févr|"
    r"mars|avr|juin|juil|août|sept|déc)[.]?"
)
_DATE = re.compile(
    rf"\d{{1,2}}[-. ]+{_MONTH}(?:[-. ]+\d{{2,4}})?|{_MONTH}[-. ]+\d{{1,4}}|"
    r"(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}(?:[ t]00:00(?::00)?(?:[.]0+)?)?|"
    r"\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d(?: 0?0:00(?::00)?)?"
)


def trim(cell: str) -> str:
    """A cell without blanks and unseen characters around it."""
    return cell.strip().strip("\u200b\ufeff").strip()


def clean(cell: str) -> str:
    """The same in Unicode's form NFC, in which equal words are equal."""
    return unicodedata.normalize("NFC", trim(cell))


def spelled(name: str) -> str:
    """A name as records and tables spell it: NFC, and what is not UTF-8 escaped."""
    data = name.encode("utf-8", "surrogateescape")
    return clean(data.decode("utf-8", "backslashreplace"))


def is_empty_like(cell: str) -> bool:
    """Whether a cell says that nothing is known: blank, nan, NA, None, -, ?."""
    text = unicodedata.normalize("NFKC", clean(cell)).casefold()
    core = text.strip(_AROUND).strip()
    # A pair of quotes or brackets with nothing in it; one alone may be a name.
    is_blank = not core and len(text) != 1
    return is_blank or core in _EMPTY or _HASHES.fullmatch(text) is not None


def is_rounded(cell: str) -> bool:
    """Whether a cell is a long number that a spreadsheet rounded, as 1.23457E+12."""
    return _ROUNDED.fullmatch(unicodedata.normalize("NFKC", clean(cell))) is not None


def is_date(cell: str) -> bool:
    """Whether a cell is a date, as a spreadsheet makes of 1-2: 2-Jan, 2024-01-02."""
    return _DATE.fullmatch(unicodedata.normalize("NFKC", cell).casefold()) is not None


def spelling_key(name: str) -> tuple[str, ...]:
    """What two spellings of one name share.

    Letter case, separators, blanks and quotes, leading zeros, a trailing ``.0``, a
    leading ``+``, thousands set apart, digits and letters of other scripts that look
    alike, unseen characters, Unicode's forms, and what follows the patient in a public
    barcode (TCGA, TARGET, GTEx, CPTAC) do not count: ``100``, ``0100`` and ``100.0``
    are alike, and ``P 1``, ``p-01`` and ``P1``; ``1-1`` and ``11`` are not.
    """
    seen = "".join(c for c in name if unicodedata.category(c) != "Cf")
    text = unicodedata.normalize("NFKC", seen).casefold().replace("i\u0307", "i")
    text = "".join(_digit(letter) for letter in text).translate(_ALIKE).strip()
    text = _BARCODE.sub(r"\1", text)
    if _THOUSANDS.fullmatch(text):
        text = "".join(re.findall(r"\d", text))
    parts = _PARTS.findall(_FLOAT.sub(r"\1", text.removeprefix("+")))
    key = (p.lstrip("0") or "0" if p.isdecimal() else p for p in parts)
    return tuple(key) or (text,)


def _digit(letter: str) -> str:
    """A decimal digit of any script as ours; any other letter as it is."""
    return str(unicodedata.decimal(letter, letter))


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
