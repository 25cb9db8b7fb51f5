"""What TensorBoard's curves and pictures cost an epoch.

    python -m benchmarks.speed.event_log --config configs/alexnet.yaml --set mid=null …

Runs stage target of a config into a folder that is thrown away, with a clock around the
callback that writes for TensorBoard, and prints its share of each epoch: of the time on
the wall, and of the processor time of all threads, which a busy machine leaves alone.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support import config_io
from gastric_keras.training import ladder as stages
from gastric_keras.training.tensorboard import EventLog, is_pictured


def main() -> None:
    """Fit, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    config = config_io.load(ExperimentConfig, options.config, options.set)
    marks: list[tuple[float, float]] = []
    for name in ("on_train_begin", "on_epoch_end"):
        setattr(EventLog, name, _timed(getattr(EventLog, name), marks))
    with tempfile.TemporaryDirectory() as folder:
        stages.run_target(config, RunDir(Path(folder)))
    _print(marks)


def _timed(method: Callable, marks: list[tuple[float, float]]) -> Callable:
    def timed(*arguments: object) -> None:
        marks.append((time.perf_counter(), time.process_time()))
        method(*arguments)
        marks.append((time.perf_counter(), time.process_time()))

    return timed


def _print(marks: list[tuple[float, float]]) -> None:
    """Marks: before and after the beginning, then before and after each epoch."""
    beginning = [after - before for before, after in zip(*marks[:2], strict=True)]
    print(f"beginning of the stage: {beginning[0]:.2f} s, {beginning[1]:.2f} s of CPU")
    print(
        f"{'epoch':>6}{'pictures':>10}{'wall s':>9}{'share':>8}{'CPU s':>9}{'share':>8}"
    )
    totals = [[0.0, 0.0], [0.0, 0.0]]
    epochs = list(zip(marks[1::2], marks[2::2], marks[3::2], strict=False))
    for epoch, (start, before, after) in enumerate(epochs):
        drawn = is_pictured(epoch) or epoch == len(epochs) - 1
        cells = []
        for kind in (0, 1):
            whole, own = after[kind] - start[kind], after[kind] - before[kind]
            totals[kind][0] += whole
            totals[kind][1] += own
            cells.append(f"{own:9.3f}{own / (whole - own):8.1%}")
        print(f"{epoch + 1:6}{'yes' if drawn else 'no':>10}{''.join(cells)}")
    shares = "".join(f"{own:9.3f}{own / (whole - own):8.1%}" for whole, own in totals)
    print(f"{'all':>6}{'':10}{shares}", flush=True)


if __name__ == "__main__":
    main()
