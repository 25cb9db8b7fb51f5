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
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.speed.large_process import COMMAND, Measure, run, timed
from benchmarks.speed.rows import Row, save
from gastric_keras.figures.style import GRAY, STYLE, png_of, style_of
from gastric_keras.support.files import read_json, sha256_of, write_json

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
    save(
        Row(f"{row.name}, {row.records:,} {what}", value, unit, better="less")
        for row in rows
        for what, value, unit in (
            ("records", row.cpu, "CPU s"),
            ("records, memory", row.megabytes, "MB"),
        )
    )
    if options.out:
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
            remove(folder / "set")
        if wants_kill:
            yield from kill(
                "data_prep nuclei", _prep(images, options.kill_patches), folder
            )
    if "records" in options.parts:
        for size in options.records:
            yield from _records(folder / "records", size)
    if wants_kill:
        yield from kill("write records", _task("write", options.kill_records), folder)
        yield from read_on(folder / "records", options.kill_records)


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
    return [*COMMAND, "benchmarks.speed.large_process", name, *map(str, arguments)]


def _records(folder: Path, size: int) -> Iterator[Measure]:
    yield timed("write records", _task("write", size, folder))
    yield timed("check_set", _task("check", folder))
    yield timed("data_prep inspect", [*COMMAND, "data_prep", "inspect", str(folder)])
    yield timed("train_dataset", _task("train", folder, 0, 1))
    yield timed("eval_dataset", _task("eval", folder))
    remove(folder)


def kill(name: str, command: Sequence[str], folder: Path) -> Iterator[Measure]:
    """An unbroken run; one killed after half of its time; and what follows that.

    Args:
        name: of the command.
        command: all of it but the folder of the set, which comes last.
        folder: where the sets go, and go from again.

    Yields:
        The unbroken run and the one that went on.
    """
    whole, broken = folder / "whole", folder / "broken"
    unbroken = timed(name, [*command, str(whole)])
    yield dataclasses.replace(unbroken, note="unbroken")
    process = subprocess.Popen(
        [*command, str(broken)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # By the processor's clock, which a busy machine does not stretch.
    while _work(process.pid) < unbroken.cpu / 2 and process.poll() is None:
        time.sleep(0.2)
    assert process.poll() is None and not broken.exists(), "killed too late"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    resumed = timed(name, [*command, str(broken)])
    same = _sums(whole) == _sums(broken)
    left = sorted(path.name for path in folder.glob(".*"))
    note = f"gone on with after SIGKILL at half of the work; {_verdict(same)}"
    yield dataclasses.replace(resumed, note=note + (f"; left {left}" if left else ""))
    remove(whole)
    remove(broken)


def read_on(records: Path, size: int) -> Iterator[Measure]:
    """Two epochs read without a break, and the second begun anew."""
    timed("write records", _task("write", size, records))
    unbroken, wanted = run("train_dataset", _task("train", records, 0, 2, 1))
    yield dataclasses.replace(unbroken, note="two epochs, unbroken")
    resumed, found = run("train_dataset", _task("train", records, 1, 2, 1))
    note = f"the second epoch begun anew; {_verdict(found == wanted)}"
    yield dataclasses.replace(resumed, note=note)
    remove(records)


def remove(folder: Path) -> None:
    """Remove a set, and what it may have left beside it."""
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name(f".{folder.name}.partial"), ignore_errors=True)


def _sums(folder: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in sorted(folder.iterdir())}


def _verdict(same: bool) -> str:
    return "every byte equal" if same else "DIFFERENT"


def _work(pid: int) -> float:
    """Seconds of the processor that a running process has used."""
    # utime and stime stand behind the name, which may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def plot(path: Path, rows: Sequence[Measure]) -> None:
    """Processor time and memory against size, of the parts prep and records."""
    # Those with a note are of the part resume.
    named: dict[str, list[Measure]] = {}
    for row in sorted(rows, key=lambda row: row.records):
        if not row.note:
            named.setdefault(row.name, []).append(row)
    with rc_context(STYLE):
        figure = Figure((8.4, 6.8), layout="constrained")
        panels = figure.subplots(2, 2)
        for index, (name, mine) in enumerate(named.items()):
            is_prep = name in ("data_prep nuclei", "data_prep check")
            seconds, memory = panels[0 if is_prep else 1]
            sizes = [row.records / 1e3 for row in mine]
            style = {**style_of(index), "marker": "o", "ms": 4, "label": name}
            seconds.plot(sizes, [row.cpu for row in mine], **style)
            memory.plot(sizes, [row.megabytes for row in mine], **style)
            # Where linear time would lie.
            ends = [mine[0].cpu, mine[-1].cpu]
            seconds.plot([sizes[0], sizes[-1]], ends, color=GRAY, lw=0.8, ls=":")
        for pair, what in zip(panels, ("patches", "small records"), strict=True):
            for axes, title in zip(pair, ("s of one core", "largest MB"), strict=True):
                axes.set(xlabel=f"{what} (thousands)", ylabel=title)
                axes.set(xlim=(0, None), ylim=(0, None))
            if pair[0].lines:
                pair[0].legend(loc="upper left")
        png_of(figure, path)


if __name__ == "__main__":
    sys.exit(main())
