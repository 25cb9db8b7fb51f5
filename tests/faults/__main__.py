"""Try bad input by the thousand and print how it ended.

    python -m tests.faults --cases 12000
    python -m tests.faults --replay faults/pictures-17

Kinds take turns. A case that fails is kept in its folder, to be replayed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.faults.registry import KINDS
from tests.faults.runner import Tally, replay, run


def main() -> int:
    """Try, count, print; 0 when nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--keep", type=Path, default=Path("faults"), metavar="DIR")
    parser.add_argument("--replay", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.replay is not None:
        outcome, words = replay(options.replay)
        print(f"{options.replay}: {outcome}. {words}")
        return int(outcome == "failed")
    tally = run(
        draw(options.kinds, options.cases, options.seed),
        keep=options.keep,
        kinds={name: KINDS[name] for name in options.kinds},
    )
    show(tally)
    return int(bool(tally.failures))


def draw(kinds: list[str], cases: int, seed: int = 0) -> list[tuple[str, int]]:
    """(kind, seed) of each call, so many that every kind tries its share of cases."""
    share = -(-cases // len(kinds))
    return [
        (kind, seed + number)
        for kind in kinds
        for number in range(-(-share // KINDS[kind].batch))
    ]


def show(tally: Tally) -> None:
    """Print the table, then every failure with the command that replays it."""
    print(f"{'kind':10} {'fault':38} {'right':>6} {'refused':>8} {'FAILED':>7}")
    for (kind, fault), counts in sorted(tally.faults.items()):
        print(_line(kind, fault, counts))
    for kind, counts in tally.counts.items():
        slowest, largest = tally.slowest[kind], tally.largest[kind]
        print(_line(kind, "all", counts) + f"  {slowest:5.1f} s  +{largest:.0f} MiB")
    # One of each is enough to read; all of them are kept.
    for ending in {(e.kind, e.fault): e for e in tally.failures}.values():
        print(
            f"FAILED {ending.kind}, {ending.fault}: {ending.words[:300]}\n"
            f"  python -m tests.faults --replay faults/{ending.kind}-{ending.seed}"
        )


def _line(kind: str, fault: str, counts: dict[str, int]) -> str:
    numbers = (counts.get(name, 0) for name in ("right", "refused", "failed"))
    right, refused, failed = numbers
    return f"{kind:10} {fault:38} {right:6} {refused:8} {failed:7}"


if __name__ == "__main__":
    sys.exit(main())
