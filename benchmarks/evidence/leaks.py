"""The leak checker on real patches: false alarms, recall, and time up to 48,000.

Command: python -m benchmarks.evidence.leaks --data ../shared/data --out /tmp/leaks
Cost: about 6 minutes on 2 busy cores, 1.3 GB under --out (the sets for the time).
Expect: no pair of different cases flagged, every planted copy found, seconds that grow
as the number of patches does. Figures of one such run: docs/LEAKS.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data_prep.engine import map_items
from data_prep.leaks.contents import read_contents
from data_prep.leaks.find import find_leaks
from gastric_keras.imaging.fingerprints import (
    MIN_DEVIATION,
    Pictures,
    correlate,
    find_alike,
    mean_color,
    shrink,
)
from gastric_keras.imaging.images import read_image
from gastric_keras.records.manifest import Manifest, Shard, shard_name, write_manifest
from gastric_keras.records.schema import PatchRecord, serialize
from gastric_keras.support.files import sha256_of

Image = npt.NDArray[np.uint8]

QUALITIES = (60, 75, 90)
SCALES = (0.9, 1.0, 1.1)
SIZES = (6_000, 12_000, 24_000, 48_000)
#: Patches a shard, as data_prep writes them.
_SHARD = 1000
#: Patches whose copies are planted, of each collection.
_SOURCES = 100
_COPIES_PER_SHARD = 10


def main() -> None:
    """Measure and print, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--skip-time", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ebhi, cases = _read(options.data / "ebhi", "path", "case_id")
    glas, patients = _read(options.data / "regions", "path", "patient_id")
    _print_row("patches", "flat", "pairs", "flagged", "images flagged", "nearest")
    for name, images, owners, side in (
        ("EBHI, whole, 224 px", ebhi, cases, 224),
        ("EBHI, quarters, 112 px", ebhi, cases, 112),
        ("GlaS, 112 px", glas, patients, 112),
    ):
        _measure(name, *_cut(images, owners, side), out=options.out)
    if not options.skip_time:
        _time(ebhi, options.out)


