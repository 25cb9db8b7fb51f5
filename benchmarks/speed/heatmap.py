"""A slide read whole: speed beside the model's bare inference, and memory.

    python -m benchmarks.speed.heatmap RUN/export ../shared/data/slides/*.svs \
        --side 112 --repeat 8

For each slide: ``--turns`` times through the model in one process, each turn with the
model alone timed before and after; the CPU time that a patch takes in all and in the
model alone, which other work on the machine hardly changes; and the largest memory of
a whole ``--stage heatmap`` in a process of its own. With ``--repeat N`` the first slide
is also laid N × N times into one large slide (deflated tiles, two levels).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.speed import rows
from gastric_keras.heatmap.inference import predict_patches
from gastric_keras.heatmap.patches import patch_batches, plan_patches
from gastric_keras.imaging.slides import open_picture
from gastric_keras.serving.exported_model import ExportedModel, load_exported

#: Side of a tile of the large slide, px, and how much smaller its second level is.
_TILE, _DOWN = 256, 16
#: Patches at once.
BATCH = 64


def main() -> None:
    """Take turns on each slide, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("slides", type=Path, nargs="+")
    parser.add_argument("--side", type=int, required=True)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=0)
    options = parser.parse_args()
    model = load_exported(options.model)
    print(f"{len(os.sched_getaffinity(0))} cores, median of {options.turns} turns")
    print(
        f"{'slide':28}{'px':>13}{'patches':>9}{'patches/s':>11}{'bare':>6}"
        f"{'share (least–most)':>20}{'CPU ms':>8}{'bare':>6}{'MB':>6}"
    )
    found: list[rows.Row] = []
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.tif"
        if options.repeat:
            options.slides.append(
                repeat_slide(options.slides[0], large, options.repeat)
            )
        for slide in options.slides:
            # A turn of the large slide is long enough to be its own median.
            turns = 1 if slide == large else options.turns
            row, measured = _measure(model, slide, options.side, turns)
            memory = _largest_memory(slide, options.model, options.side, folder)
            print(f"{row}{memory:>6.0f}", flush=True)
            found += measured
    rows.save(found)


def repeat_slide(slide: Path, path: Path, times: int) -> Path:
    """Lay a slide N × N times into one, whole tiles only."""
    import tifffile

    with open_picture(slide) as picture:
        height, width = (length - length % _TILE for length in picture.shape)
        pixels = picture.read(0, 0, width, height)
    tiles = [_encode(tile) for tile in _tiles_of(pixels)]
    rows, columns = height // _TILE, width // _TILE
    small = pixels.reshape(height // _DOWN, _DOWN, width // _DOWN, _DOWN, 3)
    lower = np.tile(small.mean(axis=(1, 3)).astype(np.uint8), (times, times, 1))

    def repeated() -> Iterator[bytes]:
        for row in range(rows * times):
            for column in range(columns * times):
                yield tiles[row % rows * columns + column % columns]

    with tifffile.TiffWriter(path, bigtiff=True) as stream:
        for level, (shape, data) in enumerate(
            (
                ((height * times, width * times, 3), repeated()),
                (lower.shape, map(_encode, _tiles_of(lower))),
            )
        ):
            stream.write(
                data,
                shape=shape,
                dtype=np.uint8,
                tile=(_TILE, _TILE),
                photometric="rgb",
                compression="zlib",
                subfiletype=int(level > 0),
                metadata=None,
            )
    return path


def _tiles_of(pixels: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    height, width = pixels.shape[:2]
    padding = [(0, -height % _TILE), (0, -width % _TILE), (0, 0)]
    pixels = np.pad(pixels, padding, mode="edge")
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            yield pixels[y : y + _TILE, x : x + _TILE]


def _encode(tile: npt.NDArray[np.uint8]) -> bytes:
    return zlib.compress(tile.tobytes())


def _measure(
    model: ExportedModel, slide: Path, side: int, turns: int
) -> tuple[str, list[rows.Row]]:
    readers = os.cpu_count() or 1
    with open_picture(slide) as picture:
        height, width = picture.shape
        plan = plan_patches(picture, side, stride=1.0, min_tissue=0.25)
        speeds = [
            predict_patches(model, picture, plan, batch_size=BATCH, readers=readers)[1]
            for _ in range(turns)
        ]
        started = time.process_time()
        for _, patches in patch_batches(
            picture,
            plan,
            patch_size=model.patch_size,
            size=model.size,
            batch_size=BATCH,
            readers=readers,
        ):
            model.predict(patches)
        whole = (time.process_time() - started) / len(plan.origins)
    ready = np.zeros((BATCH, model.size, model.size, 3), np.uint8)
    started = time.process_time()
    for _ in range(10):
        model.predict(ready)
    bare = (time.process_time() - started) / (10 * BATCH)
    shares = [speed.share_of_bare for speed in speeds]
    share = f"{statistics.median(shares):.2f} ({min(shares):.2f}–{max(shares):.2f})"
    rate = statistics.median(speed.patches_per_second for speed in speeds)
    alone = statistics.median(speed.bare_patches_per_second for speed in speeds)
    line = (
        f"{slide.stem:28}{f'{width}×{height}':>13}{len(plan.origins):>9}{rate:>11.0f}"
        f"{alone:>6.0f}{share:>20}{1000 * whole:>8.2f}{1000 * bare:>6.2f}"
    )
    name, peer = f"heatmap of {slide.stem}", "bare inference"
    return line, [
        rows.Row(name, rate, "patches/s", peer, alone, aim=0.9),
        rows.Row(
            f"{name}, processor", 1000 * whole, "ms", peer, 1000 * bare, better="less"
        ),
    ]


def _largest_memory(slide: Path, model: Path, side: int, folder: str) -> float:
    """MB of the process of one ``--stage heatmap``."""
    command = [sys.executable, "-m", "gastric_keras.run", "--stage", "heatmap"]
    command += ["--slide", str(slide), "--model", str(model), "--force"]
    command += ["--out", f"{folder}/out", "--set", f"side={side}"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{' '.join(command)} ended with {status}"
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
