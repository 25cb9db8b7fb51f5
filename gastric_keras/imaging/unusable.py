"""The error of one picture, and the bytes of a file."""

from __future__ import annotations

from pathlib import Path

from gastric_keras.support.errors import InputError


class UnusableImage(InputError):
    """One picture cannot be used, and says nothing about the others.

    A run sets it aside with this message and goes on, unless it is strict.
    """


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a picture; UnusableImage where there is no such file."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UnusableImage(
            f"A picture must be a file that can be read, got path={path} "
            f"({error.strerror}). Check the path."
        ) from error


def unreadable(name: str, error: Exception) -> UnusableImage:
    """What is said of bytes that a decoder gives up."""
    # Pillow fails with OSError, SyntaxError, ValueError, struct.error and more, all
    # of them on account of the bytes.
    return UnusableImage(
        "A picture must be a whole PNG, JPEG, BMP, TIFF or DICOM file, got "
        f"path={name} ({type(error).__name__}: {_without_address(error)}). "
        "Save it again from its source."
    )


def _without_address(error: Exception) -> str:
    # A message with a memory address would make two equal runs differ.
    return str(error).split("<_io.")[0].strip()
