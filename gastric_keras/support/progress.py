"""How far long work has come: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Result = TypeVar("Result")

#: Seconds between two plain lines.
_LINE_EVERY = 10.0


def with_progress(
    outcomes: Iterable[Result], total: int, title: str, *, unit: str
) -> Iterator[Result]:
    """Pass results on, and say on stderr how many there were.

    Args:
        outcomes: the results, as they come.
        total: how many there will be.
        title: of the work.
        unit: what one result is, in the plural.

    Yields:
        Each result.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(
            outcomes, title, total=total, console=Console(stderr=True), transient=True
        )
        return
    last = time.monotonic()
    first: float | None = None
    for done, outcome in enumerate(outcomes):
        now = time.monotonic()
        # Counted from the first outcome: the start of the work is no measure.
        first = now if first is None else first
        if done and now - last >= _LINE_EVERY:
            last = now
            left = (now - first) / done * (total - done)
            # An estimate from the first few would only frighten.
            guess = f", about {left:.0f} s left" if done * 20 >= total else ""
            print(
                f"{title}: {done} of {total} {unit}{guess}",
                file=sys.stderr,
                flush=True,
            )
        yield outcome
