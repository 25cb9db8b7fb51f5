"""Kill data_prep at random moments and compare the set that comes of it in the end.

    python -m tests.kills.sets nuclei --config configs/data_prep/demo_nuclei.yaml

The same command is started again and again, and gets SIGKILL, its workers with it,
after a random time; a set that is finished is compared byte by byte with that of an
unbroken run, removed, and begun anew, until the number of kills is reached.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.kills.loop import Job, kill, parse


class Set(Job):
    """A set that data_prep makes of the pictures of a config."""

    noun = "sets"
    moments = (0.05, 0.8)

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        super().__init__([options.dataset])
        self._out = folder / "set"
        self._partial = folder / ".set.partial"
        self._options = ["--config", options.config, "--workers", str(options.workers)]

    def command(self, step: str) -> list[str] | None:
        if self._out.exists() and not self._partial.exists():
            return None
        command = [sys.executable, "-m", "data_prep", step, *self._options]
        # Killed between the set's name and the end: it is whole; tidied by --force.
        force = ["--force"] if self._out.exists() else []
        return [*command, "--out", str(self._out), *force]

    def read(self) -> dict[str, bytes]:
        found = {path.name: path.read_bytes() for path in self._out.iterdir()}
        beside = sorted(path.name for path in self._out.parent.iterdir())
        return found | {"beside it": " ".join(beside).encode()}

    def clear(self) -> None:
        shutil.rmtree(self._out)

    def describe(self, step: str) -> str:
        parts = {
            name: len(list((self._partial / name).glob("[0-9a-z]*")))
            for name in ("found", "cut", "set")
            if (self._partial / name).is_dir()
        }
        return ", ".join(f"{n} files in {name}" for name, n in parts.items()) or "-"


def main() -> int:
    """Kill, finish, compare; 0 when all bytes are equal and nothing is left over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("tissue", "nuclei", "target"))
    parser.add_argument("--config", required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        job = Set(options, Path(folder))
        return 1 if kill(job, kills=options.kills, seed=options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
