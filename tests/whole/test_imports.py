"""The floors of setup.cfg hold, and a planted import is found."""

from __future__ import annotations

import ast
import configparser
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY

#: Pixels and scores to numbers: nobody should wait for TensorFlow there.
PURE = ("gastric_keras/statistics", "data_prep/measure")


@pytest.fixture()
def copy(tmp_path: Path) -> Path:
    """The two packages and their rules, to plant into."""
    for package in ("gastric_keras", "data_prep"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / package, tmp_path / package, ignore=ignore)
    shutil.copy(REPOSITORY / "setup.cfg", tmp_path)
    return tmp_path


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


#: Upward, sideways, in a circle, and across the packages.
PLANTED = {
    "gastric_keras.records.schema": "gastric_keras.run",
    "gastric_keras.runs.run_dir": "gastric_keras.training.fit",
    "gastric_keras.report.page": "gastric_keras.serving.export",
    "gastric_keras.models.weights": "gastric_keras.data.pipeline",
    "gastric_keras.training.fit": "gastric_keras.training.ladder",
    "gastric_keras.models.alexnet": "data_prep.measure.nuclei",
    "data_prep.measure.nuclei": "data_prep.sets.build",
    "data_prep.sets.build": "data_prep.leaks.find",
    "data_prep.measure.threshold": "data_prep.measure.nuclei",
    "data_prep.sets.writer": "gastric_keras.config.experiment",
    "data_prep.engine": "gastric_keras.statistics.scores",
}


def test_the_floors_hold_and_every_planted_import_is_found(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken." in done.stdout
    for module, planted in PLANTED.items():
        with open(copy / f"{module.replace('.', '/')}.py", "a") as source:
            # Inside a function too: a deferred import is still an import.
            source.write(f"\n\ndef planted() -> None:\n    import {planted}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    for module, planted in PLANTED.items():
        folder = module.rpartition(".")[0]
        # Which import of a circle is at fault, the linter cannot know.
        is_circle = planted.rpartition(".")[0] == folder
        said = (
            f"cycles are allowed in {folder}."
            if is_circle
            else f"{module} -> {planted} "
        )
        assert said in done.stdout, done.stdout


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
            # Only the benchmarks' own tests do.
            if path.parent != REPOSITORY / "tests" / "benchmarks":
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


#: Folders whose face can be had without TensorFlow.
LIGHT = ("support", "imaging", "records", "config", "statistics", "runs")


@pytest.mark.parametrize(
    "folder", [*(f"gastric_keras.{name}" for name in LIGHT), "data_prep.measure"]
)
def test_a_light_face_loads_no_tensorflow(folder: str) -> None:
    code = (
        f"import sys; from {folder} import *; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_every_name_of_a_face_is_there() -> None:
    for package in ("gastric_keras", "data_prep"):
        for path in sorted((REPOSITORY / package).glob("*/__init__.py")):
            face = importlib.import_module(f"{package}.{path.parent.name}")
            assert face.__all__ and face.__doc__, path
            for name in face.__all__:
                assert getattr(face, name).__doc__, f"{face.__name__}.{name}"
