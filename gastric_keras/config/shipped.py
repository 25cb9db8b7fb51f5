"""Stage configs: the example configs, copied to where they can be edited."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator
from pathlib import Path

from gastric_keras.support.errors import InputError, require

#: Where setup.cfg installs them, below the environment's own folder.
INSTALLED = "share/gastric_keras/configs/"


def run_configs(*, out: Path = Path("configs"), force: bool = False) -> None:
    """Stage configs: copy every example config into a folder.

    Args:
        out: folder to copy to; it is made.
        force: replace files of the same name.

    Raises:
        InputError: a file of that name is there already, or none are installed.
    """
    found = dict(find_configs())
    require(
        bool(found),
        "The installation must hold the example configs",
        "Install gastric_keras again, or copy configs/ from a checkout.",
        configs=0,
    )
    taken = [name for name in found if (out / name).exists()]
    if taken and not force:
        raise InputError(
            f"The configs need free names, got {out / taken[0]}, which exists. "
            "Name another folder with --out, or replace the files with --force."
        )
    for name, path in found.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, out / name)
    print(f"configs: {len(found)} files in {out}")


def find_configs() -> Iterator[tuple[str, Path]]:
    """Name below ``configs/`` and file of each, in a checkout or an installation."""
    checkout = Path(__file__).resolve().parents[2] / "configs"
    if checkout.is_dir() and (checkout.parent / "setup.cfg").is_file():
        for path in sorted(checkout.rglob("*.yaml")):
            yield path.relative_to(checkout).as_posix(), path
        return
    for file in importlib.metadata.files("gastric_keras") or ():
        _, mark, name = file.as_posix().partition(INSTALLED)
        if mark:
            yield name, Path(str(file.locate()))
