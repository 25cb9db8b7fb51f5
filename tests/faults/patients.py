"""Who is one patient: names of cases as people and spreadsheets write them.

The truth is which rows are of one patient. A family writes the name of a patient in
other ways in some of its rows: as a float, with leading zeros, with other blanks,
capitals, separators or Unicode forms; as a number that Excel rounded; as a word that
means nothing is known. Right is: no patient is in two splits, what is doubtful is
warned of by name, a row of unknown patient is no patient, and patients of different
names stay apart without a warning.
"""

from __future__ import annotations

import csv
import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path

from tests.faults.kinds import Kind

#: The case of each row, by patient; what must come of it: "same" (one split, and a
#: warning), "equal" (one case), "apart" (no warning), "unknown", "refused",
#: or "told: " and what a warning says.
_Family = tuple[dict[str, list[str]], str]


def write(rng: random.Random, folder: Path) -> str:
    """Draw a family; write its index, and the pictures that it names (empty files:
    nothing opens them here)."""
    name = rng.choice(sorted(_FAMILIES))
    cases, must = _FAMILIES[name](rng)
    rows = []
    (folder / "pictures").mkdir()
    for patient, spelled in cases.items():
        for case in spelled:
            rows.append([f"p{len(rows)}.png", case, patient])
            (folder / "pictures" / rows[-1][0]).touch()
    rng.shuffle(rows)
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "case_id"])
        for number, (path, case, _) in enumerate(rows):
            writer.writerow([path, ("benign", "malignant")[number % 2], case])
    patient_of = {path: patient for path, _, patient in rows}
    truth = {"must": must, "patient_of": patient_of, "seed": rng.randrange(10**6)}
    (folder / "truth.json").write_text(json.dumps(truth))
    return name


def read(folder: Path) -> None:
    """List the pictures and draw the splits as ``data_prep target`` does."""
    from collections import Counter

    from data_prep.config.sets import SourceConfig, SplitConfig, TargetSetConfig
    from data_prep.sets.found import Found
    from data_prep.sets.patches import PatchRef
    from data_prep.sets.plan import plan_images
    from data_prep.sources.pictures import read_sources
    from gastric_keras.records.ledger import Ledger
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    must, patient_of = truth["must"], truth["patient_of"]
    source = SourceConfig(
        images=str(folder / "pictures"), index=str(folder / "index.csv")
    )
    splits = SplitConfig(train=0.5, validation=0.25, test=0.25, seed=truth["seed"])
    config = TargetSetConfig(sources=(source,), splits=splits)
    ledger = Ledger()
    try:
        images = read_sources(config, "label", ledger=ledger)
    except InputError:
        assert must in ("refused", "unknown")
        if must == "refused":
            raise
        images = read_sources(config, "label", allow_ungrouped=True, ledger=ledger)
        unknown = [i for i in images if patient_of[i.image_id] == "nobody"]
        assert unknown and not any(image.is_grouped for image in unknown)
        assert all(image.case_id == image.image_id for image in unknown)
    else:
        assert must not in ("refused", "unknown"), [i.case_id for i in images]
    refs = [PatchRef(0, 0, 0)]
    plan = plan_images(config, [(i, Found(refs, Counter())) for i in images])
    splits_of: dict[str, set[str]] = {}
    for planned in plan:
        patient = patient_of[planned.image_id]
        if patient != "nobody":
            splits_of.setdefault(patient, set()).add(planned.split)
    assert all(len(found) == 1 for found in splits_of.values()), splits_of
    warned = [text for text in ledger.warnings if "spelling alone" in text]
    assert bool(warned) == (must == "same"), ledger.warnings
    wanted = must.removeprefix("told: ")
    told = [text for text in ledger.warnings if wanted in text]
    assert bool(told) == must.startswith("told: "), ledger.warnings
    cases = {image.case_id for image in images if image.is_grouped}
    if must in ("equal", "apart"):
        assert len(cases) == len(splits_of), cases
    assert all(unicodedata.is_normalized("NFC", case) for case in cases)


