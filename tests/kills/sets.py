"""Kill data_prep at random moments and compare the set that comes of it in the end.

    python -m tests.kills.sets nuclei --config configs/data_prep/demo_nuclei.yaml

The same command is started again and again, and gets SIGKILL, its workers with it,
after a random time; a set that is finished is compared byte by byte with that of an
unbroken run, removed, and begun anew, until the number of kills is reached.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def main() -> int:
    """Kill, finish, compare; 0 when all bytes are equal and nothing is left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("tissue", "nuclei", "target"))
    parser.add_argument("--config", required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parsed = parser.parse_args()
    command = [sys.executable, "-m", "data_prep", parsed.dataset]
    command += ["--config", parsed.config, "--workers", str(parsed.workers), "--out"]
    with tempfile.TemporaryDirectory() as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        start = time.monotonic()
        subprocess.run([*command, str(whole)], check=True, capture_output=True)
        length = time.monotonic() - start
        print(f"unbroken run: {length:.1f} s", flush=True)
        kills = different = sets = 0
        while kills < parsed.kills:
            for moment in _kill([*command, str(broken)], length, parsed, kills):
                kills += 1
                print(f"kill {kills}: {moment}", flush=True)
            different += _read(whole) != _read(broken)
            shutil.rmtree(broken)
            sets += 1
            left = sorted(path.name for path in Path(folder).iterdir())
            different += left != ["whole"]
        print(f"{kills} kills, {sets} sets finished after them, {different} different")
    return 1 if different else 0


def _kill(
    command: list[str], length: float, parsed: argparse.Namespace, kills: int
) -> Iterator[str]:
    """Start and kill until the set is whole; where each kill found it."""
    rng = random.Random(f"{parsed.seed}:{kills}")
    out = Path(command[-1])
    partial = out.with_name(f".{out.name}.partial")
    while not out.exists() or partial.exists():
        if out.exists():
            # Killed between the set's name and the end: it is whole; tidied by --force.
            command = [*command, "--force"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            limit = rng.uniform(0.05, 0.8) * length
            process.wait(None if kills >= parsed.kills else limit)
        except subprocess.TimeoutExpired:
            # All at once, as the kernel does it for want of memory or power.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            parts = {
                name: len(list((partial / name).glob("[0-9a-z]*")))
                for name in ("found", "cut", "set")
                if (partial / name).is_dir()
            }
            yield ", ".join(f"{n} files in {name}" for name, n in parts.items()) or "-"


def _read(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


if __name__ == "__main__":
    sys.exit(main())
