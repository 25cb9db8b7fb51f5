"""What is printed: no letter ends a command, and warnings have one form."""

from __future__ import annotations

import io
import sys


def allow_any_letter() -> None:
    """Let stdout and stderr spell what their encoding lacks as ``\\xb5``.

    A terminal in Latin-1, a batch log in ASCII and a file name that is not UTF-8 would
    otherwise end a command with a UnicodeEncodeError.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    print(f"Warning: {text}", file=sys.stderr)
