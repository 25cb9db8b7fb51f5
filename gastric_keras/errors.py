"""The one error that a user can mend."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was wanted, then ``Received: name=value``, then the way
    out. Both command lines print it without a traceback and exit with status 2.
    """


def require(condition: bool, wanted: str, way_out: str, **received: object) -> None:
    """Raise an InputError in the house's form unless the condition holds.

    Args:
        condition: what must be true.
        wanted: what was expected, a sentence.
        way_out: what to do, a sentence.
        **received: name=value of what came.

    Raises:
        InputError: the condition does not hold.
    """
    if not condition:
        values = ", ".join(f"{name}={value!r}" for name, value in received.items())
        raise InputError(f"{wanted} Received: {values}. {way_out}")
