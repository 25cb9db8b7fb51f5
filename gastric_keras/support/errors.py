"""The one error that a user can fix."""

import errno
import os
import re

#: Characters of a message that a terminal still shows in one piece.
_LONGEST = 2400


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what must hold, what came, and a way out: "blend must be in
    (0, 1], got 1.5. Use 1 to keep all of t=1." Both command lines print it without a
    traceback and exit with status 2.

    Args:
        message: of a long one, as a hostile file may bring about, the middle goes, and
            so it does of a long word.
    """

    def __init__(self, message: str = "") -> None:
        message = re.sub(r"\S{300,}", lambda word: _abridged(word[0], 160), message)
        super().__init__(_abridged(message, _LONGEST))


def _abridged(text: str, most: int) -> str:
    # What must hold comes first, the way out last.
    return text if len(text) <= most else f"{text[: most // 2]} … {text[-most // 3 :]}"


def require(condition: bool, rule: str, way_out: str, **received: object) -> None:
    """Raise an InputError in the house's form unless the condition holds.

    ``require(0 < blend <= 1, "blend must be in (0, 1]", "Use 1 to keep all of t=1.",
    blend=blend)`` says: blend must be in (0, 1], got 1.5. Use 1 to keep all of t=1.

    Args:
        condition: what must be true.
        rule: what must hold, a clause without a full stop: subject first.
        way_out: what to do, a sentence.
        **received: name=value of what came; a single value is given without its name
            where the rule begins with it.

    Raises:
        InputError: the condition does not hold.
    """
    if not condition:
        raise InputError(f"{rule}, got {_spell(rule, received)}. {way_out}")


def check_ranges(config: object, **ranges: tuple[str, str]) -> None:
    """Raise an InputError unless each number of a config lies in its range.

    ``check_ranges(self, blend=("(0, 1]", "1 starts t=2 from t=1 alone."))`` says: blend
    must be in (0, 1], got 1.5. 1 starts t=2 from t=1 alone.

    Args:
        config: an instance of a dataclass; fields that are not numbers, such as None,
            are skipped.
        **ranges: field -> interval and way out, a sentence. An end in square brackets
            belongs to the interval; ``inf`` means no upper limit.

    Raises:
        InputError: a number lies outside, or is NaN.
    """
    for name, (interval, way_out) in ranges.items():
        value = getattr(config, name)
        if not isinstance(value, int | float):
            continue
        low, high = interval[1:-1].split(", ")
        above = value >= float(low) if interval[0] == "[" else value > float(low)
        below = value <= float(high) if interval[-1] == "]" else value < float(high)
        words = f"at least {low}" if interval[0] == "[" else f"above {low}"
        words = words if high == "inf" else f"in {interval}"
        require(above and below, f"{name} must be {words}", way_out, **{name: value})


def _spell(rule: str, received: dict[str, object]) -> str:
    if len(received) == 1 and rule.startswith(f"{next(iter(received))} "):
        return repr(next(iter(received.values())))
    return ", ".join(f"{name}={value!r}" for name, value in received.items())


#: What a disk says when it cannot be written.
_DISK_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)


def disk_error(error: OSError) -> InputError | None:
    """What the user can do about a disk that is full, read-only or broken.

    Args:
        error: as the system raised it, anywhere in a command.

    Returns:
        The message in the house's form; None where the disk is not to blame.
    """
    if error.errno not in _DISK_ERRORS:
        return None
    where = f"path={error.filename}, " if error.filename else ""
    return InputError(
        f"The folder must be writable and its disk have room, got {where}"
        f"error={os.strerror(error.errno)}. Make room, or name another folder; "
        "nothing half-written counts, and the same command resumes."
    )
