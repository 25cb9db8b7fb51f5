"""Pictures predicted from files: speed beside the bare model, memory, and a kill.

    python -m benchmarks.speed.predict RUN/export ../shared/data/ebhi/images \
        --slides ../shared/data/slides/*.svs --side 96

Patches of ``--side`` px are cut out of the pictures, from their upper left corner on,
until there are ``--patches``; those and the slides then go through ``--stage predict``
in a process of its own, once unbroken and once killed (SIGKILL) when the first part of
them is there, and resumed. The tables of both must be equal, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.speed import rows
from gastric_keras.imaging.images import SUFFIXES, encode_png, read_image
from gastric_keras.support.files import read_object

_TABLES = ("predictions.csv", "pictures.csv", "cases.csv", "set_aside.csv")


def main() -> int:
    """Predict, kill, resume, compare; 0 when the tables are equal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--slides", type=Path, nargs="*", default=[])
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--patches", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        inputs = folder / "inputs"
        inputs.mkdir()
        for number, patch in enumerate(_cut(options.pictures, options.side)):
            if number == options.patches:
                break
            (inputs / f"patch{number:05}.png").write_bytes(encode_png(patch))
        for slide in options.slides:
            (inputs / slide.name).symlink_to(slide.resolve())
        whole, cut = folder / "whole", folder / "cut"
        # Of slides, whose scale may not be known; it means nothing to pictures alone.
        sides = ["--set", f"side={options.side}"] if options.slides else []
        command = [sys.executable, "-m", "gastric_keras.run", "--stage", "predict"]
        command += ["--model", str(options.model), "--images", str(inputs), *sides]
        memory = _finish(command, whole)
        _kill(command, cut)
        _finish(command, cut)
        unequal = [
            name
            for name in _TABLES
            if (whole / name).read_bytes() != (cut / name).read_bytes()
        ]
        _report(whole, memory, unequal)
    return 1 if unequal else 0


def _cut(folder: Path, side: int) -> Iterator[npt.NDArray[np.uint8]]:
    paths = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    for path in paths:
        pixels = read_image(path)
        for y in range(0, pixels.shape[0] - side + 1, side):
            for x in range(0, pixels.shape[1] - side + 1, side):
                yield pixels[y : y + side, x : x + side]


def _start(command: Sequence[str], out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*command, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _finish(command: Sequence[str], out: Path) -> float:
    """Largest memory of a run that ends by itself, MB."""
    process = _start(command, out)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"the run for {out} ended with {status}"
    return usage.ru_maxrss / 1024


def _kill(command: Sequence[str], out: Path) -> None:
    process = _start(command, out)
    while not list((out / "parts").glob("*.csv")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "summary.json").exists(), "a result that passes for whole"


def _report(whole: Path, memory: float, unequal: Sequence[str]) -> None:
    summary = read_object(whole / "summary.json")
    print(f"{len(os.sched_getaffinity(0))} cores")
    speeds = {"pictures": summary["speed"]}
    for path in sorted((whole / "slides").glob("*/summary.json")):
        speeds[path.parent.name] = read_object(path)["speed"]
    print(f"{'input':32}{'patches/s':>10}{'bare':>6}{'share':>7}")
    for name, speed in speeds.items():
        print(
            f"{name:32}{speed['patches_per_second']:>10.0f}"
            f"{speed['bare_patches_per_second']:>6.0f}{speed['share_of_bare']:>7.2f}"
        )
    rows.save(
        rows.Row(
            f"predict {name}",
            speed["patches_per_second"],
            "patches/s",
            "bare inference",
            speed["bare_patches_per_second"],
            aim=0.9,
        )
        for name, speed in speeds.items()
    )
    totals = summary["totals"]
    print(
        f"{totals['patches']} patches of {totals['pictures']} pictures and slides, "
        f"{memory:.0f} MB; killed and resumed: "
        f"{', '.join(unequal) + ' differ' if unequal else 'equal tables'}"
    )


if __name__ == "__main__":
    sys.exit(main())
