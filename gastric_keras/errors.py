"""The one error that a user can mend."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message says what was wanted, then ``Received: name=value``, then the way
    out. Both command lines print it without a traceback and exit with status 2.
    """
