"""Training and inference, images a second, against PyTorch and against the limit.

    pip install -c constraints.txt -e '.[bench]'
    python -m benchmarks.speed.steps

For each network: the bare step (gradient and update on a tensor in memory), the same
through ``fit`` with the loss looked at each step, and inference; beside it the same
network in PyTorch on the CPU, channels last. Both frameworks in float32 and, where the
hardware has it, in bfloat16; the better one counts. The two take turns, so that a noisy
machine is noisy for both; each figure is the median of its turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

from benchmarks.speed import rows
from gastric_keras.support.devices import find_device

#: network -> (side in px, patches a batch, steps a turn): a turn of a few seconds.
CASES = {
    "alexnet": (224, 32, 4),
    "vgg16": (112, 8, 2),
    "inception_v3": (150, 16, 2),
}


def main() -> None:
    """Take turns, print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    sides = {name: Side(name) for name in ("keras", "torch")}
    precisions = [""]
    if "mixed_bfloat16" in find_device().precisions:
        precisions.append("+bf16")
    else:
        # Emulated, a step takes minutes.
        print("no bfloat16 in hardware: float32 only")
    print(f"{len(os.sched_getaffinity(0))} cores, median of {options.turns} turns")
    print(
        f"{'network':14}{'px':>4}{'batch':>6}  {'':9}{'bare':>8}{'fit':>8}"
        f"{'PyTorch':>9}{'fit/bare':>10}{'bare/PyTorch':>14}"
    )
    found: list[rows.Row] = []
    for network in options.networks:
        size, batch, steps = CASES[network]
        counts = {s.ask(network, size, batch, "parameters", 1) for s in sides.values()}
        assert len(counts) == 1, f"{network} differs: {counts} parameters"
        rates: dict[tuple[str, str], list[float]] = {}
        for _ in range(options.turns):
            for side, kinds in (("keras", ("bare", "fit")), ("torch", ("bare",))):
                for kind in (*kinds, "infer"):
                    for precision in precisions:
                        rate = sides[side].ask(
                            network, size, batch, kind + precision, steps
                        )
                        rates.setdefault((side, kind + precision), []).append(rate)
        rate = {kind: statistics.median(values) for kind, values in rates.items()}
        found += _print(network, size, batch, rate)
    rows.save(found)


class Side:
    """A framework in a process of its own."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.step_worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Both may share one GPU, of which TensorFlow would take all memory.
            env=os.environ
            | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"},
        )

    def ask(self, *question: object) -> float:
        """Send one measurement, wait for the answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(" ".join(map(str, question)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End the process, which gives its memory back."""
        self.process.communicate()


def _print(
    network: str, size: int, batch: int, rate: dict[tuple[str, str], float]
) -> list[rows.Row]:
    def best(side: str, kind: str) -> tuple[float, str]:
        kinds = (kind, f"{kind}+bf16")
        return max(
            (rate[side, k], k[len(kind) + 1 :]) for k in kinds if (side, k) in rate
        )

    head = f"{network:14}{size:4}{batch:6}  "
    bare, precision = best("keras", "bare")
    fit, _ = best("keras", "fit")
    trained, its = best("torch", "bare")
    print(
        f"{head}{'train':9}{bare:8.1f}{fit:8.1f}{trained:9.1f}{fit / bare:10.2f}"
        f"{bare / trained:14.2f}   {precision or 'float32'} against {its or 'float32'}"
    )
    infer, precision = best("keras", "infer")
    other, its = best("torch", "infer")
    print(
        f"{head}{'infer':9}{infer:8.1f}{'':8}{other:9.1f}{'':10}{infer / other:14.2f}"
        f"   {precision or 'float32'} against {its or 'float32'}",
        flush=True,
    )
    name = f"{network} at {size} px"
    return [
        *training_rows(name, bare, fit, trained),
        rows.Row(f"{name}, inference", infer, "images/s", "PyTorch", other, aim=1.0),
    ]


def training_rows(
    name: str, bare: float, fit: float, torch: float | None
) -> list[rows.Row]:
    """Bare step against PyTorch's, ``fit`` against the bare step; images/s."""
    unit = "images/s"
    return [
        rows.Row(f"{name}, bare step", bare, unit, "PyTorch", torch, aim=1.0),
        rows.Row(f"{name}, fit", fit, unit, "bare step", bare, aim=0.95),
    ]


if __name__ == "__main__":
    main()
