"""Columns of an index that nobody asked for: told, and warned of where they matter."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from data_prep.config.sources import SourceConfig
from gastric_keras.records.ledger import Ledger
from gastric_keras.records.spelling import clean, few, is_empty_like
from gastric_keras.records.table import Row, Table
from gastric_keras.support.strict_yaml import override

#: Words in the name of a column that tells the patient.
_PATIENT = frozenset(
    "patient patients patientid subject subjectid person donor participant individual "
    "mrn pid case caseid fallnummer patienten 患者 病人 病例 病例号 患者编号".split()
)
#: Words in the name of a column that tells which pictures count, and how they are.
_SELECTS = frozenset(
    "exclude excluded exclusion include included inclusion ignore ignored skip keep "
    "kept use used usable discard discarded drop dropped qc qa quality valid invalid "
    "artifact artifacts artefact artefacts blurry duplicate stain staining mpp "
    "magnification objective".split()
)
#: Those of them in which yes leaves a picture out.
_REJECTS = frozenset(
    "exclude excluded exclusion ignore ignored skip discard discarded drop dropped "
    "invalid artifact artifacts artefact artefacts blurry duplicate".split()
)
#: What yes is in a column of yes and no, in small letters.
YES = frozenset(("1", "1.0", "true", "yes", "y", "x", "t", "✓", "✔", "+", "pass", "ok"))
#: Different values above which a column selects nothing.
_MOST_VALUES = 12


def words_of(name: str) -> set[str]:
    """The words of a column's name, in small letters: isTest and is_test alike."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return {word.casefold() for word in re.findall(r"[^\W\d_]+", spaced)}


def patient_columns(
    source: SourceConfig, position: int, header: Sequence[str]
) -> list[str]:
    """Flags that take the case from other columns, by the names of these.

    Args:
        source: its columns.
        position: of the source in the config.
        header: of the index.
    """
    return [
        override(f"sources.{position}.columns.case", name)
        for name in header
        if words_of(name) & _PATIENT and name != source.columns.case
    ]


def tell_unused(
    source: SourceConfig,
    position: int,
    table: Table,
    rows: Sequence[Row],
    ledger: Ledger,
) -> None:
    """Tell which columns are not used; warn of those that patients or rows hang on.

    Args:
        source: its columns and where.
        position: of the source in the config.
        table: the index.
        rows: those that ``where`` keeps.
        ledger: is told.
    """
    columns = source.columns
    used = {columns.path, columns.case, columns.label, columns.annotation, ""}
    used |= {columns.split or "", *source.where}
    unused = [name for name in dict.fromkeys(table.header) if name not in used]
    if unused:
        note = f"columns of {table.path.name} not used: {few(unused, 20)}"
        ledger.assumed[note] += len(unused)
    for name in unused:
        values = {clean(row.cells[name]) for row in rows}
        words = words_of(name)
        if words & _PATIENT:
            _tell_patients(source, position, table, rows, name, ledger)
        elif words & _SELECTS and 1 < len(values) <= _MOST_VALUES:
            shown = sorted(value or "(blank)" for value in values)
            where = {key: [*cells] for key, cells in source.where.items()}
            where[name] = [_kept(words, sorted(values))]
            flag = override(f"sources.{position}.where", where)
            ledger.warn(
                f"the column {name} of {table.path} ({few(shown)}) is not used: its "
                f"rows count alike. Keep some of them with where, such as {flag}"
            )


def _kept(words: set[str], values: Sequence[str]) -> str:
    """The value of the rows that a column of yes and no would keep; else the first."""
    yes = [value for value in values if value.casefold() in YES]
    no = [value for value in values if value.casefold() not in YES]
    return (no if words & _REJECTS else [*yes, *no])[0] if yes else values[0]


def _tell_patients(
    source: SourceConfig,
    position: int,
    table: Table,
    rows: Sequence[Row],
    name: str,
    ledger: Ledger,
) -> None:
    """Warn where another column joins what the case column parts."""
    if source.columns.case not in table.header:
        # Whoever reads the cases says so, and names this column.
        return
    cases: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if not is_empty_like(row.cells[name]):
            cases[clean(row.cells[name])].add(clean(row.cells[source.columns.case]))
    joined = sorted(person for person, found in cases.items() if len(found) > 1)
    if joined:
        flag = override(f"sources.{position}.columns.case", name)
        ledger.warn(
            f"the column {name} of {table.path} is not used, and joins several cases "
            f"of the column {source.columns.case}: {few(joined)}. If it names the "
            f"patient, splits part a patient: use it with {flag}"
        )
