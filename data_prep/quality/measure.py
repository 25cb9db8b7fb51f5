"""The figures of a finished mid-level set, by its manifest and a fair sample."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.config.measures import NucleiConfig
from data_prep.measure.nuclei import measure_nuclei
from data_prep.quality.quantities import measure_quantities
from data_prep.quality.verdict import Association, Quality, warnings_of
from gastric_keras.imaging.images import decode_image
from gastric_keras.imaging.stain import hematoxylin
from gastric_keras.records.manifest import Manifest, read_manifest, shard_paths
from gastric_keras.records.schema import PatchRecord, read_records
from gastric_keras.support.errors import require

#: Patches whose pixels are looked at: a share of one half is known to ±2 points.
SAMPLE = 2000
#: Why patches were left out that passed every rule.
OVER_CAP = "over max_per_class"


@dataclasses.dataclass(frozen=True)
class Sample:
    """What the pixels of a fair sample of the patches say.

    Attributes:
        labels: (N,) int.
        sources: (N,) str, see ``source_of``.
        amounts: (N,) float, mean amount of hematoxylin, in optical density.
        nuclei: (N, 2) float, count and total area in px² as stored, leveled as the
            patches were that were clustered; None for other sets.
        quantities: (N, k) float, as the records hold them; k is 0 in a set of classes.
    """

    labels: npt.NDArray[np.int64]
    sources: npt.NDArray[np.str_]
    amounts: npt.NDArray[np.float64]
    nuclei: npt.NDArray[np.float64] | None
    quantities: npt.NDArray[np.float64]


def read_sample(folder: Path | str, *, sample: int = SAMPLE) -> Sample:
    """Look at the pixels of the first patches of each split, each by its share.

    Records lie in random order, so that the first are a fair sample.

    Args:
        folder: a set with its manifest and shards.
        sample: number of patches.

    Raises:
        InputError: no finished set there, or a sample below 1.
    """
    manifest = read_manifest(folder)
    require(
        sample >= 1,
        "sample must be at least 1 patch",
        f"{SAMPLE} is usual.",
        sample=sample,
    )
    nuclei = nuclei_config(manifest)
    labels, sources, amounts, measured, quantities = [], [], [], [], []
    for record in sample_records(folder, sample=sample):
        image = decode_image(record.image, name=record.image_id)
        labels.append(record.label)
        sources.append(source_of(record.image_id, manifest))
        amounts.append(float(hematoxylin(image).mean()))
        quantities.append(record.quantities)
        if nuclei is not None:
            found = measure_nuclei(image, nuclei_at(nuclei, record.mpp))
            measured.append((found.count, found.total_area))
    look = Sample(
        labels=np.array(labels, np.int64),
        sources=np.array(sources, np.str_),
        amounts=np.array(amounts, np.float64),
        nuclei=np.array(measured, np.float64) if nuclei is not None else None,
        quantities=np.array(quantities, np.float64),
    )
    return _leveled(look, manifest)


def figures_of(folder: Path | str, look: Sample) -> Quality:
    """The figures of a set, of which a sample was looked at already.

    Raises:
        InputError: no finished set there.
    """
    manifest = read_manifest(folder)
    labels, cases, images = _read_ids(folder, manifest)
    names = [manifest.classes[label] for label in labels]
    quality = Quality(
        dataset=manifest.dataset,
        kept=manifest.counts,
        dropped=manifest.dropped,
        share_kept=_share_kept(manifest),
        images=len(set(images)),
        set_aside=len(manifest.set_aside),
        cases=len(set(cases)),
        is_grouped=manifest.is_grouped,
        case_association=associate(names, cases),
        source_association=associate(
            names, [source_of(image, manifest) for image in images]
        ),
        largest_cases=_largest_cases(names, cases, manifest.classes),
        sampled=len(look.labels),
        hematoxylin_auc=_stain_areas(look, manifest.classes),
        clusters=manifest.config.get("clustering", {}).get("quality"),
        agreement=_agreement(look, manifest),
        quantities=measure_quantities(
            manifest.quantities, look.quantities, look.amounts
        ),
        config_sha256=hashlib.sha256(
            json.dumps(manifest.config, sort_keys=True).encode()
        ).hexdigest(),
    )
    return dataclasses.replace(quality, warnings=tuple(warnings_of(quality)))


def source_of(image_id: str, manifest: Manifest) -> str:
    """Name of the source of a picture; empty where the set has one, or nameless."""
    names = {source.get("name") for source in manifest.config.get("sources", ())}
    prefix = image_id.split("/", 1)[0] if "/" in image_id else ""
    return prefix if len(names) > 1 and prefix in names else ""


def associate(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> Association | None:
    """Cramer's V of two labels of the same things, as such and bias-corrected.

    ``V = sqrt(φ² / min(k - 1, r - 1))`` with ``φ² = χ² / n``; corrected: φ² less its
    expectation ``(k - 1)(r - 1) / (n - 1)`` where nothing hangs together, at least 0,
    and each number of levels k less ``(k - 1)² / (n - 1)``.

    Args:
        first: a label of each thing.
        second: another, of as many.

    Returns:
        The two figures; None where either label never changes.

    References:
        Bergsma, J. Korean Stat. Soc. 42:323 (2013), doi:10.1016/j.jkss.2012.10.002.
    """
    from scipy.stats import chi2_contingency

    counts = Counter(zip(first, second))
    rows, columns = dict.fromkeys(first), dict.fromkeys(second)
    r, k, n = len(rows), len(columns), len(first)
    if min(r, k) < 2:
        return None
    table = [[counts[row, column] for column in columns] for row in rows]
    # Not scipy's association: it keeps φ² to itself, and has no correction.
    phi2 = float(chi2_contingency(table, correction=False).statistic) / n
    free = max(0.0, phi2 - (k - 1) * (r - 1) / (n - 1))
    levels = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1))
    return Association(
        cramers_v=min(1.0, (phi2 / (min(r, k) - 1)) ** 0.5),
        corrected=min(1.0, (free / (levels - 1)) ** 0.5) if levels > 1 else 0.0,
    )


def _read_ids(
    folder: Path | str, manifest: Manifest
) -> tuple[list[int], list[str], list[str]]:
    """Label, case and image of every patch; no pixel is decoded."""
    import tensorflow as tf

    from gastric_keras.records.schema import parse

    labels: list[int] = []
    cases: list[str] = []
    images: list[str] = []
    names = ("label", "case_id", "image_id")
    for split in manifest.counts:
        if not manifest.count(split):
            continue
        raw = tf.data.TFRecordDataset(shard_paths(folder, manifest, split)).batch(256)
        for batch in raw.map(lambda rows: parse(rows, names)).as_numpy_iterator():
            labels += batch["label"].tolist()
            cases += [case.decode() for case in batch["case_id"].tolist()]
            images += [image.decode() for image in batch["image_id"].tolist()]
    return labels, cases, images


def sample_records(
    folder: Path | str, *, sample: int = SAMPLE
) -> Iterator[PatchRecord]:
    """The records that :func:`read_sample` looks at, in its order."""
    manifest = read_manifest(folder)
    total = sum(manifest.count(split) for split in manifest.counts)
    for split in manifest.counts:
        if manifest.count(split):
            share = max(1, sample * manifest.count(split) // total)
            yield from islice(read_records(folder, split), share)


def nuclei_config(manifest: Manifest) -> NucleiConfig | None:
    """How the nuclei of a set were found; None for a set of another kind."""
    tree = manifest.config.get("nuclei")
    if manifest.dataset != "nuclei" or not isinstance(tree, dict):
        return None
    known = {field.name for field in dataclasses.fields(NucleiConfig)}
    # A set of another version may have fields that this one does not know.
    return NucleiConfig(**{name: tree[name] for name in tree if name in known})


def nuclei_at(config: NucleiConfig, mpp: float) -> NucleiConfig:
    """The same for a patch of another scale; 0.0 is not known."""
    return dataclasses.replace(config, mpp=mpp or config.mpp)


def is_leveled(sources: npt.NDArray[np.str_], manifest: Manifest) -> bool:
    """Whether counts and areas were leveled between the sources of a sample."""
    several = len(set(sources.tolist())) > 1
    return several and bool(manifest.config.get("level_sources", False))


def _leveled(look: Sample, manifest: Manifest) -> Sample:
    """Each source moved to the mean and deviation that it was clustered by."""
    notes = manifest.config.get("clustering")
    if look.nuclei is None or not notes or not is_leveled(look.sources, manifest):
        return look
    weights = _weights(look.labels, notes["quality"]["sizes"])
    nuclei = look.nuclei.copy()
    for source in set(look.sources.tolist()):
        rows = look.sources == source
        mean = np.average(nuclei[rows], axis=0, weights=weights[rows])
        spread = np.average((nuclei[rows] - mean) ** 2, axis=0, weights=weights[rows])
        spread = np.where(spread > 0, spread, 1.0) ** 0.5
        nuclei[rows] = (nuclei[rows] - mean) / spread * notes["std"] + notes["mean"]
    return dataclasses.replace(look, nuclei=nuclei)


def _weights(
    labels: npt.NDArray[np.int64], sizes: Sequence[int]
) -> npt.NDArray[np.float64]:
    # max_per_class keeps a larger part of a small cluster than of a large one.
    found = np.bincount(labels, minlength=len(sizes))
    return (np.asarray(sizes, np.float64) / np.maximum(found, 1))[labels]


def _share_kept(manifest: Manifest) -> float:
    passed = sum(manifest.count(split) for split in manifest.counts)
    passed += manifest.dropped.get(OVER_CAP, 0)
    failed = sum(manifest.dropped.values()) - manifest.dropped.get(OVER_CAP, 0)
    return passed / max(passed + failed, 1)


def _largest_cases(
    names: Sequence[str], cases: Sequence[str], classes: Sequence[str]
) -> dict[str, tuple[str, float]]:
    largest = {}
    for name in classes:
        found = Counter(case for own, case in zip(names, cases) if own == name)
        if found:
            # The name settles what equal numbers leave open.
            case, number = min(found.items(), key=lambda item: (-item[1], item[0]))
            largest[name] = (case, number / found.total())
    return largest


def _stain_areas(look: Sample, classes: Sequence[str]) -> dict[str, float]:
    from scipy.stats import rankdata

    ranks = rankdata(look.amounts)
    areas = {}
    for label, name in enumerate(classes):
        own = look.labels == label
        n, rest = int(own.sum()), int((~own).sum())
        if len(classes) == 2:
            name = f"{classes[0]} against {classes[1]}"
        if n and rest and name not in areas:
            area = (ranks[own].sum() - n * (n + 1) / 2) / (n * rest)
            areas[name] = float(max(area, 1 - area))
    return areas


def _agreement(look: Sample, manifest: Manifest) -> float | None:
    notes = manifest.config.get("clustering")
    if look.nuclei is None or not notes or not len(look.labels):
        return None
    gaps = (look.nuclei[:, None] - np.array(notes["centers"])) / np.array(notes["std"])
    nearest = (gaps**2).sum(axis=2).argmin(axis=1)
    return float((nearest == look.labels).mean())
