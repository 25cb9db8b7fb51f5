"""The engines side by side: one core, all cores, Apache Beam; time, memory, bytes.

    python -m benchmarks.speed.engine nuclei --config configs/data_prep/ebhi_nuclei.yaml

Each makes the same set from the start, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import rows


def main() -> int:
    """Print the table; 0 when all sets are equal byte by byte."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", choices=("tissue", "nuclei", "target"))
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--runner", default="DirectRunner", help="none skips Beam")
    parser.add_argument(
        "--runner-option", dest="runner_options", action="append", default=[]
    )
    parsed = parser.parse_args()
    command = [sys.executable, "-m", "data_prep", parsed.dataset]
    command += ["--config", parsed.config]
    for override in parsed.overrides:
        command += ["--set", override]
    cores = os.cpu_count() or 1
    engines = {"1 worker": ["--workers", "1"]}
    engines[f"{cores} workers"] = ["--workers", str(cores)]
    if parsed.runner != "none":
        options = [f"--runner-option={option}" for option in parsed.runner_options]
        engines[f"Beam {parsed.runner}"] = ["--runner", parsed.runner, *options]
    sets, first, took = [], 0.0, {}
    print("| engine | s | times 1 worker | largest process, MB |")
    print("| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, options) in enumerate(engines.items()):
            out = Path(folder) / str(number)
            start = time.monotonic()
            subprocess.run(
                [*command, *options, "--out", str(out)],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            seconds = time.monotonic() - start
            first = first or seconds
            # Of all children so far, so it can only grow from line to line.
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            speed = first / seconds
            print(
                f"| {name} | {seconds:.1f} | {speed:.2f} | {memory:.0f} |", flush=True
            )
            took[name] = seconds
            sets.append({p.name: p.read_bytes() for p in sorted(out.iterdir())})
    rows.save(_rows(parsed.dataset, took))
    same = all(entry == sets[0] for entry in sets)
    print(f"\n{len(sets[0])} files a set, byte-identical: {same}")
    return 0 if same else 1


def _rows(dataset: str, took: dict[str, float]) -> Iterator[rows.Row]:
    """Each engine beside the first one."""
    (peer, first), *others = took.items()
    for name, seconds in others:
        aim = None if name.startswith("Beam") else 0.9 * int(name.split()[0])
        what = f"data_prep {dataset}, {name}"
        yield rows.Row(what, seconds, "s", peer, first, better="less", aim=aim)


if __name__ == "__main__":
    sys.exit(main())
