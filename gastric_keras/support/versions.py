"""What is installed, and which commit runs."""

from __future__ import annotations

import importlib.metadata
import subprocess
from pathlib import Path

#: That a result depends on.
PACKAGES = (
    "gastric_keras",
    "tensorflow",
    "keras",
    "tensorflow-io",
    "tensorboard",
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python-headless",
    "scikit-learn",
)


def read_commit() -> str | None:
    """Commit of the checkout that this code runs from, ``+changes`` when it was
    changed since; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        # An installed copy may lie inside a checkout of something else.
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        changes = _git(here, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changes else "")


def read_versions() -> dict[str, str | None]:
    """Installed version of each package that a result depends on."""
    return {name: _version(name) for name in PACKAGES}


def install_command(extra: str) -> str:
    """What a user pastes to get an optional part of this installation.

    Args:
        extra: of setup.cfg, such as ``slides``.
    """
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "constraints.txt").is_file() and (checkout / "setup.cfg").is_file():
        return f"pip install -c constraints.txt -e '.[{extra}]'"
    return f"pip install 'gastric_keras[{extra}]'"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