def _spelled(
    rng: random.Random, others: Callable[[str], str], *, number: bool = False
) -> dict[str, list[str]]:
    """Patients of two to four rows; of one at least, a row is spelled otherwise."""
    first = rng.randint(1, 900)
    form = "{}" if number else rng.choice(("P{}", "case-{}", "Pat {}", "S{}-x", "p{}"))
    cases = {}
    for patient in range(rng.randint(2, 8)):
        name = form.format(first + 7 * patient)
        cases[name] = [name] * rng.randint(1, 3)
        if patient == 0 or rng.random() < 0.5:
            cases[name].append(others(name))
    return cases


def _float(rng: random.Random) -> _Family:
    end = rng.choice((".0", ".00", ",0"))
    return _spelled(rng, lambda name: name + end, number=True), "same"


def _zeros(rng: random.Random) -> _Family:
    zeros = "0" * rng.randint(1, 4)

    def other(name: str) -> str:
        place = next(i for i, letter in enumerate(name) if letter.isdigit())
        return name[:place] + zeros + name[place:]

    return _spelled(rng, other, number=rng.random() < 0.5), "same"


def _blanks(rng: random.Random) -> _Family:
    blank = rng.choice((" ", "\u00a0", "\u2003", "\u200b", "  ", "\u202f", "\u00ad"))

    def other(name: str) -> str:
        place = next(i for i, letter in enumerate(name) if letter.isdigit())
        return name[:place] + blank + name[place:]

    cases = _spelled(rng, other)
    # A blank more where there is one is another spelling all the same.
    return cases, "same"


def _outer_blanks(rng: random.Random) -> _Family:
    blank = rng.choice((" ", "\u00a0", "\t", "  ", "\u200b", "\ufeff"))
    ends = rng.choice((("", blank), (blank, ""), (blank, blank)))
    return _spelled(rng, lambda name: ends[0] + name + ends[1]), "equal"


def _capitals(rng: random.Random) -> _Family:
    turn = rng.choice((str.upper, str.lower, str.swapcase))
    cases = _spelled(rng, turn)
    changed = any(len(set(spelled)) > 1 for spelled in cases.values())
    return cases, "same" if changed else "apart"


def _separators(rng: random.Random) -> _Family:
    mark = rng.choice(("-", "_", "/", ".", "‑", "–", "#"))

    def other(name: str) -> str:
        place = next(i for i, letter in enumerate(name) if letter.isdigit())
        return name[:place].rstrip(" -") + mark + name[place:]

    cases = _spelled(rng, other)
    changed = any(len(set(spelled)) > 1 for spelled in cases.values())
    return cases, "same" if changed else "apart"


def _decomposed(rng: random.Random) -> _Family:
    names = ("Müller", "Žižek", "José", "Ångström", "김철수", "Nguyễn")
    chosen = rng.sample(names, 3)
    cases = {name: [name, unicodedata.normalize("NFD", name)] for name in chosen}
    return cases, "equal"


def _full_width(rng: random.Random) -> _Family:
    def other(name: str) -> str:
        return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)

    return _spelled(rng, other), "same"


def _scripts(rng: random.Random) -> _Family:
    """Digits of another script, letters of another that look alike, Turkish ones."""
    first = rng.choice(("\u0660", "\u06f0", "\u0966"))
    digits = {ord("0") + i: ord(first) + i for i in range(10)}
    letters = {
        "P": "\u0420",
        "S": "\u0405",
        "a": "\u0430",
        "c": "\u0441",
        "e": "\u0435",
    }
    table = digits if rng.random() < 0.5 else str.maketrans(letters)
    cases = _spelled(rng, lambda name: name.translate(table), number=table is digits)
    cases["i7"] = ["i7", rng.choice(("\u01307", "I7", "\u01317"))]
    return cases, "same"


def _quoted(rng: random.Random) -> _Family:
    form = rng.choice(("'{}", '="{}"', "{}'", "`{}", "+{}", '"{}"'))
    return _spelled(rng, form.format, number=True), "same"


def _thousands(rng: random.Random) -> _Family:
    mark = rng.choice((",", ".", " ", "'", "\u00a0", "\u2019"))
    numbers = rng.sample(range(1_000, 9_999_999), 4)
    cases = {str(n): [str(n), f"{n:,}".replace(",", mark)] for n in numbers}
    return cases, "same"