def _read(folder: Path, path: str, owner: str) -> tuple[list[Image], list[str]]:
    with open(folder / "index.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    images = [read_image(folder / row[path]) for row in rows]
    return images, [row[owner] for row in rows]


def _cut(
    images: Sequence[Image], owners: Sequence[str], side: int
) -> tuple[list[Image], npt.NDArray[np.str_]]:
    """All patches edge to edge, and whose they are."""
    patches, whose = [], []
    for image, owner in zip(images, owners):
        for y in range(0, image.shape[0] - side + 1, side):
            for x in range(0, image.shape[1] - side + 1, side):
                patches.append(image[y : y + side, x : x + side])
                whose.append(owner)
    return patches, np.array(whose)


def _pictures(images: Sequence[Image]) -> Pictures:
    return Pictures(
        np.stack([shrink(np.ascontiguousarray(image)) for image in images]),
        np.stack([mean_color(image) for image in images]),
    )


def _measure(
    name: str, patches: list[Image], whose: npt.NDArray[np.str_], *, out: Path
) -> None:
    """False alarms between different patients, and the recall of planted copies."""
    pictures = _pictures(patches)
    flagged = {
        (alike.first, alike.second)
        for alike in find_alike(pictures, pictures)
        if alike.first < alike.second and whose[alike.first] != whose[alike.second]
    }
    rows = pictures.rows
    _, sizes = np.unique(whose[rows], return_counts=True)
    pairs = (len(rows) ** 2 - int((sizes**2).sum())) // 2
    nearest = _nearest(pictures, whose)
    involved = len({row for pair in flagged for row in pair})
    _print_row(
        f"{name}: {len(patches)}",
        f"{int(pictures.is_flat.sum())}",
        f"{pairs:,}",
        f"{len(flagged)} ({len(flagged) / pairs:.1e} a pair)",
        f"{involved} ({involved / len(rows):.1e})",
        f"{nearest[0][0]:.3f}",
    )
    sheet = [np.hstack([_at(patches[i]), _at(patches[j])]) for _, i, j in nearest]
    path = out / f"nearest {name.split(':')[0]}.png"
    cv2.imwrite(str(path), np.vstack(sheet)[..., ::-1])
    _recall(name, patches, pictures)


def _at(patch: Image, side: int = 160) -> Image:
    return np.asarray(cv2.resize(patch, (side, side)), np.uint8)


def _nearest(
    pictures: Pictures, whose: npt.NDArray[np.str_], *, most: int = 6
) -> list[tuple[float, int, int]]:
    """The most alike pairs of different patients, of the 60 next of each patch."""
    from scipy.spatial import cKDTree

    rows = pictures.rows
    # Without the radius: how close do other patches come to being called copies?
    _, places = cKDTree(pictures.prints).query(
        pictures.prints, k=min(60, len(rows)), workers=-1
    )
    left = np.repeat(np.arange(len(rows)), places.shape[1])
    right = places.reshape(-1)
    keep = (left < right) & (whose[rows[left]] != whose[rows[right]])
    left, right = rows[left[keep]], rows[right[keep]]
    found = np.concatenate(
        [
            correlate(
                pictures.thumbnails[left[s : s + 2048]],
                pictures.thumbnails[right[s : s + 2048]],
            )
            for s in range(0, len(left), 2048)
        ]
    )
    order = np.argsort(-found)[:most]
    return [(float(found[k]), int(left[k]), int(right[k])) for k in order]


def _ways(image: Image) -> Iterator[Image]:
    for quarter in range(4):
        turned = np.rot90(image, quarter)
        yield turned
        yield turned[:, ::-1]


def _copy(image: Image, quality: int, scale: float) -> Image:
    image = np.ascontiguousarray(image)
    if scale != 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    data = cv2.imencode(".jpg", image[..., ::-1], flags)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def _recall(name: str, patches: list[Image], pictures: Pictures) -> None:
    rng = np.random.default_rng(0)
    sources = rng.choice(pictures.rows, _SOURCES, replace=False)
    copies, source_of = [], []
    for row in sources:
        for way in _ways(patches[row]):
            for quality in QUALITIES:
                for scale in SCALES:
                    copies.append(_copy(way, quality, scale))
                    source_of.append(int(row))
    planted = _pictures(copies)
    found = find_alike(pictures, planted)
    hits = {a.second: a.correlation for a in found if a.first == source_of[a.second]}
    wrong = sum(a.first != source_of[a.second] for a in found)
    flat = int(planted.is_flat.sum())
    print(
        f"\n{name}: {len(hits)} of {len(copies)} copies found "
        f"({len(hits) / len(copies):.4f}), {flat} of them flat, least correlation "
        f"{min(hits.values()):.3f}; matched with another patch: {wrong} "
        f"(flat is a deviation below {MIN_DEVIATION:g} grey levels)\n",
        flush=True,
    )


def _print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def _time(images: list[Image], out: Path) -> None:
    """Seconds to read and to compare sets of growing size, two equal splits each."""
    folder = out / "time"
    folder.mkdir(exist_ok=True)
    pool = out / "images.npy"
    np.save(pool, np.stack(images))
    jobs = list(range(max(SIZES) // _SHARD))
    write = partial(_write_shard, pool, folder)
    shards = list(map_items(write, jobs, title="writing patches"))
    print(
        "| patches | read, s | compare, s | ms a patch | copies found | other pairs |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for size in SIZES:
        used = shards[: size // _SHARD]
        _write_set(folder, used)
        started = time.perf_counter()
        contents = read_contents(folder)
        read = time.perf_counter()
        leaks = find_leaks(contents)
        done = time.perf_counter()
        pairs = {p for leak in leaks if leak.kind == "perceptual" for p in leak.pairs}
        copies = {(one, other) for one, other in pairs if _is_copy(one, other)}
        planted = _COPIES_PER_SHARD * len(used) // 2
        _print_row(
            f"{size:,}",
            f"{read - started:.1f}",
            f"{done - read:.1f}",
            f"{1000 * (done - started) / size:.2f}",
            f"{len(copies)} of {planted}",
            str(len(pairs) - len(copies)),
        )


def _is_copy(one: str, other: str) -> bool:
    return other.startswith(f"copy of {one.split('@')[0]}@")


def _write_shard(pool: Path, folder: Path, index: int) -> Shard:
    """Even shards are of train; odd ones of test, with copies out of the one before."""
    import tensorflow as tf

    images = np.load(pool, mmap_mode="r")
    split = "test" if index % 2 else "train"
    path = folder / shard_name(split, index // 2, max(SIZES) // _SHARD // 2)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in range(_SHARD):
            name, image = _name(index, row), _draw(images, index, row)
            if split == "test" and row < _COPIES_PER_SHARD:
                way = list(_ways(_draw(images, index - 1, row)))[row % 8]
                image = _copy(way, QUALITIES[row % 3], SCALES[row % 3])
            flags = [cv2.IMWRITE_JPEG_QUALITY, 90]
            data = cv2.imencode(".jpg", image[..., ::-1], flags)[1].tobytes()
            writer.write(serialize(PatchRecord(data, 0, name, name, 0, 0)))
    return Shard(path.name, split, _SHARD, path.stat().st_size, sha256_of(path))


def _name(index: int, row: int) -> str:
    is_copy = index % 2 == 1 and row < _COPIES_PER_SHARD
    return f"copy of {index - 1}-{row}" if is_copy else f"{index}-{row}"


def _draw(images: npt.NDArray[np.uint8], index: int, row: int) -> Image:
    """Another patch of 224 px for every number: two pictures turned, zoomed, mixed."""
    rng = np.random.default_rng([index, row])
    parts = []
    for number in rng.integers(0, len(images), 2):
        turn = cv2.getRotationMatrix2D(
            (112, 112), rng.uniform(0, 360), rng.uniform(1.4, 2.2)
        )
        turn[:, 2] += rng.uniform(-30, 30, 2)
        parts.append(
            cv2.warpAffine(
                np.ascontiguousarray(images[number]),
                turn,
                (224, 224),
                borderMode=cv2.BORDER_REFLECT,
            )
        )
    weight = rng.uniform(0.35, 0.65)
    return np.asarray(cv2.addWeighted(parts[0], weight, parts[1], 1 - weight, 0))


def _write_set(folder: Path, shards: Sequence[Shard]) -> None:
    counts: dict[str, dict[str, int]] = {"train": {"a": 0}, "test": {"a": 0}}
    names: dict[str, list[str]] = {"train": [], "test": []}
    for index, shard in enumerate(shards):
        counts[shard.split]["a"] += shard.records
        names[shard.split] += [_name(index, row) for row in range(_SHARD)]
    cases = {split: tuple(sorted(found)) for split, found in names.items()}
    manifest = Manifest("target", ("a",), counts, cases, 224, 0.0, {}, {}, ())
    write_manifest(folder, replace(manifest, shards=tuple(shards)))


if __name__ == "__main__":
    main()
