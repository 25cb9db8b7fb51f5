"""The floors of setup.cfg hold, and a planted import is found."""

from __future__ import annotations

import ast
import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY

#: Pixels and scores to numbers: nobody should wait for TensorFlow there.
PURE = ("gastric_keras/statistics", "data_prep/measure")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two packages and their rules, to plant into."""
    folder = tmp_path_factory.mktemp("floors")
    for package in ("gastric_keras", "data_prep"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / package, folder / package, ignore=ignore)
    shutil.copy(REPOSITORY / "setup.cfg", folder)
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
        ("gastric_keras/records/schema.py", "import gastric_keras.run"),
        ("gastric_keras/runs/run_dir.py", "from gastric_keras.training import fit"),
        ("gastric_keras/report/page.py", "import gastric_keras.serving.export"),
        ("gastric_keras/models/weights.py", "from gastric_keras.data import pipeline"),
        ("gastric_keras/training/fit.py", "from gastric_keras.training import ladder"),
        ("gastric_keras/models/alexnet.py", "from data_prep.measure import stain"),
        ("data_prep/measure/stain.py", "from data_prep.sets import build"),
        ("data_prep/sets/build.py", "from data_prep.leaks import find"),
        ("data_prep/measure/threshold.py", "from data_prep.measure import nuclei"),
        ("data_prep/sets/writer.py", "from gastric_keras.config import experiment"),
        ("data_prep/engine.py", "from gastric_keras.statistics import scores"),
    ],
)
def test_a_planted_import_is_found(copy: Path, module: str, planted: str) -> None:
    """Upward, sideways, in a circle, and across the packages."""
    path = copy / module
    source = path.read_text()
    # Inside a function too: a deferred import is still an import.
    path.write_text(f"{source}\n\ndef planted() -> None:\n    {planted}\n")
    try:
        done = lint(copy)
    finally:
        path.write_text(source)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " broken." in done.stdout and " 0 broken." not in done.stdout
    name = path.stem
    assert name in done.stdout


@pytest.mark.parametrize("package", ["gastric_keras", "data_prep"])
def test_every_folder_has_a_floor(package: str) -> None:
    """The contract names every folder and module beside it; no other exists."""
    rules = configparser.ConfigParser()
    rules.read(REPOSITORY / "setup.cfg")
    placed = {
        name
        for section in rules.sections()
        if section.startswith("importlinter:contract:floors")
        for name in rules[section]["layers"].replace("|", " ").split()
    }
    found = {
        path.stem
        for path in (REPOSITORY / package).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    prefix = f"{package}."
    floors = {n.removeprefix(prefix) for n in placed if n.startswith(prefix)}
    assert found - {"__init__"} == floors


@pytest.mark.parametrize("folder", PURE)
def test_numbers_need_no_tensorflow(folder: str) -> None:
    """Neither in the source, nor by way of what a module imports."""
    modules = []
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        assert not {"tensorflow", "keras"} & imported(path), path
        modules.append(".".join(path.relative_to(REPOSITORY).with_suffix("").parts))
    code = (
        f"import importlib, sys; [importlib.import_module(m) for m in {modules!r}]; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_tests_and_benchmarks_do_not_import_each_other() -> None:
    for folder, other in (("tests", "benchmarks"), ("benchmarks", "tests")):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            assert other not in imported(path), path
    for package in ("gastric_keras", "data_prep"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            assert not {"tests", "benchmarks"} & imported(path), path


def imported(path: Path) -> set[str]:
    """Top-level packages that a source imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
