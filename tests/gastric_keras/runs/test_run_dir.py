"""The names of a run's files, and the lock that keeps a second process out."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from gastric_keras.runs.run_dir import (
    RUN_STAGES,
    BaselineDir,
    CohortDir,
    Place,
    RunDir,
)
from gastric_keras.support.errors import InputError

#: Members of RunDir that name no file of their own.
NO_PATH = ("stage", "locked", "reopen", "of_weights", "of_export", "root")


def list_paths(run_dir: RunDir) -> list[Path]:
    """Every path that a run folder can name, found by looking at the class."""
    by_fit = ("weights", "snapshots", "history", "transfer_report")
    arguments: dict[str, tuple[str, ...]] = dict.fromkeys(by_fit, ("mid", "target"))
    arguments |= {"done": RUN_STAGES, "predictions": ("train", "validation", "test")}
    arguments["heatmap"] = ("a.svs", "b.png")
    # Folders of their own: their files are those of BaselineDir and CohortDir.
    arguments["baseline"] = ("lbp_svm", "color")
    arguments["cohort"] = ("north", "south")
    paths = []
    for name, member in inspect.getmembers(RunDir):
        if isinstance(member, Place):
            paths.append(getattr(run_dir, name))
        elif name in arguments:
            found = [member(run_dir, argument) for argument in arguments[name]]
            paths += [
                p.root if isinstance(p, BaselineDir | CohortDir) else p for p in found
            ]
        else:
            assert name.startswith("_") or name in NO_PATH, name
    return paths


def test_every_path_is_inside_and_none_is_twice() -> None:
    run_dir = RunDir(Path("runs/a"))
    paths = list_paths(run_dir)
    assert len(paths) > 20
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert Path("runs/a") in path.parents and ".." not in path.parts


def test_no_file_is_the_folder_of_another() -> None:
    paths = list_paths(RunDir(Path("run")))
    files = {path for path in paths if path.suffix or path.name == ".lock"}
    assert not files & {parent for path in paths for parent in path.parents}


def test_names_that_others_rely_on() -> None:
    run_dir = RunDir(Path("run"))
    # TensorBoard shows one curve a stage folder; Keras wants this ending.
    assert run_dir.stage("mid") == Path("run/mid")
    assert run_dir.weights("target") == Path("run/target/best.weights.h5")
    assert run_dir.predictions("test") == Path("run/evaluate/predictions_test.csv")


@pytest.mark.parametrize("path", ["runs/a/mid/w.weights.h5", "sent/w.h5", "w.h5"])
def test_beside_weights_lies_what_their_fit_wrote(path: str) -> None:
    run_dir, stage = RunDir.of_weights(Path(path))
    assert run_dir.history(stage) == Path(path).with_name("history.csv")
    assert run_dir.done(stage) == Path(path).with_name("done.json")


def test_weights_and_exports_know_their_run() -> None:
    run_dir = RunDir(Path("runs/a"))
    assert RunDir.of_weights(run_dir.weights("mid")) == (run_dir, "mid")
    assert RunDir.of_export(run_dir.export / "3") == run_dir


HOLD = """
import sys
from pathlib import Path
from gastric_keras.runs.run_dir import BaselineDir, RunDir

with RunDir(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path / "runs" / "a")
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run_dir.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(InputError) as error, run_dir.locked():
            pass
        # Killed without a chance to tidy up: the kernel lets go for it.
        first.kill()
    message = str(error.value)
    assert "The run folder must not be in use by another process, got" in message
    assert f", got {run_dir.root}. Wait for the other run" in message
    with run_dir.locked():
        assert run_dir.lock.is_file()


def test_the_lock_goes_when_the_work_fails(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    with pytest.raises(KeyError), run_dir.locked():
        raise KeyError
    with run_dir.locked(), pytest.raises(InputError), run_dir.locked():
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "run"):
        with pytest.raises(InputError) as error, RunDir(root).locked():
            pass
        message = str(error.value)
        assert "The run folder must be writable, got" in message
        assert f", got {root} (" in message


def test_reopening_a_stage_takes_back_what_follows(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    for stage in ("mid", "target", "evaluate", "report"):
        run_dir.done(stage).parent.mkdir()
        run_dir.done(stage).touch()
    run_dir.reopen("target")
    assert [s for s in RUN_STAGES if run_dir.done(s).exists()] == ["mid"]
