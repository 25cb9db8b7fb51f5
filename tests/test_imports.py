"""The floors of setup.cfg hold, and a planted upward import is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two packages and their rules, to plant into."""
    folder = tmp_path_factory.mktemp("floors")
    for package in ("gastric_keras", "data_prep"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignore)
    shutil.copy(ROOT / "setup.cfg", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports_command as run; run()"
    # Without isolation the packages of the checkout would be looked at instead.
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def test_the_floors_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken." in done.stdout


@pytest.mark.parametrize(
    "module, planted",
    [
        ("gastric_keras/records.py", "import gastric_keras.run"),
        ("gastric_keras/train.py", "from gastric_keras import stages"),
        ("gastric_keras/models.py", "from data_prep import stain"),
        ("gastric_keras/metrics.py", "import keras"),
        ("data_prep/stain.py", "from data_prep import nuclei"),
        ("data_prep/nuclei.py", "import tensorflow"),
        ("data_prep/writer.py", "from gastric_keras import config"),
    ],
)
def test_a_planted_import_is_found(copy: Path, module: str, planted: str) -> None:
    path = copy / module
    source = path.read_text()
    # Inside a function too: an import put off is still an import.
    path.write_text(f"{source}\n\ndef planted() -> None:\n    {planted}\n")
    try:
        done = lint(copy)
    finally:
        path.write_text(source)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " broken." in done.stdout and " 0 broken." not in done.stdout
    name = module.removesuffix(".py").replace("/", ".")
    assert f"{name} ->" in done.stdout or f"{name} is not allowed" in done.stdout


def test_a_new_module_must_have_a_floor(copy: Path) -> None:
    path = copy / "gastric_keras" / "utils.py"
    path.write_text('"""A module that nobody placed."""\n')
    try:
        done = lint(copy)
    finally:
        path.unlink()
    assert done.returncode == 1
    assert "gastric_keras.utils" in done.stdout
