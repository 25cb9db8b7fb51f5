"""The search for look-alikes, by size: CPU time, peak memory, planted copies found.

    python -m benchmarks.speed.leak_search --patches 12500,50000,100000

Synthetic thumbnails with the spectrum of natural pictures; 1,000 of the second side are
turned, noisy copies of the first. Each size has a process of its own, half of its
patches on each side. The last line extrapolates to a million by a power law.
"""

from __future__ import annotations

import argparse
import math
import resource
import subprocess
import sys
import time

import numpy as np
import numpy.typing as npt
from scipy.fft import idctn

from benchmarks.speed.rows import Row, save
from gastric_keras.imaging.fingerprints import THUMBNAIL, Pictures, find_alike

_COPIES = 1000
_CHUNK = 2048


def draw(number: int, seed: int) -> npt.NDArray[np.uint8]:
    """(N, 32, 32) uint8 thumbnails whose amplitudes fall as f^-0.6 to f^-1.6."""
    rng = np.random.default_rng(seed)
    side = np.arange(THUMBNAIL)
    frequency = np.maximum(np.hypot(side[:, None], side), 1).astype(np.float32)
    drawn = np.empty((number, THUMBNAIL, THUMBNAIL), np.uint8)
    for start in range(0, number, _CHUNK):
        place = drawn[start : start + _CHUNK]
        slope = rng.uniform(0.6, 1.6, (len(place), 1, 1)).astype(np.float32)
        waves = rng.standard_normal(place.shape, dtype=np.float32) * frequency**-slope
        waves[:, 0, 0] = 0
        grey = idctn(waves, axes=(1, 2), norm="ortho")
        grey *= 25 / grey.std(axis=(1, 2), keepdims=True)
        place[:] = np.clip(grey + 170, 0, 255)
    return drawn


def measure(patches: int) -> tuple[float, float, int, int]:
    """CPU seconds, peak MB of the process, planted copies found, other pairs."""
    half = patches // 2
    first, second = draw(half, 0), draw(half, 1)
    noise = np.random.default_rng(2).normal(0, 0.5, (_COPIES, THUMBNAIL, THUMBNAIL))
    turned = np.rot90(first[:_COPIES], axes=(1, 2)) + noise
    second[:_COPIES] = np.clip(turned, 0, 255)
    colors = np.full((half, 3), 170, np.float32)
    start = time.process_time()
    found = find_alike(Pictures(first, colors), Pictures(second, colors))
    seconds = time.process_time() - start
    planted = {alike.first for alike in found if alike.first == alike.second}
    planted &= set(range(_COPIES))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return seconds, memory, len(planted), len(found) - len(planted)


def main() -> int:
    """Print the table; 1 if a planted copy was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", default="12500,50000,100000", metavar="N,N")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.one is not None:
        print(*measure(parsed.one))
        return 0
    print("| patches | CPU s | peak, MB | copies found | other pairs |")
    print("| --- | --- | --- | --- | --- |", flush=True)
    command = [sys.executable, "-m", "benchmarks.speed.leak_search", "--one"]
    rows = []
    for size in map(int, parsed.patches.split(",")):
        done = subprocess.run(
            [*command, str(size)], check=True, capture_output=True, text=True
        )
        cpu, memory, planted, others = map(float, done.stdout.split())
        print(
            f"| {size:,} | {cpu:.1f} | {memory:.0f} | {planted:.0f} of {_COPIES:,} "
            f"| {others:.0f} |",
            flush=True,
        )
        rows.append((size, cpu, memory, planted))
    found = [
        Row(f"look-alikes among {size:,}, {what}", value, unit, better="less")
        for size, cpu, memory, _ in rows
        for what, value, unit in (("time", cpu, "CPU s"), ("memory", memory, "MB"))
    ]
    save(found)
    if len(rows) > 1:
        (small, cpu, low, _), (large, most, high, _) = rows[0], rows[-1]
        power = math.log(most / cpu) / math.log(large / small)
        slope = (high - low) / (large - small)
        print(
            f"\n1,000,000, extrapolated: {most * (1e6 / large) ** power:.0f} CPU s "
            f"(time ~ n^{power:.2f}), {high + slope * (1e6 - large):.0f} MB (linear)"
        )
    return 0 if all(row[3] == _COPIES for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
