"""What a benchmark found, as rows that benchmarks.speed.table puts into one table."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from gastric_keras.support.devices import processor
from gastric_keras.support.files import read_json, write_json

#: Where the rows of each benchmark go, in the folder that it is started in.
FOLDER = Path("build/bench")
#: Before the benchmark itself works.
_LOAD = os.getloadavg()[0]
_PACKAGES = ("tensorflow", "keras", "torch", "scikit-image", "onnxruntime")


@dataclass(frozen=True)
class Row:
    """One figure beside what it is held against.

    Attributes:
        what: was measured.
        ours: figure of this project.
        unit: of both figures.
        peer: or limit that it is held against; empty: nothing.
        theirs: figure of the peer, in the same run; None: there is none.
        better: whether more or less of the unit is better.
        aim: least ratio that is aimed at; None: none was set.
    """

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    better: Literal["more", "less"] = "more"
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as good as the peer, above 1 better; None: no peer."""
        if not self.theirs or not self.ours:
            return None
        ratio = self.ours / self.theirs
        return ratio if self.better == "more" else 1 / ratio


@dataclass(frozen=True)
class Found:
    """The rows of one benchmark, and where and when they were measured."""

    command: str
    rows: tuple[Row, ...]
    machine: str
    date: str
    commit: str
    load: float
    versions: dict[str, str]


def save(rows: Iterable[Row], *, machine: str | None = None) -> Path:
    """Write the rows of the benchmark that this process is.

    Args:
        rows: in the order of the table.
        machine: in words; None: this processor.

    Returns:
        The JSON file, ``build/bench/NAME.json``.
    """
    spec = sys.modules["__main__"].__spec__
    module = spec.name if spec else Path(sys.argv[0]).stem
    found = Found(
        command=" ".join(["python -m", module, *sys.argv[1:]]),
        rows=tuple(rows),
        machine=machine or processor().name,
        date=time.strftime("%Y-%m-%d"),
        commit=_commit(),
        load=round(_LOAD, 1),
        versions={"python": platform.python_version(), **_versions()},
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{module.rpartition('.')[2]}.json"
    write_json(path, asdict(found))
    return path


def read(path: Path) -> Found:
    """What :func:`save` wrote."""
    tree = read_json(path)
    return Found(**tree | {"rows": tuple(Row(**row) for row in tree["rows"])})


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
