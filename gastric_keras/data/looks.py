"""What patches look like, measured on their pixels: for leaks, and for drift."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gastric_keras.data.decode import decode_rgb
from gastric_keras.imaging.fingerprints import Pictures, mean_color, shrink
from gastric_keras.imaging.stain import optical_density, separate_stains
from gastric_keras.records.manifest import read_manifest, shard_paths
from gastric_keras.records.schema import parse, record_key
from gastric_keras.support.errors import InputError
from gastric_keras.support.progress import with_progress

#: Patches that are held at a time.
CHUNK = 2048
#: Least sum of the optical densities of R, G and B of a pixel that is no bare glass.
LEAST_DENSITY = 0.15
#: Of each patch, in the order of ``Appearance.values``.
MEASURES = (
    "hematoxylin_mean",
    "hematoxylin_deviation",
    "eosin_mean",
    "eosin_deviation",
    "tissue_share",
)


@dataclass(frozen=True)
class _Patch:
    """A record, decoded: pixels (H, W, 3) uint8."""

    case: str
    image: str
    x: int
    y: int
    mpp: float
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Looks:
    """Some patches, as the search for leaks compares them.

    Attributes:
        keys: (n,) record keys.
        cases: (n,) case ids.
        images: (n,) image ids.
        hashes: (n,) SHA-256 of the decoded pixels.
        pictures: their thumbnails and colors.
    """

    keys: tuple[str, ...]
    cases: tuple[str, ...]
    images: tuple[str, ...]
    hashes: tuple[str, ...]
    pictures: Pictures


def read_looks(
    folder: Path | str, splits: Sequence[str], *, chunk: int | None = CHUNK
) -> Iterator[Looks]:
    """Read what is compared of every patch of some splits.

    Args:
        folder: of the set.
        splits: of the set, with patches in each.
        chunk: patches a part; None: all in one.

    Yields:
        The patches, part by part, in the order of the records.

    Raises:
        InputError: a record or a picture is damaged.
    """
    rows = map(_look, _read_patches(folder, splits))
    while part := list(islice(rows, chunk)):
        keys, cases, images, hashes, thumbnails, colors = zip(*part, strict=True)
        pictures = Pictures(np.stack(thumbnails), np.stack(colors))
        yield Looks(keys, cases, images, hashes, pictures)


def _look(patch: _Patch) -> tuple:
    pixels = patch.pixels
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    key = record_key(patch.image, patch.x, patch.y)
    names = key, patch.case, patch.image, digest
    return *names, shrink(pixels), mean_color(pixels)


@dataclass(frozen=True, eq=False)
class Appearance:
    """Stain and scale of the patches of some splits.

    Attributes:
        cases: (n,) str case ids.
        values: (n, 5) float64, as of ``MEASURES``: mean and deviation of hematoxylin
            and of eosin over the tissue of the patch, in units of optical density, NaN
            without tissue; and the share of tissue in [0, 1].
        width_um: (n,) float64, tissue that the patch shows from side to side, µm; NaN
            where the scale is not known.
    """

    cases: npt.NDArray[np.str_]
    values: npt.NDArray[np.float64]
    width_um: npt.NDArray[np.float64]


def read_appearance(folder: Path | str, splits: Sequence[str]) -> Appearance:
    """Measure stain and scale of every patch of some splits.

    Args:
        folder: of the set.
        splits: of the set, with patches in each.

    Raises:
        InputError: a record or a picture is damaged.
    """
    cases, values, widths = [], [], []
    for patch in _read_patches(folder, splits):
        cases.append(patch.case)
        values.append(measure_stain(patch.pixels))
        widths.append(patch.mpp * patch.pixels.shape[1] or np.nan)
    return Appearance(np.array(cases), np.array(values), np.array(widths))


def measure_stain(pixels: npt.NDArray[np.uint8]) -> tuple[float, ...]:
    """Stain of one patch.

    Args:
        pixels: (H, W, 3) uint8, RGB.

    Returns:
        As of ``MEASURES``; the first four are NaN where all is bare glass.
    """
    tissue = optical_density(pixels).sum(axis=-1) >= LEAST_DENSITY
    share = float(tissue.mean())
    if not share:
        return *(float("nan"),) * 4, share
    amounts = separate_stains(pixels)[tissue].astype(np.float64)
    blue, pink = amounts[:, 0], amounts[:, 1]
    return *map(float, (blue.mean(), blue.std(), pink.mean(), pink.std())), share


def _read_patches(folder: Path | str, splits: Sequence[str]) -> Iterator[_Patch]:
    manifest = read_manifest(folder)
    shards = [p for split in splits for p in shard_paths(folder, manifest, split)]
    names = ("image", "case_id", "image_id", "x", "y", "mpp")

    def example(raw: tf.Tensor) -> dict[str, tf.Tensor]:
        values = parse(raw, names)
        return values | {"image": decode_rgb(values["image"])}

    # In the records' order, so that examples in messages do not change.
    rows = tf.data.TFRecordDataset(shards).map(
        example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    total = sum(manifest.count(split) for split in splits)
    iterator = rows.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
    try:
        for row in with_progress(
            iterator, total, f"{folder}: reading patches", unit="patches"
        ):
            case, image = row["case_id"].decode(), row["image_id"].decode()
            place = int(row["x"]), int(row["y"])
            yield _Patch(case, image, *place, float(row["mpp"]), row["image"])
    except tf.errors.OpError as error:
        raise InputError(
            "Patches must be whole records with a picture that decodes, got "
            f"{folder} ({type(error).__name__}). Make the set again with data_prep."
        ) from error
