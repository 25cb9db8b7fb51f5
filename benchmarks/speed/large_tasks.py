"""What ``benchmarks.speed.large`` runs in processes of their own, a function each."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402

from data_prep.engine import Engine  # noqa: E402
from data_prep.phantom.write import draw_target  # noqa: E402
from data_prep.sets.patches import PatchRef, grid_origins  # noqa: E402
from data_prep.sets.plan import PlannedImage  # noqa: E402
from data_prep.sets.spool import CutPatches  # noqa: E402
from data_prep.sets.unfinished import unfinished  # noqa: E402
from data_prep.sets.writer import take_name, write_set  # noqa: E402
from gastric_keras.records.schema import Manifest, read_manifest  # noqa: E402

CLASSES = ("even", "odd")
SIDE = 16
_PICTURE = 512
_BATCH = 32


def write(size: str, out: str) -> None:
    """Train of ``size`` records, and validation of one picture's, into ``out``."""
    import cv2

    path = Path(out).with_name("picture.png")
    if not path.is_file():
        image = draw_target(np.random.default_rng(0), _PICTURE, label="benign").image
        cv2.imwrite(str(path), image[:, :, ::-1])
    manifest = Manifest("target", CLASSES, {}, {}, 0, 0.0, {}, {}, ())
    with unfinished(out, size) as work:
        done = write_set(
            _plan(path, int(size)),
            manifest,
            work,
            cut=CutPatches(None, _PICTURE**2),
            records_per_shard=1000,
            engine=Engine(workers=1),
        )
        take_name(work, out)
    _say(sum(done.count(split) for split in done.counts))


def _plan(path: Path, size: int) -> list[PlannedImage]:
    """One picture under many names: as many patches as are wanted."""
    origins = grid_origins((_PICTURE, _PICTURE), SIDE)
    plan = []
    for number in range(-(-size // len(origins)) + 1):
        left = size - number * len(origins)
        # Each picture has numbers of its own, as those that pass 1 finds have.
        refs = [PatchRef(x, y, (x + y) // SIDE % 2) for x, y in origins.tolist()]
        # The last picture is the validation's.
        split, refs = ("train", refs[:left]) if left > 0 else ("validation", refs)
        name = f"picture-{number:05d}"
        plan.append(
            PlannedImage(path, name, f"case-{name}", split, SIDE, 0.5, tuple(refs))
        )
    return plan


def check(folder: str) -> None:
    """Everything that a stage compares before it trains."""
    from gastric_keras.records.checks import check_set

    manifest = check_set(folder, CLASSES, key="target")
    _say(sum(manifest.count(split) for split in manifest.counts))


def train(folder: str, first: str, end: str, digest_from: str = "") -> None:
    """Epochs as training reads them; the digest is that of all from one of them."""
    from gastric_keras.config.fit import AugmentConfig
    from gastric_keras.data.pipeline import steps_per_epoch, train_dataset

    steps = steps_per_epoch(folder, "train", _BATCH)
    batches = train_dataset(
        folder,
        image_size=SIDE,
        batch_size=_BATCH,
        initial_epoch=int(first),
        epochs=int(end),
        augment_config=AugmentConfig(),
    )
    digest = hashlib.sha256()
    number = 0
    for number, (patches, labels) in enumerate(batches.as_numpy_iterator(), start=1):
        if digest_from and number > (int(digest_from) - int(first)) * steps:
            digest.update(patches.tobytes() + labels.tobytes())
    assert number == (int(end) - int(first)) * steps
    _say(number * _BATCH)
    print(f"digest: {digest.hexdigest()}")


def evaluate(folder: str) -> None:
    """Every record of train once, in order, as evaluation reads them."""
    from gastric_keras.data.pipeline import eval_dataset

    batches = eval_dataset(folder, "train", image_size=SIDE, batch_size=_BATCH)
    found = sum(len(batch["label"]) for batch in batches.as_numpy_iterator())
    assert found == read_manifest(folder).count("train")
    _say(found)


def _say(records: int) -> None:
    print(f"records: {records}")


if __name__ == "__main__":
    {"write": write, "check": check, "train": train, "eval": evaluate}[sys.argv[1]](
        *sys.argv[2:]
    )
