"""Run a function under Apache Beam; Dask, which Beam runs by path only, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from gastric_keras.support.errors import InputError, require
from gastric_keras.support.streams import warn
from gastric_keras.support.versions import install_command

_DASK = "DaskRunner"
_DASK_PATH = f"apache_beam.runners.dask.dask_runner.{_DASK}"
#: How long a scheduler may take to answer.
_PATIENCE = "10s"


def run_on_beam(
    function: Callable[[Any], None],
    items: Sequence[Any],
    runner: str,
    options: Sequence[str] = (),
) -> None:
    """Apply a function to every item under a Beam runner, for what it leaves behind.

    Args:
        function: picklable. The items of a lost worker come again: twice must be as
            good as once.
        items: picklable.
        runner: as Beam names it; also ``DaskRunner``, for a cluster of Dask.
        options: of the runner, as Beam spells them, such as
            ``--dask_client_address=tcp://HOST:8786``.

    Raises:
        InputError: Beam or Dask is not installed, no scheduler answers, or the cluster
            cannot do the work.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise InputError(
            "A runner needs Apache Beam, which is not installed, got "
            f"runner={runner}. Run {install_command('beam')}, or leave --runner out."
        ) from error
    context: AbstractContextManager[None] = nullcontext()
    if runner in (_DASK, _DASK_PATH):
        runner, options = _DASK_PATH, _dask_options(options)
        context = _dask_failures_explained()
    beam_options = PipelineOptions([f"--runner={runner}", *options])
    with context, beam.Pipeline(options=beam_options) as pipeline:
        # Reshuffle, or Beam would fuse the steps and run every item in one worker.
        pipeline | beam.Create(items) | beam.Reshuffle() | beam.Map(function)


def _dask_options(options: Sequence[str]) -> list[str]:
    """The options, completed, of a scheduler that answers."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            f"{_DASK} needs Dask, which is not installed, got runner={_DASK}. Run "
            f"{install_command('dask')}, or leave --runner out."
        ) from error
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.dask.dask_runner import DaskOptions

    view = PipelineOptions([*options]).view_as(DaskOptions)
    told = view.get_all_options(drop_default=True, current_only=True)
    where = {key: told[key] for key in ("address", "scheduler_file") if key in told}
    require(
        bool(where),
        f"{_DASK} must be told its scheduler",
        "Add --runner-option=--dask_client_address=tcp://HOST:8786, or use --workers "
        "for processes of this machine.",
        runner_option=[*options],
    )
    try:
        # Beam would wait longer and end with a traceback.
        with Client(**where, timeout=_PATIENCE, set_as_default=False) as client:
            if not client.scheduler_info()["workers"]:
                warn(f"{client.scheduler.address} has no workers; the work waits.")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The scheduler of Dask must answer, got error={error}. Start it with dask "
            "scheduler, or correct its address."
        ) from error
    if told.keys() & {"npartitions", "partition_size"}:
        return [*options]
    # A part each: with Beam's own 128, one worker gets the whole of a small set.
    return [*options, "--dask_partition_size=1"]


@contextmanager
def _dask_failures_explained() -> Iterator[None]:
    """Say what a cluster may die of; close the connection that Beam leaves open."""
    from distributed import Client, KilledWorker

    try:
        yield
    except KilledWorker as error:
        raise InputError(
            "Each worker must live to the end of its part, got one part that "
            f"{error.allowed_failures + 1} workers died of, most often for want of "
            "memory. Give dask worker a higher --memory-limit, or lower max_pixels; "
            "the same command resumes."
        ) from error
    except (CancelledError, OSError) as error:
        if isinstance(error, OSError) and "connect" not in str(error):
            # Of the work, such as a full disk.
            raise
        raise InputError(
            f"The scheduler of Dask must live to the end, got error={error}. Start it "
            "and its workers again; the same command resumes."
        ) from error
    except (ImportError, RuntimeError) as error:
        cause = error.__cause__ or error
        if not isinstance(cause, ImportError):
            raise
        raise InputError(
            "Scheduler and workers must have this installation of gastric_keras, got "
            f"error={cause}. Start dask scheduler and dask worker from the environment "
            "of this command."
        ) from error
    finally:
        # There may be no connection yet, or none any more.
        with suppress(ValueError, TimeoutError):
            Client.current().close()
