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
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from tests.kills.loop import Job, kill, parse

#: Stage -> what it writes, below the folder of the run.
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


class Stage(Job):
    """A stage of the first run; the others are there to be compared with it."""

    noun = "times"

    def __init__(self, stage: str, runs: Sequence[Path]) -> None:
        super().__init__([stage])
        self.name = f"{stage}: "
        self._runs = runs
        self._outputs = [runs[0] / name for name in OUTPUT[stage]]
        self.clear()

    def command(self, step: str) -> list[str]:
        run = self._runs[0]
        line = [sys.executable, "-m", "gastric_keras.run", "--stage", step]
        if step == "compare":
            return [*line, "--runs", *map(str, self._runs), "--out", f"{run}/compare"]
        output = ["--set", f"runtime.output={run.parent}", "--set", f"name={run.name}"]
        return [*line, "--config", str(run / "config.yaml"), *output]

    def read(self) -> dict[str, bytes]:
        """Times blotted out; TensorBoard's files carry time and process in the name."""
        found: dict[str, bytes] = {}
        for root in self._outputs:
            for path in sorted([root, *root.rglob("*")]):
                is_event = ".tfevents." in path.name
                if not path.is_file() or path.name.endswith(DIFFER) or is_event:
                    continue
                key = str(path.relative_to(root.parent))
                if _VARIABLES not in key:
                    found[key] = _TIMED.sub(b"(time)", path.read_bytes())
                elif path.suffix == ".index":
                    found[key] = _values(path.with_suffix(""))
        return found

    def clear(self) -> None:
        for path in self._outputs:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def says_done(self, step: str) -> bool:
        return RunDir(self._runs[0]).done(step).is_file()


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
    parser.add_argument("--stages", nargs="+", choices=OUTPUT, default=list(OUTPUT))
    options = parse(parser)
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        copies = [_copy(run, Path(folder)) for run in options.runs]
        for stage in options.stages:
            job = Stage(stage, copies)
            different += kill(job, kills=options.kills, seed=options.seed)
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


if __name__ == "__main__":
    sys.exit(main())
