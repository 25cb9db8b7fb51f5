"""The library: its names, the snippet of the README, a wheel without the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import gastric_keras as gk
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.shipped import find_configs, run_configs
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.training import run_target
from gastric_keras.training.optimizers import HeadRateAdam
from tests.helpers.paths import REPOSITORY
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_sets import write_small_set

CLASSES = ("benign", "malignant")


def test_the_face_lists_what_it_has() -> None:
    assert {"AlexNet", "build_classifier", "train_dataset", "warm_start"} <= set(
        dir(gk)
    )
    for name in gk.__all__:
        assert getattr(gk, name).__doc__, name
    with pytest.raises(AttributeError):
        gk.nothing_of_this_name  # noqa: B018


def test_the_face_is_quick() -> None:
    code = (
        "import sys, gastric_keras as gk; gk.cluster_bootstrap; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_a_folder_as_text_feeds_fit_and_evaluate(tmp_path: Path) -> None:
    folder = str(tmp_path / "set")
    counts = {"train": 8, "test": 5}
    write_small_set(Path(folder), "target", CLASSES, per_class=counts)
    train = gk.train_dataset(folder, image_size=64, batch_size=4, epochs=2)
    assert int(train.cardinality()) == 2 * (16 // 4)
    test = gk.eval_dataset(folder, image_size=64, batch_size=4, as_supervised=True)
    assert int(test.cardinality()) == 3
    model = gk.build_classifier("alexnet", 2, image_size=64, weights=None)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, epochs=2, steps_per_epoch=4, shuffle=False, verbose=0)
    assert 0 <= model.evaluate(test, verbose=0, return_dict=True)["accuracy"] <= 1


def test_callbacks_of_your_own_see_every_epoch(tmp_path: Path) -> None:
    class Watch(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[float] = []

        def on_epoch_end(
            self, epoch: int, logs: dict[str, float] | None = None
        ) -> None:
            self.seen.append((logs or {})["val_auc"])

    watch = Watch()
    config = write_experiment(
        tmp_path,
        "watched",
        target={"train": 4, "validation": 4},
        fit=FitConfig(2, batch_size=4),
    )
    run_target(config, RunDir(tmp_path / "runs" / config.name), callbacks=[watch])
    assert len(watch.seen) == 2


def test_our_optimizer_is_read_back() -> None:
    held = keras.saving.serialize_keras_object(HeadRateAdam(1e-3, head_rate=7.0))
    again = keras.saving.deserialize_keras_object(held)
    assert isinstance(again, HeadRateAdam) and again.head_rate == 7.0


def test_calibrate_is_fit_and_apply() -> None:
    rows = [[0.9, 0.1]] * 4
    found = gk.calibrate([0, 0, 0, 1], rows, [[0.9, 0.1]])
    np.testing.assert_allclose(found, [[0.75, 0.25]], atol=1e-6)


def test_configs_are_copied_and_never_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = dict(find_configs())
    assert {"vgg16.yaml", "data_prep/target.yaml"} <= set(names)
    run_configs(out=tmp_path)
    assert f"configs: {len(names)} files" in capsys.readouterr().out
    for name, path in names.items():
        assert (tmp_path / name).read_bytes() == path.read_bytes()
    with pytest.raises(gk.InputError, match="which exists. Name another folder"):
        run_configs(out=tmp_path)
    run_configs(out=tmp_path, force=True)


def test_the_snippet_of_the_readme_runs(tmp_path: Path) -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    snippet = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert snippet is not None
    folder, counts = tmp_path / "set", {"train": 132, "test": 8}
    write_small_set(folder, "target", CLASSES, per_class=counts)
    code = snippet[1].replace("demo/records/target", str(folder))
    assert code.count("epochs=10") == 2
    code = code.replace("epochs=10", "epochs=1")
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Score(" in done.stdout


def test_the_notebook_runs(tmp_path: Path) -> None:
    """On the phantom that it draws itself."""
    notebook = json.loads(
        (REPOSITORY / "docs" / "walkthrough.ipynb").read_text("utf-8")
    )
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # AutoGraph reads the source of functions, so it must be a file.
    script = tmp_path / "cells.py"
    script.write_text("\n".join("".join(cell["source"]) for cell in cells))
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "10 weights copied; new: ('head/kernel', 'head/bias')" in done.stdout
    assert re.search(r"AUC 0\.\d+ \(0\.\d+ to \d\.\d+\)", done.stdout)


def test_a_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    """Built, installed beside this environment's packages, and used elsewhere."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    source = tmp_path / "source"
    files = ["clone", "--quiet", "--depth=1", f"file://{REPOSITORY}", str(source)]
    subprocess.run(["git", *files], check=True)
    subprocess.run([*pip, *build, str(source)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True
    )
    python = environment / "bin" / "python"
    # The packages of this environment, but not the checkout that it points to.
    (site,) = (environment / "lib").glob("python*/site-packages")
    here = Path(np.__file__).parents[1]
    (site / "dependencies.pth").write_text(f"{here}\n")
    # From Python 3.12 on setuptools gives TensorFlow its distutils, by this file.
    for hook in here.glob("distutils-precedence.pth"):
        shutil.copy(hook, site)
    install = ["--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, str(wheel)], check=True)

    def run(*words: str) -> str:
        done = subprocess.run(
            [str(python), "-m", *words],
            cwd=tmp_path,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "--stage STAGE" in run("gastric_keras.run", "--help")
    assert "gastric_keras 0.1.0" in run("gastric_keras.run", "--stage", "doctor")
    run("gastric_keras.run", "--stage", "configs", "--out", "configs")
    # A phantom set and one tiny run, by the configs that the wheel brought.
    phantom = ("--config", "configs/data_prep/demo_phantom.yaml")
    few = ("regions=1", "target_images=48", "target_cases=24", "target_size=64")
    options = [word for value in few for word in ("--set", value)]
    run("data_prep", "phantom", *phantom, "--out", "demo/images", *options)
    target = ("--config", "configs/data_prep/demo_target.yaml")
    options = ["--workers", "1", "--set", "subsets={}"]
    run("data_prep", "target", *target, "--out", "demo/records/target", *options)
    tiny = ("mid=null", "target.fit.epochs=1", "target.fit.batch_size=8")
    tiny += ("evaluate.bootstrap=100",)
    options = [word for value in tiny for word in ("--set", value)]
    everything = ("--stage", "all", "--config", "configs/demo.yaml")
    run("gastric_keras.run", *everything, *options)
    (report,) = tmp_path.glob("tensorboard_logs/*/report.html")
    assert "gastric_keras" in report.read_text(encoding="utf-8")
