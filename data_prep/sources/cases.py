"""Who is one patient: the case of a picture, and names that may be one case."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from data_prep.config.sources import SourceConfig
from data_prep.sources.image_source import ImageSource
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import few, is_date, near_equal, spelling_key
from gastric_keras.support.errors import InputError

#: A name that ends in a block or slide: S23-01234-A, 2019/00123_B2.
_PART = re.compile(r"(.*\d)[-_ :/#(]+(?:[a-z]\d?|\d)\)?", re.IGNORECASE)
#: Digits of a whole name from which it may be a patient's number.
_LEAST_DIGITS = 4
#: Digits of a number that Excel keeps; what follows becomes 0.
_EXCEL_DIGITS = 15


def unknown_case(
    source: SourceConfig, image_id: str, cell: str, columns: Sequence[str] = ()
) -> InputError:
    """The error for a picture whose patient is not known.

    Args:
        source: of the picture.
        image_id: the picture.
        cell: of the case.
        columns: flags for other columns of the index that may tell the patient.
    """
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
    named = f"Name the column with {few(columns)}, or give" if columns else "Give"
    return InputError(
        f"{wanted}index={source.index}, case column={source.columns.case!r}{said}. "
        f"{named} an index with that column filled (--cases index.csv), or "
        f"{'leave that column out and ' * bool(source.index)}give case_pattern in the "
        "config, or add --allow-ungrouped to count each picture as its own case."
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
    # Whole, or behind the name of its source.
    dates = sorted(c for c in cases if is_date(c) or is_date(c.partition("/")[2]))
    if dates:
        ledger.warn(
            f"{len(dates)} case names are dates: {few(dates)}. A spreadsheet may have "
            "made them of names such as 1-2, and patients of one day share them; "
            "format the column as text in the first table, and save it as CSV again."
        )
    _tell_names_of_files(images, ledger)
    _tell_parts(cases, ledger)
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


def _tell_names_of_files(images: Sequence[ImageSource], ledger: Ledger) -> None:
    """Cases that may be pictures and no patients."""
    grouped = [image for image in images if image.is_grouped]
    sizes = Counter(spelling_key(image.case_id) for image in grouped)
    if len(sizes) == len(grouped) > 1:
        ledger.assumed["cases of one picture: no two pictures are of one patient"] = (
            len(sizes)
        )
    named = [
        image.case_id
        for image in grouped
        if image.case_id.rpartition("/")[2] in (image.path.name, image.path.stem)
    ]
    if 2 * len(named) > len(grouped):
        ledger.warn(
            f"{len(named)} of {len(grouped)} pictures have their file name for a case, "
            f"first {named[0]}. If a patient has several pictures, name the patient in "
            "the case column."
        )


def _tell_parts(cases: Collection[str], ledger: Ledger) -> None:
    """Warn of names that differ in a last letter or digit: blocks of one patient."""
    wholes: dict[str, list[str]] = defaultdict(list)
    for case in sorted(cases):
        match = _PART.fullmatch(case)
        if match and len(re.findall(r"\d", match[1])) >= _LEAST_DIGITS:
            wholes[match[1]].append(case)
    several = [few(parts, 3) for parts in wholes.values() if len(parts) > 1]
    if several:
        ledger.warn(
            f"{len(several)} times case names differ in their last part alone: "
            f"{few(several)}. If it is the block or slide of one patient, leave it "
            "out of the case."
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
