"""Spoilt folders of finished runs: what compare, report and evaluate make of them."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import math
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.kinds import Kind
from tests.faults.pages import read_page
from tests.faults.run_faults import FAULTS, NAMES, write_names

#: How often each reader is asked; the page takes a second.
_WAYS = ("compare",) * 5 + ("report",) + ("evaluate",) * 2
_RUNS = ("one", "two")
_DRAWS = 100


@functools.cache
def _lab() -> Path:
    """Two finished runs, with checksums, on a target set that is really there."""
    from gastric_keras.evaluation.evaluate import REPORT_VERSION
    from gastric_keras.runs.run_dir import RunDir
    from gastric_keras.runs.scores import checksums
    from gastric_keras.support.files import write_json
    from tests.helpers.fake_runs import CLASSES, make_run
    from tests.helpers.small_sets import write_small_set

    lab = Path(tempfile.mkdtemp(prefix="faults-lab-"))
    for name, mid in zip(_RUNS, (None, "tissue")):
        config = make_run(lab, name, mid=mid, signal=1 + 0.5 * bool(mid))
        run_dir = RunDir(lab / "runs" / name)
        settings = asdict(config.evaluate) | {"report_version": REPORT_VERSION}
        write_json(run_dir.done("evaluate"), settings | checksums(run_dir))
    shutil.rmtree(lab / "records" / "target")
    per_class = {"train": 4, "validation": 72, "test": 72}
    folder = lab / "records" / "target"
    write_small_set(folder, "target", CLASSES, per_class=per_class, size=16)
    return lab


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault, and put it into copies of the runs."""
    name = rng.choice([*sorted(FAULTS), NAMES, NAMES])
    way = rng.choice(_WAYS)
    if name == NAMES:
        way = write_names(rng, folder)
        (folder / "truth.json").write_text(json.dumps({"must": "names", "way": way}))
        return name
    shutil.copytree(_lab() / "runs", folder / "runs")
    is_old = rng.random() < 0.3
    for run in _RUNS if is_old else ():
        _make_old(folder / "runs" / run)
    must = FAULTS[name](rng, folder / "runs" / rng.choice(_RUNS), way, is_old)
    (folder / "truth.json").write_text(json.dumps({"must": must, "way": way}))
    return name


def _make_old(run: Path) -> None:
    """As runs were before their files had checksums; evaluate scores them anew."""
    path = run / "evaluate" / "done.json"
    done = json.loads(path.read_text())
    del done["sha256"]
    done["report_version"] = 1
    path.write_text(json.dumps(done))


def read(folder: Path) -> None:
    """Read them as one stage does, and compare with what it says of sound runs."""
    from gastric_keras.support.errors import InputError

    truth = json.loads((folder / "truth.json").read_text())
    must, way = truth["must"], truth["way"]
    try:
        answer = _READERS[way](folder / "runs")
    except InputError as error:
        assert must not in ("right", "names"), f"refused: {error}"
        raise
    assert must != "refused", f"{way} took it"
    if must in ("right", "either"):
        assert _same(answer, _sound(way)), f"another answer of {way}"


@functools.cache
def _sound(way: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(_lab() / "runs", Path(folder) / "runs")
        return _READERS[way](Path(folder) / "runs")


def _compare(runs: Path) -> Any:
    from gastric_keras.comparison.compare import compare

    out = runs.parent / "out"
    compare(sorted(runs.iterdir()), out, bootstrap=_DRAWS)
    read_page((out / "tables.md").read_text(encoding="utf-8"), is_markdown=True)
    answer = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    for cell in answer["cells"]:
        cell["runs"] = [Path(run).name for run in cell["runs"]]
    return answer


def _report(runs: Path) -> Any:
    from gastric_keras.report.page import run_report
    from gastric_keras.runs.run_dir import RunDir

    texts = []
    for run in sorted(runs.iterdir()):
        run_dir = RunDir(run)
        with contextlib.redirect_stdout(io.StringIO()):
            run_report(_config(run), run_dir)
        texts.append(read_page(run_dir.report_html.read_text(encoding="utf-8")))
    return texts


def _evaluate(runs: Path) -> Any:
    from gastric_keras.evaluation.evaluate import run_evaluate
    from gastric_keras.runs.run_dir import RunDir

    with contextlib.redirect_stdout(io.StringIO()):
        for run in sorted(runs.iterdir()):
            run_evaluate(_config(run), RunDir(run))
    paths = [RunDir(run).report_json for run in sorted(runs.iterdir())]
    answer = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    for scores in answer:
        # The set at hand is smaller than the one that the runs were made up for.
        del scores["labels_per_class"], scores["train_cases"]
    return answer


def _config(run: Path) -> Any:
    """As the user names it, with ``--config``; of made-up runs, their own."""
    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.support import config_io

    sound = _lab() / "runs" / run.name / "config.yaml"
    path = sound if sound.is_file() else run / "config.yaml"
    return config_io.load(ExperimentConfig, path)


def _same(one: Any, two: Any) -> bool:
    """Equal, but for the last digits, which hang on the order of rows."""
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[k], two[k]) for k in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-6, abs_tol=1e-9)
    return one == two


_READERS: dict[str, Callable[[Path], Any]] = {
    "compare": _compare,
    "report": _report,
    "evaluate": _evaluate,
}

KIND = Kind("runs", write, read, needs_tensorflow=True)
