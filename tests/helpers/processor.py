"""What the processor did for a process, which a busy machine does not stretch."""

from __future__ import annotations

import os
from pathlib import Path


def processor_time(pid: int | None) -> float:
    """Seconds that a process has worked so far, by ``/proc``.

    Args:
        pid: of a process that runs.
    """
    # utime and stime stand behind the name, which may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
