"""Who is one patient: the case of a picture, and names that may be one case."""

from __future__ import annotations

import re
from collections.abc import Sequence

from data_prep.config.sources import SourceConfig
from data_prep.sources.image_source import ImageSource
from data_prep.sources.spelling import (
    clean,
    few,
    is_empty_like,
    is_rounded,
    near_equal,
)
from gastric_keras.records.ledger import Ledger
from gastric_keras.support.errors import InputError

#: Digits of a number that Excel keeps; what follows becomes 0.
_EXCEL_DIGITS = 15


def case_in(source: SourceConfig, path: str) -> str:
    """The case that a path tells by the source's ``case_pattern``; "" without one.

    Raises:
        InputError: a pattern that is none, or a path without a case.
    """
    if source.case_pattern is None:
        return ""
    try:
        match = re.search(source.case_pattern, path)
        case = match.group(1) if match else None
    except (re.error, IndexError) as error:
        raise InputError(
            "case_pattern must be a regular expression with one group, got "
            f"case_pattern={source.case_pattern!r} ({error}). "
            r"Example: case_pattern: '(case-\d+)'"
        ) from error
    if not case:
        raise InputError(
            f"Each path must hold the case, got {path}, "
            f"case_pattern={source.case_pattern!r}. Fix the pattern or the name."
        )
    return case


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
    if is_empty_like(case):
        if case:
            ledger.assumed[f"case {case!r} means not known"] += 1
        return ""
    return case


def unknown_case(source: SourceConfig, image_id: str, cell: str) -> InputError:
    """The error for a picture whose patient is not known."""
    wanted = (
        "Each picture must have its case (patient), since pictures of one case in two "
        f"splits make every score too good, got image={image_id}, "
    )
    if source.layout is not None:
        return InputError(
            f"{wanted}layout={source.layout}, whose file names do not tell the case. "
            "Give case_pattern in the config if yours do, or add --allow-ungrouped to "
            "count each picture as its own case."
        )
    said = f" with {cell!r}, which counts as empty" if cell.strip() else ""
    return InputError(
        f"{wanted}index={source.index}, case column={source.columns.case!r}{said}. "
        "Give an index with that column filled (--cases index.csv), or case_pattern in "
        "the config, or add --allow-ungrouped to count each picture as its own case."
    )


def check_cases(images: Sequence[ImageSource], ledger: Ledger) -> None:
    """Warn of names that may be one patient, or several.

    Args:
        images: all pictures of a set.
        ledger: is told.
    """
    cases = {image.case_id for image in images if image.is_grouped}
    groups = near_equal(cases)
    if groups:
        ledger.assumed["cases kept in one split for their near-equal names"] += sum(
            map(len, groups)
        )
        spelled = few((" = ".join(map(repr, group)) for group in groups), 10)
        ledger.warn(
            f"{len(groups)} times case names differ in spelling alone, and may be one "
            f"patient: {spelled}. They are kept in one split; spell them alike."
        )
    long = [
        case
        for case in sorted(cases)
        if re.fullmatch(r"(.*/)?\d{16,}", case)
        and not int(case.rpartition("/")[2][_EXCEL_DIGITS:])
    ]
    if long:
        ledger.warn(
            f"cases of more than {_EXCEL_DIGITS} digits end in zeros: {few(long)}. If "
            "a spreadsheet rounded them, several patients share one; format the column "
            "as text in the first table, and save it as CSV again."
        )


def check_fixed_splits(images: Sequence[ImageSource], ledger: Ledger) -> None:
    """Refuse a case in two splits of an index; warn where only its spelling is.

    Args:
        images: all pictures of a set.
        ledger: is told.

    Raises:
        InputError: a case in two splits.
    """
    split_of: dict[str, str] = {}
    for image in images:
        if image.split and split_of.setdefault(image.case_id, image.split) != (
            image.split
        ):
            raise InputError(
                f"Each case must be in one split, got case={image.case_id} in "
                f"{split_of[image.case_id]} and {image.split}. Fix the split column, "
                "or leave it out and let the cases be drawn."
            )
    for group in near_equal(split_of):
        if len({split_of[case] for case in group}) > 1:
            where = ", ".join(f"{case!r} in {split_of[case]}" for case in group)
            ledger.warn(
                f"the index puts near-equal case names in different splits: {where}. "
                "If they are one patient, every score is too good: spell them alike."
            )
