"""How a command ends: errors, Ctrl-C and a closed pipe in one line, and its status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from gastric_keras.support.errors import InputError, disk_error
from gastric_keras.support.streams import open_streams

#: Statuses of a process that SIGINT and SIGPIPE end, as shells count them.
_INTERRUPTED, _PIPE_CLOSED = 130, 141


def run_command(command: Callable[[], int]) -> int:
    """Run a command to its end, whatever that is.

    Args:
        command: gives its status.

    Returns:
        That status; 2 for an InputError and for a disk that cannot be written, 130
        after Ctrl-C, 141 where the reader of stdout has gone, as in ``| head``. Each
        of these is one line on stderr.
    """
    open_streams()
    try:
        try:
            return command()
        finally:
            # Else Python finds a closed pipe on its way out, and says so.
            sys.stdout.flush()
    except InputError as error:
        return _end(f"error: {error}", 2)
    except KeyboardInterrupt:
        line = "interrupted; nothing half-written counts, and the same command resumes"
        return _end(line, _INTERRUPTED)
    except BrokenPipeError:
        # What is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        line = "stopped, since nothing reads the output; the same command resumes"
        return _end(line, _PIPE_CLOSED)
    except OSError as error:
        if (message := disk_error(error)) is None:
            raise
        return _end(f"error: {message}", 2)


def _end(line: str, status: int) -> int:
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        # ``2>&1 | head``: nobody reads this either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return status
