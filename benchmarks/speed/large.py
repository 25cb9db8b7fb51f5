"""Long and large: is memory flat, is time linear, does a killed run go on?

    python -m benchmarks.speed.large --out docs/large.png  # some 20 min of a free core
    python -m benchmarks.speed.large --parts records --records 62500,250000

Three parts, each measurement in processes of its own:

prep     ``data_prep nuclei`` on the phantom, one worker: regions of 384 px cut into
         patches of 64 px every 16 px, so that neighbors overlap and few pictures give
         many patches. Looking, segmenting, clustering, writing and the quality page
         are the real ones. Then ``data_prep check`` on the set: leaks by name, place
         and look.
records  sets of small records (16 px) by the project's writer: one drawn picture is
         cut 1,024 times, under as many names as are needed. Then ``check_set``,
         ``data_prep inspect``, an epoch of ``train_dataset``, shuffled and augmented
         as in training, and ``eval_dataset``.
resume   SIGKILL half way, the same command again, every byte compared: ``data_prep
         nuclei`` and the writing of records; and the second epoch of training begun
         anew against the one of an unbroken reading.

*s* is by the clock, *CPU s* what the processor worked for it: on a shared machine only
the latter tells whether time is linear. Memory is the largest resident set of the
process (``ru_maxrss``), TensorFlow's own, some 570 MB, included.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed import large_resume
from benchmarks.speed.large_process import COMMAND, Measure, timed
from gastric_keras.support.files import read_json, write_json

PARTS = ("prep", "records", "resume")
#: Patches that one region of the phantom gives after the exclusion, about.
_PER_REGION = 310
_PHANTOM = {
    "region_cases": 40,
    "target_images": 6,
    "target_cases": 6,
    "target_size": 64,
}


def main() -> int:
    """Measure, print the tables and draw; 1 when a resumed run ends otherwise."""
    options = _parse()
    rows: list[Measure] = []
    if options.figures and Path(options.figures).is_file():
        rows = [Measure(**row) for row in read_json(options.figures)]
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n{Measure.HEAD}")
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        for row in _measure(options, Path(folder)):
            smaller = [one for one in rows if is_smaller(one, row)]
            print(row.row(smaller[-1] if smaller else None), flush=True)
            rows.append(row)
            if options.figures:
                write_json(options.figures, [vars(row) for row in rows])
    if options.out:
        from benchmarks.speed.large_plot import plot

        plot(Path(options.out), rows)
    return 1 if any("DIFFERENT" in row.note for row in rows) else 0


def is_smaller(one: Measure, other: Measure) -> bool:
    """Whether the one is the same measurement with fewer records."""
    same = (one.name, one.note) == (other.name, other.note)
    return same and one.records < other.records


def _parse() -> argparse.Namespace:
    def numbers(text: str) -> list[int]:
        return sorted(int(number) for number in text.split(","))

    def parts(text: str) -> list[str]:
        return [part for part in PARTS if part in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=parts, default=list(PARTS), metavar="A,B")
    parser.add_argument(
        "--patches", type=numbers, default=[6000, 12000, 24000, 48000], metavar="N,N"
    )
    parser.add_argument(
        "--records", type=numbers, default=[62500, 250000, 1000000], metavar="N,N"
    )
    parser.add_argument("--kill-patches", type=int, default=24000, metavar="N")
    parser.add_argument("--kill-records", type=int, default=250000, metavar="N")
    parser.add_argument(
        "--images", metavar="DIR", help="regions of a phantom that is there already"
    )
    parser.add_argument("--out", metavar="PNG", help="figure to draw; none draws none")
    parser.add_argument(
        "--figures", metavar="JSON", help="measurements are added to those in it"
    )
    parser.add_argument("--work", metavar="DIR", help="for 5 GB of temporary files")
    return parser.parse_args()


def _measure(options: argparse.Namespace, folder: Path) -> Iterator[Measure]:
    wants_kill = "resume" in options.parts
    sizes = list(options.patches) if "prep" in options.parts else []
    if sizes or wants_kill:
        images = options.images and Path(options.images)
        if images is None:
            images = _draw(folder / "phantom", max([*sizes, options.kill_patches]))
        for size in sizes:
            made = timed("data_prep nuclei", _prep(images, size, folder / "set"))
            yield made
            check = [*COMMAND, "data_prep", "check", "--workers", "1"]
            # Two cases of the phantom may look alike, which is for it to say.
            found = timed("data_prep check", [*check, str(folder / "set")], good=(0, 1))
            yield dataclasses.replace(found, records=made.records)
            large_resume.remove(folder / "set")
        if wants_kill:
            yield from large_resume.kill(
                "data_prep nuclei", _prep(images, options.kill_patches), folder
            )
    if "records" in options.parts:
        for size in options.records:
            yield from _records(folder / "records", size)
    if wants_kill:
        yield from large_resume.kill(
            "write records", _task("write", options.kill_records), folder
        )
        yield from large_resume.read_on(folder / "records", options.kill_records)


def _draw(folder: Path, patches: int) -> Path:
    command = [*COMMAND, "data_prep", "phantom", "--out", str(folder)]
    sizes = {**_PHANTOM, "regions": -(-patches // _PER_REGION)}
    for name, value in sizes.items():
        command += ["--set", f"{name}={value}"]
    print(f"phantom drawn: {timed('phantom', command).seconds:.0f} s", file=sys.stderr)
    return folder / "regions"


def _prep(images: Path, patches: int, out: Path | None = None) -> list[str]:
    """The command; ``out`` may be put at its end later."""
    # A shorter index is a smaller collection: the pictures are drawn once.
    lines = (images / "index.csv").read_text().splitlines(keepends=True)
    index = images / f"first-{patches}.csv"
    index.write_text("".join(lines[: 1 + -(-patches // _PER_REGION)]))
    command = [*COMMAND, "data_prep", "nuclei", "--workers", "1"]
    command += ["--images", str(images), "--cases", str(index), "--set", "mpp=0.5"]
    command += ["--set", "patch_size=64", "--set", "stride=16"]
    command += ["--set", "splits={train: 0.8, validation: 0.2, test: 0.0}", "--out"]
    return command if out is None else [*command, str(out)]


def _task(name: str, *arguments: object) -> list[str]:
    return [*COMMAND, "benchmarks.speed.large_tasks", name, *map(str, arguments)]


def _records(folder: Path, size: int) -> Iterator[Measure]:
    yield timed("write records", _task("write", size, folder))
    yield timed("check_set", _task("check", folder))
    yield timed("data_prep inspect", [*COMMAND, "data_prep", "inspect", str(folder)])
    yield timed("train_dataset", _task("train", folder, 0, 1))
    yield timed("eval_dataset", _task("eval", folder))
    large_resume.remove(folder)


if __name__ == "__main__":
    sys.exit(main())
