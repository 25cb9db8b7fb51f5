"""What is printed: no letter ends a command, and warnings have one form."""

from __future__ import annotations

import io
import os
import sys


def open_streams() -> None:
    """Make stdout and stderr take whatever is printed.

    What their encoding lacks is spelled as ``\\xb5``: a terminal in Latin-1, a batch
    log in ASCII and a file name that is not UTF-8 would otherwise end a command with a
    UnicodeEncodeError. A stream that was closed, as by ``2>&-``, takes all and shows
    nothing.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def warn(text: str) -> None:
    """Print a warning on stderr."""
    print(f"Warning: {text}", file=sys.stderr)
