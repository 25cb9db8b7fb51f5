"""Whose a picture is: its case, by its path or by a cell of an index; and by which
rule a case is called."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import clean, few, is_empty_like, is_rounded
from gastric_keras.support.errors import InputError

#: How the patches of a case become its one score, see ``statistics.case_rules``.
CaseRule = Literal["mean", "maximum", "top_mean", "any_of"]

#: A number below 0, as programs write for a case that they do not know.
_NEGATIVE = re.compile(r"[-−–]\d+(?:[.]0+)?")


def case_in(pattern: str | None, path: str) -> str:
    """The case that a path tells by a ``case_pattern``; "" without one.

    Args:
        pattern: regular expression whose first group is the case.
        path: of a picture, with slashes.

    Raises:
        InputError: a pattern that is none, or a path without a case.
    """
    if pattern is None:
        return ""
    try:
        match = re.search(pattern, path)
        case = match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise InputError(
            "case_pattern must be a regular expression with one group, got "
            f"case_pattern={pattern!r} ({error}). "
            r"Example: case_pattern: '(case-\d+)'"
        ) from error
    if not case:
        raise InputError(
            f"Each path must hold the case, got {path}, "
            f"case_pattern={pattern!r}. Fix the pattern or the name."
        )
    return case


def check_pattern(pattern: str | None, paths: Iterable[str], ledger: Ledger) -> None:
    """Warn where a ``case_pattern`` cuts a number: c1 of c10 is another patient.

    Args:
        pattern: see :func:`case_in`.
        paths: of the pictures, with slashes.
        ledger: is told.
    """
    if pattern is None:
        return
    cut = []
    for path in paths:
        match = re.search(pattern, path)
        if match is None or not match[1]:
            continue
        start, end = match.span(1)
        sides = path[start - 1 : start + 1] if start else "", path[end - 1 : end + 1]
        if any(len(side) == 2 and side.isdecimal() for side in sides):
            cut.append(f"{match[1]} of {path}")
    if cut:
        ledger.warn(
            f"case_pattern cuts a number in {len(cut)} paths: {few(cut)}. If the rest "
            "of the digits tells the patient too, several share a case: match all."
        )


def known_case(cell: str, image_id: str, ledger: Ledger) -> str:
    """A case as it is written; "" where the cell says that it is not known.

    Args:
        cell: of the case.
        image_id: the picture, for the message.
        ledger: is told of cells such as ``nan``.

    Raises:
        InputError: a number that a spreadsheet rounded.
    """
    case = clean(cell)
    if is_rounded(case):
        raise InputError(
            f"Each case must be written in full, got case={case} for image={image_id}: "
            "a spreadsheet rounded it, so several patients may share it. Format the "
            "column as text in the first table, and save it as CSV again."
        )
    if is_empty_like(case) or _NEGATIVE.fullmatch(case):
        if case:
            ledger.assumed[f"case {case!r} means not known"] += 1
        return ""
    return case
