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
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import h5py

from tests.kills.loop import Job, Process, kill, parse

#: Columns of history.csv that tell the time, and so differ from run to run.
TIMES = ("images_per_second", "seconds")


class Training(Job):
    """The stages of one run that fit."""

    def __init__(self, options: argparse.Namespace, output: Path) -> None:
        super().__init__(options.stages)
        self._run = output / "run"
        self._options = ["--config", options.config]
        settings = [*options.set, "name=run", f"runtime.output={output}"]
        for setting in [*settings, "runtime.deterministic=true"]:
            self._options += ["--set", setting]
        #: Stage -> seconds of each epoch of the unbroken fit.
        self._epochs: dict[str, list[float]] = {}

    def command(self, step: str) -> list[str]:
        stage = [sys.executable, "-m", "gastric_keras.run", "--stage", step]
        return [*stage, *self._options]

    def measure(self, step: str, seconds: float) -> None:
        super().measure(step, seconds)
        self._epochs[step] = [float(row["seconds"]) for row in self._history(step)]

    def wait(self, process: Process, step: str, rng: random.Random) -> None:
        """A quarter of the moments fall anywhere into the start of the process, the
        others anywhere into the epochs that are left, however fast the machine is just
        now."""
        done, epochs = self._done(step), self._epochs[step]
        if rng.random() < 0.25 or done >= len(epochs):
            start = self.seconds[step] - sum(epochs)
            moment = time.monotonic() + rng.random() * start
        else:
            wanted = rng.randint(done, len(epochs) - 1)
            while self._done(step) < wanted and process.poll() is None:
                time.sleep(0.01)
            # The first epoch traces the graph, and takes as long as many others.
            moment = time.monotonic() + rng.random() * median(epochs) * 1.5
        while time.monotonic() < moment and process.poll() is None:
            time.sleep(0.005)

    def read(self) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        for path in sorted(self._run.glob("*/best.weights.h5")):
            stage = path.parent.name

            def visit(name: str, item: object, stage: str = stage) -> None:
                if isinstance(item, h5py.Dataset):
                    shape = str(item.shape).encode()
                    values[f"{stage}/{name}"] = shape + item[()].tobytes()

            with h5py.File(path) as stream:
                stream.visititems(visit)
            for row in self._history(stage):
                for column in row.keys() - set(TIMES):
                    key = f"{stage}/epoch {row['epoch']}/{column}"
                    values[key] = row[column].encode()
        for path in sorted(self._run.glob("evaluate/predictions_*.csv")):
            values[path.name] = path.read_bytes()
        return values

    def clear(self) -> None:
        shutil.rmtree(self._run)

    def describe(self, step: str) -> str:
        files = sorted(path.name for path in self._run.glob(f"{step}/*"))
        return f"{step}, {self._done(step)} epochs done, files {' '.join(files) or '-'}"

    def _done(self, stage: str) -> int:
        return len(self._history(stage))

    def _history(self, stage: str) -> list[dict[str, str]]:
        path = self._run / stage / "history.csv"
        if not path.is_file():
            return []
        with open(path, encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


def main() -> int:
    """Kill, finish, compare; 0 when every finished run equals the unbroken one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--stages", nargs="+", default=["mid", "target"])
    options = parse(parser)
    with tempfile.TemporaryDirectory() as folder:
        job = Training(options, Path(folder))
        return 1 if kill(job, kills=options.kills, seed=options.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
