"""Kill both training stages at random moments and compare the weights in the end.

    python -m tests.kills.training --config configs/demo.yaml --stages mid target

The same command is started again and again, and gets SIGKILL after a random time; a run
that is finished is compared with an unbroken one (every weight to the bit, every column
of history.csv but the times, predictions if there are any), removed, and begun anew,
until the number of kills is reached. On a CPU, under runtime.deterministic: true.
"""

from __future__ import annotations

import argparse
import csv
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

#: Columns of history.csv that tell the time, and so differ from run to run.
TIMES = ("images_per_second", "seconds")


def main() -> int:
    """Kill, finish, compare; 0 when every finished run equals the unbroken one."""
    options = _parse()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder)
        paces = {stage: _run_whole(options, output, stage) for stage in options.stages}
        wanted = _read(output / "whole")
        rng = random.Random(options.seed)
        kills = runs = different = 0
        while kills < options.kills:
            for stage in options.stages:
                kills = _finish(options, output, stage, paces[stage], kills, rng)
            runs += 1
            changes = _differences(wanted, _read(output / "broken"))
            different += bool(changes)
            print(f"run {runs}: {', '.join(changes) or 'equal'}", flush=True)
            shutil.rmtree(output / "broken")
    print(f"{kills} kills, {runs} runs finished after them, {different} different")
    return 1 if different else 0


@dataclass(frozen=True)
class Pace:
    """How long an unbroken stage took: seconds before the epochs, an epoch, epochs."""

    start: float
    epoch: float
    epochs: int


_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _run_whole(options: argparse.Namespace, output: Path, stage: str) -> Pace:
    started = time.monotonic()
    subprocess.run(_command(options, output, "whole", stage), check=True, **_QUIET)
    length = time.monotonic() - started
    rows = _history(output / "whole" / stage / "history.csv")
    fitting = sum(float(row["seconds"]) for row in rows)
    print(f"unbroken {stage}: {length:.1f} s, {len(rows)} epochs", flush=True)
    return Pace(length - fitting, fitting / max(len(rows), 1), len(rows))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--stages", nargs="+", default=["mid", "target"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _command(
    options: argparse.Namespace, output: Path, name: str, stage: str
) -> list[str]:
    command = [sys.executable, "-m", "gastric_keras.run", "--stage", stage]
    command += ["--config", options.config]
    settings = [*options.set, f"name={name}", f"runtime.output={output}"]
    for setting in [*settings, "runtime.deterministic=true"]:
        command += ["--set", setting]
    return command


def _finish(
    options: argparse.Namespace,
    output: Path,
    stage: str,
    whole: Pace,
    kills: int,
    rng: random.Random,
) -> int:
    """Start and kill a stage until it is done; the number of kills so far."""
    run = output / "broken"
    while True:
        process = subprocess.Popen(_command(options, output, "broken", stage), **_QUIET)
        if kills >= options.kills:
            status = process.wait()
        else:
            status = _wait(process, run / stage / "history.csv", whole, rng)
        if status is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            rows = _history(run / stage / "history.csv")
            found = sorted(path.name for path in run.glob(f"{stage}/*"))
            print(
                f"kill {kills}: {stage}, {len(rows)} epochs done, files "
                f"{' '.join(found) or '-'}",
                flush=True,
            )
            continue
        if status:
            raise SystemExit(f"stage {stage} ended with status {status}")
        return kills


def _wait(
    process: subprocess.Popen, history: Path, whole: Pace, rng: random.Random
) -> int | None:
    """Wait for a random moment; the status where the stage ends before it.

    A quarter of the moments fall anywhere into the start of the process, the others
    anywhere into the epochs that are left, however fast the machine is just now.
    """
    done = len(_history(history))
    if rng.random() < 0.25 or done >= whole.epochs:
        moment = time.monotonic() + rng.random() * whole.start
    else:
        wanted = rng.randint(done, whole.epochs - 1)
        while len(_history(history)) < wanted and process.poll() is None:
            time.sleep(0.01)
        moment = time.monotonic() + rng.random() * whole.epoch * 1.5
    while time.monotonic() < moment and process.poll() is None:
        time.sleep(0.005)
    return process.poll()


def _read(run: Path) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for path in sorted(run.glob("*/best.weights.h5")):
        stage = path.parent.name

        def visit(name: str, item: object, stage: str = stage) -> None:
            if isinstance(item, h5py.Dataset):
                values[f"{stage}/{name}"] = item[()]

        with h5py.File(path) as stream:
            stream.visititems(visit)
        for row in _history(path.with_name("history.csv")):
            for column in row.keys() - set(TIMES):
                key = f"{stage}/epoch {row['epoch']}/{column}"
                values[key] = np.array(row[column])
    for path in sorted(run.glob("evaluate/predictions_*.csv")):
        values[path.name] = np.array(path.read_text())
    return values


def _history(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _differences(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    return [
        key
        for key in sorted(a.keys() | b.keys())
        if key not in a or key not in b or not np.array_equal(a[key], b[key])
    ]


if __name__ == "__main__":
    sys.exit(main())
