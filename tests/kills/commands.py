"""Kill the stages behind the training, and compare, at random moments.

    python -m tests.kills.commands RUN RUN --stages evaluate export --kills 20

RUN are folders of finished runs; they are copied, never changed. In the copy of the
first, a stage's files are removed and the same command is started again and again, and
gets SIGKILL after a random time, until it ends by itself; what it leaves is compared
with what an unbroken command leaves, file by file, and begun anew, until the number of
kills is reached. A stage that says it is finished must be: whenever its ``done.json``
stands after a kill, all its files are compared there and then.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io

STAGES = ("evaluate", "visualize", "export", "report", "compare")
#: What a stage writes, below the folder of the run.
OUTPUT = {
    "evaluate": ("evaluate",),
    "visualize": ("visualize", "figures"),
    "export": ("export",),
    "report": ("report", "report.html"),
    "compare": ("compare",),
}
#: Files that TensorFlow writes with names of its own making, and the list of their
#: checksums, by the end of their path: of the variables, the values are compared.
DIFFER = ("fingerprint.pb", "saved_model.pb", "SHA256SUMS")
_VARIABLES = "variables/variables"
_TIMED = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\+00:00)?( UTC)?")


@dataclass(frozen=True)
class Job:
    """A stage of a run that can be done again."""

    stage: str
    run: Path
    others: tuple[Path, ...]

    @property
    def command(self) -> list[str]:
        """The command line."""
        line = [sys.executable, "-m", "gastric_keras.run", "--stage", self.stage]
        if self.stage == "compare":
            runs = [str(self.run), *map(str, self.others)]
            return [*line, "--runs", *runs, "--out", str(self.run / "compare")]
        output = ["--set", f"runtime.output={self.run.parent}"]
        output += ["--set", f"name={self.run.name}"]
        return [*line, "--config", str(self.run / "config.yaml"), *output]

    def clear(self) -> None:
        """Take back all that the stage wrote."""
        for name in OUTPUT[self.stage]:
            path = self.run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def read(self) -> dict[str, bytes]:
        """Name -> content of all that it wrote, times blotted out."""
        found: dict[str, bytes] = {}
        for name in OUTPUT[self.stage]:
            root = self.run / name
            for path in sorted([root, *root.rglob("*")]):
                # TensorBoard's files carry the time and the process in their names.
                is_event = ".tfevents." in path.name
                if not path.is_file() or path.name.endswith(DIFFER) or is_event:
                    continue
                key = str(path.relative_to(self.run))
                if _VARIABLES not in key:
                    found[key] = _TIMED.sub(b"(time)", path.read_bytes())
                elif path.suffix == ".index":
                    found[key] = _values(path.with_suffix(""))
        return found

    @property
    def is_done(self) -> bool:
        """Whether the stage says that it is finished."""
        return RunDir(self.run).done(self.stage).is_file()


def _values(prefix: Path) -> bytes:
    """Every value of a TensorFlow checkpoint, sorted: their names and numbering are
    others in every process."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_dtype_map()
    values = [reader.get_tensor(name) for name in names if "OBJECT_GRAPH" not in name]
    return b"".join(sorted(str(v.shape).encode() + v.tobytes() for v in values))


def main() -> int:
    """Kill, finish, compare; 0 when nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--kills", type=int, default=20, help="of each stage")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        copies = [_copy(run, Path(folder)) for run in options.runs]
        for stage in options.stages:
            job = Job(stage, copies[0], tuple(copies[1:]))
            different += _try(job, options.kills, random.Random(options.seed))
    return 1 if different else 0


def _copy(run: Path, folder: Path) -> Path:
    copy = folder / run.name
    shutil.copytree(run, copy)
    # The config must not say where the original lies.
    overrides = [f"runtime.output={folder}", f"name={run.name}"]
    config_io.save(
        config_io.load(ExperimentConfig, copy / "config.yaml", overrides),
        copy / "config.yaml",
    )
    return copy


def _try(job: Job, wanted: int, rng: random.Random) -> int:
    """Kill a stage ``wanted`` times; the number of times that something differed."""
    job.clear()
    started = time.monotonic()
    _finish(job)
    length = time.monotonic() - started
    whole = job.read()
    if not whole:
        raise SystemExit(f"stage {job.stage} wrote nothing")
    kills = finished = different = 0
    while kills < wanted:
        job.clear()
        while kills < wanted and _kill(job, rng.uniform(0.02, 1.0) * length):
            kills += 1
            if job.is_done and (changes := _changes(whole, job.read())):
                print(f"{job.stage}: done.json before {', '.join(changes)}", flush=True)
                different += 1
        _finish(job)
        finished += 1
        if changes := _changes(whole, job.read()):
            print(f"{job.stage}: {', '.join(changes)} differ", flush=True)
            different += 1
    print(
        f"{job.stage}: {kills} kills, {finished} times finished after them, "
        f"{len(whole)} files, {different} different",
        flush=True,
    )
    return different


def _kill(job: Job, seconds: float) -> bool:
    """Start the stage and kill it after some seconds; False where it ended before."""
    process = subprocess.Popen(
        job.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    if status:
        raise SystemExit(f"stage {job.stage} ended with status {status}")
    return False


def _finish(job: Job) -> None:
    done = subprocess.run(job.command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(job.command)}: {done.stderr[-2000:]}")


def _changes(wanted: dict[str, bytes], found: dict[str, bytes]) -> list[str]:
    return [
        name
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]


if __name__ == "__main__":
    sys.exit(main())
