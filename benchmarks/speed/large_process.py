"""One measurement of ``benchmarks.speed.large``: a command in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

COMMAND = (sys.executable, "-m")
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
        process = subprocess.Popen(command, stdout=output, stderr=output)
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
