"""What two sides hold and share, as lines of text and as a CSV of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.leaks.contents import Contents
from data_prep.leaks.doubts import Doubt
from data_prep.leaks.find import Leak
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_csv


def describe_contents(contents: Sequence[Contents]) -> str:
    """One line for each side that was compared, and how many flat patches it holds."""
    return "\n".join(
        f"compared: {side}: {len(side.patches.keys)} patches of "
        f"{len(side.keys['case'])} cases and {len(side.keys['image'])} images; "
        f"{int(side.patches.pictures.is_flat.sum())} flat, left out of perceptual"
        for side in contents
    )


def describe_leaks(leaks: Sequence[Leak]) -> str:
    """One line for each leak, with examples; or the words that nothing was found."""
    if not leaks:
        return "No leak: no case, image, overlap, equal or similar patch on two sides."
    return "\n".join(
        f"LEAK: {leak.first} and {leak.second} share {leak.count} × {leak.kind}: "
        + "; ".join(leak.examples)
        + ("; …" if leak.count > len(leak.examples) else "")
        for leak in leaks
    )


def check_file(path: Path | str, option: str, suffix: str) -> None:
    """Refuse a path that no file can be written to, before any work is done.

    Args:
        path: of the file.
        option: of the command line that names it.
        suffix: of such files, for the message.

    Raises:
        InputError: a path that is a folder or lies in none.
    """
    path = Path(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(
            f"{option} must be a file in a folder that exists, got {option}={path}. "
            f"Give a file name, such as --{option} leaks{suffix}"
        )


def pair_rows(
    leaks: Sequence[Leak], doubts: Sequence[Doubt]
) -> Iterator[tuple[str, ...]]:
    """Every pair: kind, first side, what is there, second side, what is there, name.

    Of leaks the patches are told, and the case or image that they share.
    """
    for leak in leaks:
        names = leak.names or ("",) * len(leak.pairs)
        for (one, other), name in zip(leak.pairs, names):
            yield leak.kind, leak.first, one, leak.second, other, name
    for doubt in doubts:
        for pair in doubt.pairs:
            yield doubt.reason, *pair, ""


def write_pairs(
    path: Path | str, leaks: Sequence[Leak], doubts: Sequence[Doubt]
) -> Path:
    """Write all pairs of :func:`pair_rows` as a CSV.

    Returns:
        The path.

    Raises:
        InputError: a path that is a folder or lies in none.
    """
    check_file(path, "csv", ".csv")
    header = ("kind", "first side", "first", "second side", "second", "shared")
    write_csv(Path(path), header, pair_rows(leaks, doubts))
    return Path(path)