def _barcodes(rng: random.Random) -> _Family:
    """Samples, slides and aliquots of public sets, whose patient comes first."""
    form, parts = rng.choice(
        (
            ("TCGA-A{}-{:04}", ("", "-01A", "-01Z-00-DX1", "-11A-01-TS1")),
            ("GTEX-{}{:03}F", ("", "-0626", "-1526-SM-5EGJ1")),
            ("C3N-0{}{:03}", ("", "-21", "-26")),
        )
    )
    cases = {}
    for number in rng.sample(range(100, 999), 3):
        patient = form.format(rng.randint(1, 9), number)
        cases[patient] = [patient + part for part in rng.sample(parts, 2)]
    return cases, "same"


def _dates(rng: random.Random) -> _Family:
    """What a spreadsheet makes of 1-2: a date, and told to be one."""
    form = rng.choice(
        ("{}-Jan", "{}-Feb-24", "0{}. Mrz", "2024-01-0{} 00:00:00", "{}/1/2024")
    )
    cases = {f"p{i}": [form.format(i)] * 2 for i in range(1, 4)}
    return cases, "told: case names are dates"


def _blocks(rng: random.Random) -> _Family:
    """Blocks of one patient, which nothing but a person can join: told."""
    form = rng.choice(("S23-{:05}-{}", "{:06}_{}1", "H2019/{:04} ({})"))
    cases = {}
    for number in rng.sample(range(1_000, 9_999), 3):
        for block in "AB":
            cases[f"{number}{block}"] = [form.format(number, block)] * 2
    return cases, "told: differ in their last part alone"


def _rounded(rng: random.Random) -> _Family:
    cell = rng.choice(
        ("1.23457E+12", "1,23457E+12", "1E+15", "9.87654e+11", "-1.2E+10")
    )
    return {"a": ["a1"], "b": ["b1", cell]}, "refused"


def _empty_like(rng: random.Random) -> _Family:
    cell = rng.choice(
        (
            *("nan", "NaN", "NA", "N/A", "n/a", "None", "null", "NULL", "-", "--", "?"),
            *("#N/A", "<NA>", "unknown", "Unknown", "", " ", "\u00a0", "#####", "–"),
            *("#REF!", "missing", "NaT", ".", "(blank)", "[null]", "TBD", "-1", "k.A."),
            *("未知", "not available", "\\N", "unbekannt", "...", "_", "-999", '""'),
        )
    )
    nobody = [cell] * rng.randint(1, 4)
    return {"a": ["a1", "a1"], "b": ["b1"], "nobody": nobody}, "unknown"


def _apart(rng: random.Random) -> _Family:
    names = rng.choice(
        (
            ("1", "10", "100", "11", "110"),
            ("1-1", "11", "1-11", "111", "11-1"),
            ("A1", "B1", "AB1", "A11"),
            ("case-2001837", "case-2001838", "case-200183"),
            ("TCGA-44-2665", "TCGA-44-2656", "TCGA-4-42665"),
            ("P1a", "P1b", "P1"),
            ("1.10", "1.1", "1.01x"),
            ("Müller", "Mueller", "Muller"),
            ("王", "李", "张", "1王"),
            ("P+", "P-x", "P"),
            ("2.16.840.1.10", "2.16.840.1.1", "2.16.840.11.0x"),
        )
    )
    return {name: [name] * rng.randint(1, 3) for name in names}, "apart"


_FAMILIES: dict[str, Callable[[random.Random], _Family]] = {
    "a number made a float": _float,
    "leading zeros": _zeros,
    "blanks inside": _blanks,
    "blanks around": _outer_blanks,
    "letter case": _capitals,
    "separators": _separators,
    "composed otherwise": _decomposed,
    "full width": _full_width,
    "other scripts": _scripts,
    "quotes and signs": _quoted,
    "thousands": _thousands,
    "barcodes": _barcodes,
    "dates": _dates,
    "blocks": _blocks,
    "rounded by a spreadsheet": _rounded,
    "words for nothing": _empty_like,
    "patients that differ": _apart,
}

KIND = Kind("patients", write, read)
