"""The processes of ``benchmarks.speed.large``: what one took, and what it can run.

python -m benchmarks.speed.large_process TASK ARGUMENTS  # a function below, by name
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from data_prep.engine import Engine
from data_prep.phantom.write import draw_target
from data_prep.sets.patches import PatchRef, grid_origins
from data_prep.sets.plan import PlannedImage
from data_prep.sets.spool import CutPatches
from data_prep.sets.unfinished import unfinished
from data_prep.sets.writer import take_name, write_set
from gastric_keras.records.manifest import Manifest, read_manifest

COMMAND = (sys.executable, "-m")
CLASSES = ("even", "odd")
SIDE = 16
_PICTURE = 512
_BATCH = 32
#: How the commands say how many records they had; the first that is found counts.
_COUNTS = re.compile(r"^records: (\d+)|: (\d+) patches kept", re.MULTILINE)
_DIGEST = re.compile(r"^digest: (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Measure:
    """What one command took.

    Attributes:
        name: of the command.
        records: or patches that it made or read.
        seconds: by the clock.
        cpu: seconds of the processor, of all its threads and children.
        megabytes: largest resident set of the process or any child of it.
        note: what came of it, where that is the question.
    """

    name: str
    records: int
    seconds: float
    cpu: float
    megabytes: float
    note: str = ""

    HEAD: ClassVar[str] = (
        "| what | records | s | CPU s | CPU µs a further record | records/s | MB | |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )

    def row(self, before: Measure | None) -> str:
        """A row under ``HEAD``.

        Args:
            before: the same command with fewer records: what it took is taken off, and
                with it the start of the process. The further record is linear in time
                where it costs the same in every row.
        """
        further = "-"
        if before is not None:
            more = self.records - before.records
            further = f"{1e6 * (self.cpu - before.cpu) / more:.0f}"
        return (
            f"| {self.name} | {self.records:,} | {self.seconds:.1f} | {self.cpu:.1f} "
            f"| {further} | {self.records / self.seconds:,.0f} | {self.megabytes:.0f} "
            f"| {self.note} |"
        )


def timed(name: str, command: Sequence[str], *, good: Sequence[int] = (0,)) -> Measure:
    """Run a command to its end, which must be a good one."""
    return run(name, command, good=good)[0]


def run(
    name: str, command: Sequence[str], *, good: Sequence[int] = (0,)
) -> tuple[Measure, str]:
    """The same, with what the command said of its digest; empty where it said none."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        # wait4 and not getrusage, which only knows the largest child of all so far.
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode not in good:
        raise SystemExit(f"{' '.join(command)} ended with {status}:\n{text[-3000:]}")
    count = _COUNTS.search(text)
    digest = _DIGEST.search(text)
    records = int(count[1] or count[2]) if count else 0
    cpu = used.ru_utime + used.ru_stime
    measure = Measure(name, records, seconds, cpu, used.ru_maxrss / 1e3)
    return measure, digest[1] if digest else ""


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
    from gastric_keras.data.selection import Selection

    selection = Selection(folder)
    steps = steps_per_epoch(selection, _BATCH)
    batches = train_dataset(
        selection,
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
    from gastric_keras.data.selection import Selection

    batches = eval_dataset(Selection(folder), image_size=SIDE, batch_size=_BATCH)
    found = sum(len(batch["label"]) for batch in batches.as_numpy_iterator())
    assert found == read_manifest(folder).count("train")
    _say(found)


def _say(records: int) -> None:
    print(f"records: {records}")


if __name__ == "__main__":
    TASKS: dict[str, Callable[..., None]]
    TASKS = {"write": write, "check": check, "train": train, "eval": evaluate}
    TASKS[sys.argv[1]](*sys.argv[2:])
