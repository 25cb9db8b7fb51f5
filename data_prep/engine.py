"""Map a function over pictures by local processes, in order, and say how far it is."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from data_prep.images import UnusableImage
from gastric_keras.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Seconds between two plain lines of progress.
_LINE_EVERY = 10.0
#: Results that may wait for their turn, for each worker.
_IN_FLIGHT = 4


def map_images(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    title: str,
    workers: int | None = None,
    on_unusable: Callable[[Item, str], None] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Apply a function to every item and yield (item, result) in the items' order.

    Args:
        function: picklable; raises UnusableImage for an item that others need not
            suffer for.
        items: picklable.
        title: what the progress line says.
        workers: processes; 1 works in this one, None takes all cores.
        on_unusable: told of each unusable item and why; None makes it an error.

    Yields:
        Each usable item with its result.

    Raises:
        InputError: any that the function raises, but for what ``on_unusable`` takes;
            also when a process dies.
    """
    workers = min(os.cpu_count() or 1 if workers is None else workers, len(items))
    run = _run_here if workers <= 1 else _run_in_processes
    outcomes = run(function, items, workers)
    progress = _with_progress(outcomes, len(items), title)
    # Outcomes first: zip then runs them to their end, which closes the processes.
    for (result, reason), item in zip(progress, items):
        if reason is None:
            yield item, result
        elif on_unusable is None:
            raise InputError(reason)
        else:
            on_unusable(item, reason)


def _outcome(function: Callable[[Any], Any], item: Any) -> tuple[Any, str | None]:
    try:
        return function(item), None
    except UnusableImage as error:
        return None, str(error)


def _run_here(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> Iterator[tuple[Any, str | None]]:
    for item in items:
        yield _outcome(function, item)


def _run_in_processes(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> Iterator[tuple[Any, str | None]]:
    # spawn, because a fork of a process in which TensorFlow runs threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    waiting: deque[Future] = deque()
    rest = iter(items)
    try:
        while True:
            # Bounded, so that fast workers do not fill the memory with results.
            while len(waiting) < workers * _IN_FLIGHT:
                try:
                    item = next(rest)
                except StopIteration:
                    break
                waiting.append(pool.submit(_outcome, function, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            "Workers that live to the end were expected. Received: "
            f"workers={workers}, and one was killed, most often for want of memory. "
            "Give fewer, --workers 1, or a lower max_pixels."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    import cv2

    # One process a core already; threads inside each would only quarrel.
    cv2.setNumThreads(1)


def _with_progress(
    outcomes: Iterable[Result], total: int, title: str
) -> Iterator[Result]:
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
        # Counted from the first outcome: the start of the processes is no measure.
        first = now if first is None else first
        if done and now - last >= _LINE_EVERY:
            last = now
            left = (now - first) / done * (total - done)
            # An estimate from the first few would only frighten.
            guess = f", about {left:.0f} s left" if done * 20 >= total else ""
            print(
                f"{title}: {done} of {total}{guess}",
                file=sys.stderr,
                flush=True,
            )
        yield outcome
