"""Contents, quality and leaks of the sets of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gastric_keras.records.ledger import ledger_lines
from gastric_keras.records.manifest import (
    MANIFEST_NAME,
    QUALITY_NAME,
    Manifest,
    read_manifest,
)
from gastric_keras.records.treatment import (
    Treatment,
    meeting_warnings,
    treatment_of,
)
from gastric_keras.runs.predictions import Predictions
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_object, sha256_of

#: Key in the clusters of quality.json -> name and sense for a reader.
CLUSTER_ROWS = {
    "silhouette": ("Silhouette of the clusters", "1: far apart, 0: one cloud"),
    "davies_bouldin": ("Davies–Bouldin index", "0 is best"),
    "stability": ("Stability of the clusters", "1: a new draw gives the same ones"),
}


@dataclass(frozen=True)
class SplitCounts:
    """Patches of one split.

    Attributes:
        name: of the split.
        counts: by class, in label order.
        total: of all classes.
        cases: that they are of.
    """

    name: str
    counts: tuple[int, ...]
    total: int
    cases: int


@dataclass(frozen=True)
class Quality:
    """What data_prep measured of a set.

    Attributes:
        warnings: figures beyond their limits, in words.
        rows: name, value and sense of each figure.
    """

    warnings: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SetCard:
    """The data card of a set.

    Attributes:
        title: of the card.
        folder: of the set.
        quality: None where data_prep left none.
        manifest: None where it cannot be read.
        treatment: what was done to its pixels; None where it cannot be read.
        splits: of the manifest.
        config: how it was made, YAML.
        warning: "" if none.
    """

    title: str
    folder: str
    quality: Quality | None
    manifest: Manifest | None
    treatment: Treatment | None
    splits: tuple[SplitCounts, ...]
    config: str
    warning: str

    @property
    def ledger(self) -> tuple[str, ...]:
        """What was read, left out, assumed and warned of when the set was made."""
        return () if self.manifest is None else (*ledger_lines(self.manifest.config),)


def set_card(title: str, folder: str, recorded: str | None) -> SetCard:
    """The data card of a set, from its manifest if that is still there.

    Args:
        title: of the card.
        folder: of the set.
        recorded: SHA-256 of its manifest when the run was made; None: not known.
    """
    quality = _quality(Path(folder) / QUALITY_NAME)
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        warning = f"The set cannot be read now. {error}"
        return SetCard(title, folder, quality, None, None, (), "", warning)
    warning = ""
    if recorded and sha256_of(Path(folder) / MANIFEST_NAME) != recorded:
        warning = (
            "The set was made again since this run: its manifest has another checksum. "
            "What follows describes the set as it is now."
        )
    splits = tuple(
        SplitCounts(
            split,
            tuple(counts.get(name, 0) for name in manifest.classes),
            manifest.count(split),
            len(manifest.cases.get(split, ())),
        )
        for split, counts in manifest.counts.items()
    )
    config = yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True)
    made = treatment_of(manifest)
    return SetCard(title, folder, quality, manifest, made, splits, config, warning)


def doubts_where_sets_meet(cards: Iterable[SetCard]) -> list[str]:
    """What is doubtful where the sets of a run meet.

    Args:
        cards: of its sets.
    """
    made = {card.title: card.treatment for card in cards if card.treatment is not None}
    return list(meeting_warnings(made))


def _quality(path: Path) -> Quality | None:
    if not path.is_file():
        return None
    found = read_object(path)
    try:
        warnings = tuple(str(warning) for warning in found["warnings"])
        return Quality(warnings, tuple(_quality_rows(found)))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path.name} must hold what data_prep measures, got path={path} "
            f"({type(error).__name__}: {error}). Make it again with data_prep quality, "
            "or delete the file."
        ) from error


def _quality_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value and sense of each figure that was measured."""
    yield "Share kept", f"{found['share_kept']:.1%}", "of the patches looked at"
    pictures = found["images"] + found["set_aside"]
    yield "Pictures set aside", f"{found['set_aside']} of {pictures}", "not usable"
    for name, (case, share) in found["largest_cases"].items():
        yield f"Largest case of {name}", f"{share:.1%}", f"of the class is of {case}"
    for what in ("case", "source"):
        tie = found[f"{what}_association"]
        if tie is not None:
            yield (
                f"Tie of class and {what}",
                f"{tie['corrected']:.2f}",
                "corrected Cramér’s V; 0: none, 1: the one tells the other",
            )
    for pair, auc in found["hematoxylin_auc"].items():
        sense = "AUC of the mean hematoxylin alone; 0.5: it tells nothing"
        yield f"Stain, {pair}", f"{auc:.2f}", sense
    for key, (name, sense) in CLUSTER_ROWS.items():
        value = (found["clusters"] or {}).get(key)
        if value is not None:
            yield name, f"{value:.2f}", sense
    if found["agreement"] is not None:
        sense = "of a sample, measured again, falls into its stored cluster"
        yield "Agreement", f"{found['agreement']:.1%}", sense


@dataclass(frozen=True)
class LeakRow:
    """What was sought between splits or sets.

    Attributes:
        what: cases or images, in words.
        found: how many.
        first: one of them; "" if none.
        is_bad: it must not be.
    """

    what: str
    found: int
    first: str
    is_bad: bool


def leak_rows(
    target: str, mids: Mapping[str, str], predictions: Mapping[str, Predictions]
) -> list[LeakRow]:
    """What manifests and predictions tell of leaks; pixels are not compared here.

    Args:
        target: folder of the target set.
        mids: name -> folder of each mid-level set; none: one stage.
        predictions: split -> predictions of the target set.

    Returns:
        One row for each that was sought; none of a set that cannot be read.
    """
    sets = {
        name: manifest
        for name, folder in {"target set": target, **mids}.items()
        if (manifest := _read(folder)) is not None
    }
    rows = [
        _row(f"Cases in several splits of the {name}", _repeated(manifest))
        for name, manifest in sets.items()
    ]
    images = [set(split.image_id.tolist()) for split in predictions.values()]
    if len(images) > 1:
        names = " and in ".join(predictions)
        rows.append(_row(f"Images in {names} of the target set", images[0] & images[1]))
    held = sets.pop("target set", None)
    if held is None:
        return rows
    for name, manifest in sets.items():
        seen = {case for cases in manifest.cases.values() for case in cases}
        for split, cases in held.cases.items():
            what = f"Cases of the {name} in {split} of the target set"
            # Cases that t=2 trains on anyway may have been seen at t=1.
            rows.append(_row(what, seen & set(cases), is_allowed=split == "train"))
    return rows


def _read(folder: str) -> Manifest | None:
    try:
        return read_manifest(folder)
    except InputError:
        return None


def _repeated(manifest: Manifest) -> set[str]:
    times = Counter(case for cases in manifest.cases.values() for case in set(cases))
    return {case for case, number in times.items() if number > 1}


def _row(what: str, found: set[str], *, is_allowed: bool = False) -> LeakRow:
    is_bad = bool(found) and not is_allowed
    return LeakRow(what, len(found), min(found, default=""), is_bad)
