"""Map a function over pictures: local processes by default, Beam when it is named.

Work comes in bundles. Each bundle leaves one file, whole or not at all, so that a run
that was killed resumes, on either engine and with any number of workers.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from data_prep.beam import run_on_beam
from gastric_keras.support.errors import InputError, require
from gastric_keras.support.files import write_atomic
from gastric_keras.support.progress import with_progress

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Results that may wait for their turn, for each worker.
_IN_FLIGHT = 4
#: Pictures in a bundle: as many as are lost by a kill, at most, in a set of
#: ordinary size; and the number of bundles that a large set is held to.
_BUNDLE = 32
_MAX_BUNDLES = 1000


@dataclass(frozen=True)
class Bundle:
    """Some of the items, and the file that their results go to."""

    items: tuple[Any, ...]
    path: Path


@dataclass(frozen=True)
class Engine:
    """Where the work is done; a set has the same bytes wherever that is.

    Attributes:
        workers: local processes; None takes all cores.
        runner: name of an Apache Beam runner; None works in local processes.
        runner_options: further options of that runner, as Beam spells them; see
            :func:`data_prep.beam.run_on_beam`.
    """

    workers: int | None = None
    runner: str | None = None
    runner_options: tuple[str, ...] = ()


def map_bundles(
    work: Callable[[Sequence[Any]], bytes],
    items: Sequence[Item],
    folder: Path,
    *,
    title: str,
    engine: Engine = Engine(),
    share: Callable[[Item], float] = lambda item: 0.0,
) -> Iterator[tuple[Sequence[Item], Path]]:
    """Do some work on every item, a bundle at a time, one file a bundle.

    Files that are there already are taken as they are: the caller sees to it that a
    folder holds the results of the same work on the same items only.

    Args:
        work: picklable; the items of a bundle to the content of its file.
        items: picklable.
        folder: where the files go; with a Beam runner, one that every worker sees
            under the same path.
        title: what the progress line says.
        engine: where the work is done.
        share: of a full bundle that an item takes; a bundle of several items stops
            at 1. The size of results, and so the memory, is bounded by it.

    Yields:
        The items of a bundle and its file, in order, when all are done.

    Raises:
        InputError: any that ``work`` raises; also when a process dies.
    """
    bundles = [
        Bundle(tuple(items[start:end]), folder / f"{start:09d}")
        for start, end in _ranges([share(item) for item in items])
    ]
    left = [bundle for bundle in bundles if not bundle.path.is_file()]
    if len(left) < len(bundles):
        print(
            f"{title}: {len(bundles) - len(left)} of {len(bundles)} parts are there "
            "from a run that was cut short",
            file=sys.stderr,
        )
    folder.mkdir(parents=True, exist_ok=True)
    if engine.runner is not None:
        _run_on_beam(work, left, title, engine)
    else:
        done = map_items(partial(_do, work), left, title=title, workers=engine.workers)
        deque(done, maxlen=0)
    for bundle in bundles:
        yield bundle.items, bundle.path


def _ranges(shares: Sequence[float]) -> Iterator[tuple[int, int]]:
    """Where each bundle begins and ends."""
    total = len(shares)
    size = max(1, min(_BUNDLE, -(-total // _BUNDLE)), -(-total // _MAX_BUNDLES))
    start, held = 0, 0.0
    for end, share in enumerate(shares):
        if end > start and (end - start == size or held + share > 1):
            yield start, end
            start, held = end, 0.0
        held += share
    if total:
        yield start, total


def map_items(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    title: str,
    workers: int | None = None,
) -> Iterator[Result]:
    """Apply a function to every item in local processes; results in order.

    Args:
        function: picklable.
        items: picklable.
        title: what the progress line says.
        workers: processes; 1 works in this one, None takes all cores.

    Yields:
        The result of each item.

    Raises:
        InputError: any that the function raises; also when a process dies.
    """
    workers = min(os.cpu_count() or 1 if workers is None else workers, len(items))
    if workers <= 1:
        results: Iterable[Result] = map(function, items)
    else:
        results = _run_in_processes(function, items, workers)
    yield from with_progress(results, len(items), title, unit="parts")


def _do(work: Callable[[Sequence[Any]], bytes], bundle: Bundle) -> None:
    write_atomic(bundle.path, work(bundle.items))


def _do_or_note(work: Callable[[Sequence[Any]], bytes], bundle: Bundle) -> None:
    require(
        bundle.path.parent.is_dir(),
        "Every worker must see the folder of the set",
        "Start the workers in the folder of this command, on a disk that all share.",
        path=str(bundle.path.parent),
        worker_in=os.getcwd(),
    )
    if bundle.path.is_file():
        # A runner begins again whatever a lost worker had not yet reported.
        return
    with _begun(bundle).open("a", encoding="utf-8") as begun:
        begun.write("begun\n")
    try:
        _do(work, bundle)
    except InputError as error:
        # A runner would bury it under its own traceback, after trying three times.
        write_atomic(_note(bundle), str(error))


def _note(bundle: Bundle) -> Path:
    return bundle.path.with_suffix(".error")


def _begun(bundle: Bundle) -> Path:
    return bundle.path.with_suffix(".begun")


def _run_on_beam(
    work: Callable[[Sequence[Any]], bytes],
    bundles: Sequence[Bundle],
    title: str,
    engine: Engine,
) -> None:
    assert engine.runner is not None
    # Of a run that was killed.
    _take([_begun(bundle) for bundle in bundles])
    run_on_beam(
        partial(_do_or_note, work), bundles, engine.runner, engine.runner_options
    )
    messages = _take([_note(bundle) for bundle in bundles])
    times = [text.count("\n") for text in _take([_begun(each) for each in bundles])]
    if again := sum(count > 1 for count in times):
        print(
            f"{title}: {again} of {len(bundles)} parts were begun again, after their "
            "worker was lost",
            file=sys.stderr,
        )
    if messages:
        raise InputError(messages[0])
    missing = sum(not bundle.path.is_file() for bundle in bundles)
    require(
        missing == 0,
        "The runner must do every part",  # Dask says nothing of a lost scheduler.
        "Start the scheduler and its workers again; the same command resumes.",
        missing=missing,
        parts=len(bundles),
        runner=engine.runner,
    )


def _take(paths: Sequence[Path]) -> list[str]:
    """The contents of those files that exist, which are removed."""
    found = [path for path in paths if path.is_file()]
    texts = [path.read_text(encoding="utf-8") for path in found]
    for path in found:
        path.unlink()
    return texts


def _run_in_processes(
    function: Callable[[Any], Any], items: Sequence[Any], workers: int
) -> Iterator[Any]:
    # spawn, because a fork of a process in which TensorFlow runs threads may hang.
    # Not joblib: it works ahead of a slow reader without end (396 results of 400, here
    # 8), and its workers outlive the work.
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
                with _interrupts_held():
                    waiting.append(pool.submit(function, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise InputError(
            "Each worker must live to the end, got one of "
            f"workers={workers} killed, most often for want of memory. Give fewer, "
            "--workers 1, or a lower max_pixels."
        ) from error
    except (KeyboardInterrupt, GeneratorExit):
        # Whoever asked for the results is gone, and each file is whole or not there.
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts, which then never gets it.

    A terminal sends it to the workers too, and each would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    import cv2

    # One process a core already; threads inside each would only quarrel.
    cv2.setNumThreads(1)
    # A worker that reads DICOM or writes records starts TensorFlow: not on the GPU.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
