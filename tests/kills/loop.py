"""Start a command, kill it at a random moment, start it again; compare in the end."""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tests.helpers.warm_process import WarmProcess

Process = subprocess.Popen | WarmProcess


class Job(ABC):
    """Commands, one after the other, that can be done again from nothing.

    Attributes:
        seconds: step -> how long its unbroken command took.
    """

    #: In front of the last line, where there are several jobs.
    name = ""
    #: What the commands make together.
    noun = "runs"
    #: Shares of an unbroken command's time between which it is killed.
    moments = (0.02, 1.0)

    def __init__(self, steps: Sequence[str]) -> None:
        self.steps = steps
        self.seconds: dict[str, float] = {}

    @abstractmethod
    def command(self, step: str) -> list[str] | None:
        """The command line of a step; None where a killed one left nothing to do."""

    @abstractmethod
    def read(self) -> dict[str, bytes]:
        """Name -> content of everything that must come out equal."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what the commands made."""

    def start(self, command: list[str], said: Path) -> Process:
        """Start a command line in its own session; ``said`` gets what it prints."""
        with open(said, "w") as stream:
            return subprocess.Popen(
                command, stdout=stream, stderr=stream, start_new_session=True
            )

    def measure(self, step: str, seconds: float) -> None:
        """Keep what ``wait`` wants to know of a step that was not killed."""
        self.seconds[step] = seconds

    def says_done(self, step: str) -> bool:
        """Whether the files say that all is finished: then it must be."""
        return False

    def describe(self, step: str) -> str:
        """How a kill found it."""
        return step

    def wait(self, process: Process, step: str, rng: random.Random) -> None:
        """Return at a random moment, or when the process ends."""
        try:
            process.wait(rng.uniform(*self.moments) * self.seconds[step])
        except subprocess.TimeoutExpired:
            pass


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add the options that every command has, and read the line."""
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def kill(job: Job, *, kills: int, seed: int) -> int:
    """Do a job unbroken, then kill it again and again until it ends by itself.

    Args:
        kills: how often it is killed, all rounds together.
        seed: of the moments.

    Returns:
        How often something differed: at the end of a round, or when it said that it
        was done.
    """
    for step in job.steps:
        started = time.monotonic()
        _ends(job, step, None)
        job.measure(step, time.monotonic() - started)
        print(f"unbroken {step}: {job.seconds[step]:.1f} s", flush=True)
    whole = job.read()
    if not whole:
        raise SystemExit(f"{', '.join(job.steps)} wrote nothing")
    rng = random.Random(seed)
    killed = rounds = different = 0
    while killed < kills:
        job.clear()
        for step in job.steps:
            while not _ends(job, step, rng if killed < kills else None):
                killed += 1
                print(f"kill {killed}: {job.describe(step)}", flush=True)
                if job.says_done(step):
                    different += _differs(f"done after kill {killed}", whole, job)
        rounds += 1
        different += _differs(f"round {rounds}", whole, job)
    print(
        f"{job.name}{killed} kills, {rounds} {job.noun} finished after them, "
        f"{different} different",
        flush=True,
    )
    return different


def _ends(job: Job, step: str, rng: random.Random | None) -> bool:
    """Start a step; False where it was killed, which it never is without ``rng``."""
    command = job.command(step)
    if command is None:
        return True
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        process = job.start(command, said)
        if rng is not None:
            job.wait(process, step, rng)
            if process.poll() is None:
                # Its workers too, as the kernel does it for want of memory or power.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return False
        if process.wait():
            raise SystemExit(f"{' '.join(command)}: {said.read_text()[-2000:]}")
    return True


def _differs(what: str, whole: dict[str, bytes], job: Job) -> bool:
    found = job.read()
    names = sorted(whole.keys() | found.keys())
    changes = [name for name in names if whole.get(name) != found.get(name)]
    print(f"{job.name}{what}: {', '.join(changes) or 'equal'}", flush=True)
    return bool(changes)
