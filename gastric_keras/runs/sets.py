"""What is known of the sets of a run: contents, quality, leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from gastric_keras.records.manifest import (
    MANIFEST_NAME,
    QUALITY_NAME,
    Manifest,
    read_manifest,
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


def set_card(title: str, folder: str, recorded: str | None) -> dict[str, Any]:
    """The data card of a set, from its manifest if that is still there.

    Args:
        title: of the card.
        folder: of the set.
        recorded: SHA-256 of its manifest when the run was made; None: not known.

    Returns:
        title, folder, warning ("" if none), manifest (None if not readable) and
        quality (None where data_prep left none).
    """
    card: dict[str, Any] = {"title": title, "folder": folder, "warning": ""}
    card["quality"] = _quality(Path(folder) / QUALITY_NAME)
    try:
        card["manifest"] = _counted(read_manifest(folder))
    except InputError as error:
        card |= {"manifest": None, "warning": f"The set cannot be read now. {error}"}
        return card
    if recorded and sha256_of(Path(folder) / MANIFEST_NAME) != recorded:
        card["warning"] = (
            "The set was made again since this run: its manifest has another checksum. "
            "What follows describes the set as it is now."
        )
    return card


def _counted(manifest: Manifest) -> dict[str, Any]:
    return {
        "dataset": manifest.dataset,
        "classes": manifest.classes,
        "splits": [
            {
                "name": split,
                "counts": [counts.get(name, 0) for name in manifest.classes],
                "total": manifest.count(split),
                "cases": len(manifest.cases.get(split, ())),
            }
            for split, counts in manifest.counts.items()
        ],
        "dropped": manifest.dropped,
        "set_aside": manifest.set_aside,
        "subsets": manifest.subsets,
        "patch_size": manifest.patch_size,
        "mpp": manifest.mpp,
        "is_grouped": manifest.is_grouped,
        "config": yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True),
    }


def _quality(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found = read_object(path)
    try:
        warnings = [str(warning) for warning in found["warnings"]]
        return {"warnings": warnings, "rows": list(_quality_rows(found))}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"The figures that data_prep measures were expected. Received: path={path} "
            f"({type(error).__name__}: {error}). Make them again with data_prep "
            "quality, or delete the file."
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


def leak_rows(
    target: str, mid: str | None, predictions: Mapping[str, Predictions]
) -> list[dict[str, Any]]:
    """What manifests and predictions tell of leaks; pixels are not compared here.

    Args:
        target: folder of the target set.
        mid: folder of the mid-level set; None: one stage.
        predictions: split -> predictions of the target set.

    Returns:
        what was sought, how many were found, and is_bad; nothing of a set that cannot
        be read.
    """
    sets = {
        name: manifest
        for name, folder in (("target set", target), ("mid-level set", mid))
        if folder is not None and (manifest := _read(folder)) is not None
    }
    rows = [
        _row(f"Cases in several splits of the {name}", _repeated(manifest))
        for name, manifest in sets.items()
    ]
    images = [set(split.image_id.tolist()) for split in predictions.values()]
    if len(images) > 1:
        names = " and in ".join(predictions)
        rows.append(_row(f"Images in {names} of the target set", images[0] & images[1]))
    if len(sets) == 2:
        seen = {
            case for cases in sets["mid-level set"].cases.values() for case in cases
        }
        for split, cases in sets["target set"].cases.items():
            what = f"Cases of the mid-level set in {split} of the target set"
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


def _row(what: str, found: set[str], *, is_allowed: bool = False) -> dict[str, Any]:
    return {
        "what": what,
        "found": len(found),
        "first": min(found, default=""),
        "is_bad": bool(found) and not is_allowed,
    }
