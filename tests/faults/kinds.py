"""What a kind of bad input is, and how the end of one case is judged."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gastric_keras.support.errors import InputError

#: How a case ended. Right: read, and what was read is true. Refused: an InputError in
#: the house's form. All else is a failure.
Outcome = Literal["right", "refused", "failed"]

#: Longer messages than this bury the way out.
_LONGEST = 3000
#: What must hold, what came, and a way out behind it.
_FORM = re.compile(r".{10,}, got .+[.?!)'’:] ?\S.{5,}", re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """A kind of input, with its faults.

    Attributes:
        name: of the kind.
        write: draws a fault, writes the spoilt files into an empty folder, and returns
            the name of the fault.
        read: reads them as the product does. It returns when the answer is right,
            raises AssertionError when it is wrong, and lets all else through.
        batch: cases that one call of ``read`` tries.
        needs_tensorflow: whether ``read`` does; importing it is most of a short run.
    """

    name: str
    write: Callable[[random.Random, Path], str]
    read: Callable[[Path], None]
    batch: int = 1
    needs_tensorflow: bool = False


def judge(kind: Kind, folder: Path) -> tuple[Outcome, str]:
    """Read a case and say how it ended, and in which words."""
    try:
        kind.read(folder)
    except InputError as error:
        problem = find_bad_form(str(error))
        return ("failed", problem) if problem else ("refused", str(error))
    # Whatever escapes a reader is what this benchmark looks for.
    except BaseException as error:  # noqa: B036
        return "failed", f"{type(error).__name__}: {error}"[:2000]
    return "right", ""


def find_bad_form(message: str) -> str:
    """What is wrong with the form of an error's message; "" when nothing is."""
    if len(message) > _LONGEST:
        return f"a message of {len(message)} characters: {message[:200]!r}"
    if not _FORM.search(message):
        return f"not in the form rule, got …, way out: {message!r}"
    if "MemoryError" in message or "Unable to allocate" in message:
        return f"stopped by the limit of the worker, not by its own: {message!r}"
    return ""
