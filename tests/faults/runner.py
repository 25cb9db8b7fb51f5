"""Runs cases in processes with a limit of time and memory, and counts how they end."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from tests.faults.kinds import Kind, Outcome, judge
from tests.faults.registry import KINDS
from tests.helpers.processor import processor_time

#: Seconds of the processor that one case may take, however busy the machine is; ten
#: times as long by the clock, for one that sleeps.
SECONDS = 20.0
#: Bytes of address space that a worker may take on top of what its imports took.
MEMORY = 3 << 29

#: Files of a case that are not its input.
_FAULT, _CASE = "fault.txt", "case.json"


@dataclass(frozen=True)
class Ending:
    """How one case ended.

    Attributes:
        kind: of the input.
        seed: of the case.
        fault: what was done to the input.
        outcome: right, refused or failed.
        words: of the error.
        seconds: that it took.
        growth: MiB by which the most memory that the worker ever used rose.
        cases: how many were tried in it.
    """

    kind: str
    seed: int
    fault: str
    outcome: Outcome
    words: str
    seconds: float
    growth: float
    cases: int = 1


@dataclass
class Tally:
    """The endings of many cases.

    Attributes:
        counts: kind -> outcome -> number.
        faults: (kind, fault) -> outcome -> number.
        failures: those that failed.
        slowest: seconds of the slowest case by kind.
        largest: MiB of the greatest growth by kind.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    failures: list[Ending] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)
    largest: dict[str, float] = field(default_factory=dict)

    def add(self, ending: Ending) -> None:
        """Count one more."""
        kind = ending.kind
        for table, key in ((self.counts, kind), (self.faults, (kind, ending.fault))):
            table.setdefault(key, Counter())[ending.outcome] += ending.cases
        self.slowest[kind] = max(self.slowest.get(kind, 0.0), ending.seconds)
        self.largest[kind] = max(self.largest.get(kind, 0.0), ending.growth)
        if ending.outcome == "failed":
            self.failures.append(ending)


def run(
    cases: Iterable[tuple[str, int]],
    *,
    keep: Path,
    kinds: Mapping[str, Kind] = KINDS,
    seconds: float = SECONDS,
) -> Tally:
    """Try cases one after the other.

    Args:
        cases: (kind, seed) of each.
        keep: folder that the cases that failed are moved to, to be replayed.
        kinds: those that there are; picklable.
        seconds: that one case may take.

    Returns:
        How they ended.
    """
    tally = Tally()
    # Interrupted, it tells of what was tried so far.
    with suppress(KeyboardInterrupt), _worker(kinds, seconds) as worker:
        with tempfile.TemporaryDirectory() as parent:
            for kind, seed in cases:
                folder = Path(parent) / f"{kind}-{seed}"
                folder.mkdir()
                ending = worker.try_case(kind, seed, folder)
                tally.add(ending)
                if ending.outcome == "failed":
                    _save(folder, ending, keep)
                shutil.rmtree(folder, ignore_errors=True)
    return tally


def replay(folder: Path) -> tuple[Outcome, str]:
    """Read a case that was kept, in this process and without limits."""
    case = json.loads((folder / _CASE).read_text())
    kind = KINDS[case["kind"]]
    _prepare([kind])
    return judge(kind, folder)


def _save(folder: Path, ending: Ending, keep: Path) -> None:
    target = keep / folder.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, symlinks=True)
    (target / _CASE).write_text(json.dumps(vars(ending), indent=2) + "\n")


class _Worker:
    """A process that reads cases; started anew when one kills it or hangs."""

    def __init__(self, kinds: Mapping[str, Kind], seconds: float) -> None:
        self.kinds, self.seconds = kinds, seconds
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def try_case(self, kind: str, seed: int, folder: Path) -> Ending:
        started = time.monotonic()
        if self._process is None:
            self._start()
            started = time.monotonic()
        assert self._pipe is not None
        self._pipe.send((kind, seed, str(folder)))
        words = "killed its process"
        try:
            if self._answers(self.seconds * self.kinds[kind].batch ** 0.5):
                return self._pipe.recv()
            words = f"no answer after {time.monotonic() - started:.0f} s"
        except (EOFError, ConnectionError):
            pass
        self.stop()
        note = folder / _FAULT
        fault = note.read_text() if note.is_file() else "?"
        seconds = time.monotonic() - started
        return Ending(kind, seed, fault, "failed", words, seconds, 0.0)

    def _answers(self, seconds: float) -> bool:
        assert self._pipe is not None and self._process is not None
        first, started = processor_time(self._process.pid), time.monotonic()
        while not self._pipe.poll(0.5):
            used = processor_time(self._process.pid) - first
            if used > seconds or time.monotonic() - started > 10 * seconds:
                return False
        return True

    def _start(self) -> None:
        # spawn: TensorFlow does not live through a fork.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self.kinds), daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe.recv()

    def stop(self) -> None:
        """End the process, however it is."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = self._pipe = None


@contextmanager
def _worker(kinds: Mapping[str, Kind], seconds: float) -> Iterator[_Worker]:
    worker = _Worker(kinds, seconds)
    try:
        yield worker
    finally:
        worker.stop()


def _prepare(kinds: Iterable[Kind]) -> None:
    # What NumPy only warns of (a cast of NaN, an overflow) is a wrong answer here.
    warnings.simplefilter("error", RuntimeWarning)
    if any(kind.needs_tensorflow for kind in kinds):
        import gastric_keras.training.ladder  # noqa: F401


def _serve(pipe: Connection, kinds: Mapping[str, Kind]) -> None:
    _prepare(kinds.values())
    # What decoders in C say on their way to the same error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    pipe.send("ready")
    while True:
        name, seed, folder = pipe.recv()
        # On top of what the models of earlier cases keep.
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
        pipe.send(_try_case(kinds[name], seed, Path(folder)))


def _try_case(kind: Kind, seed: int, folder: Path) -> Ending:
    name = kind.name
    fault = kind.write(random.Random(f"{name}:{seed}"), folder)
    (folder / _FAULT).write_text(fault)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    outcome, words = judge(kind, folder)
    seconds = time.process_time() - started
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return Ending(name, seed, fault, outcome, words, seconds, growth, kind.batch)
