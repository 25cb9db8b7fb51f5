"""The part *resume* of ``benchmarks.speed.large``: killed half-way, then resumed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.speed.large_process import COMMAND, Measure, run, timed
from gastric_keras.support.files import sha256_of
from tests.helpers.processor import processor_time


def kill(name: str, command: Sequence[str], folder: Path) -> Iterator[Measure]:
    """An unbroken run; one killed after half of its time; and what follows that.

    Args:
        name: of the command.
        command: all of it but the folder of the set, which comes last.
        folder: where the sets go, and go from again.

    Yields:
        The unbroken run and the one that went on.
    """
    whole, broken = folder / "whole", folder / "broken"
    unbroken = timed(name, [*command, str(whole)])
    yield dataclasses.replace(unbroken, note="unbroken")
    process = subprocess.Popen(
        [*command, str(broken)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # By the processor's clock, which a busy machine does not stretch.
    while processor_time(process.pid) < unbroken.cpu / 2 and process.poll() is None:
        time.sleep(0.2)
    assert process.poll() is None and not broken.exists(), "killed too late"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    resumed = timed(name, [*command, str(broken)])
    same = _sums(whole) == _sums(broken)
    left = sorted(path.name for path in folder.glob(".*"))
    note = f"gone on with after SIGKILL at half of the work; {_verdict(same)}"
    yield dataclasses.replace(resumed, note=note + (f"; left {left}" if left else ""))
    remove(whole)
    remove(broken)


def read_on(records: Path, size: int) -> Iterator[Measure]:
    """Two epochs read without a break, and the second begun anew."""
    task = [*COMMAND, "benchmarks.speed.large_tasks"]
    timed("write records", [*task, "write", str(size), str(records)])
    unbroken, wanted = run(
        "train_dataset", [*task, "train", str(records), "0", "2", "1"]
    )
    yield dataclasses.replace(unbroken, note="two epochs, unbroken")
    resumed, found = run("train_dataset", [*task, "train", str(records), "1", "2", "1"])
    note = f"the second epoch begun anew; {_verdict(found == wanted)}"
    yield dataclasses.replace(resumed, note=note)
    remove(records)


def remove(folder: Path) -> None:
    """Remove a set, and what it may have left beside it."""
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name(f".{folder.name}.partial"), ignore_errors=True)


def _sums(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir())}


def _verdict(same: bool) -> str:
    return "every byte equal" if same else "DIFFERENT"
