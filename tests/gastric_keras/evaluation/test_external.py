"""A finished run meets other hospitals: scored, checked for leaks, never again."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from gastric_keras import run
from gastric_keras.config.cohorts import CohortConfig
from gastric_keras.config.experiment import (
    EvaluateConfig,
    ExperimentConfig,
    RuntimeConfig,
)
from gastric_keras.config.fit import FitConfig
from gastric_keras.evaluation import external
from gastric_keras.evaluation.evaluate import run_evaluate
from gastric_keras.records.manifest import read_manifest, write_manifest
from gastric_keras.runs.cohorts import read_cohort_scores, read_cohorts
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.training import ladder
from tests.helpers.small_experiments import write_experiment
from tests.helpers.small_sets import draw_dots, write_small_set

CLASSES = ("benign", "malignant")

pytestmark = pytest.mark.usefixtures("without_pictures")


def draw_pale(rng: np.random.Generator, label: int, size: int) -> np.ndarray:
    """Dots as of ``draw_dots``, in the pale red of another hospital."""
    image = rng.integers(200, 250, (size, size, 3)).astype(np.uint8)
    for _ in range(2 + 8 * label):
        center = tuple(int(v) for v in rng.integers(4, size - 4, 2))
        cv2.circle(image, center, 4, (220, 120, 160), -1)
    return image


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentConfig, Path]:
    """A run that is trained and evaluated, and two cohorts beside its sets."""
    root = tmp_path_factory.mktemp("external")
    config = write_experiment(
        root,
        "run",
        target={"train": 8, "validation": 6, "test": 6},
        fit=FitConfig(epochs=1, batch_size=8),
        evaluate=EvaluateConfig(bootstrap=100),
        runtime=RuntimeConfig(output=str(root / "runs")),
    )
    for name, splits in (("north", {"train": 6, "test": 6}), ("south", {"test": 8})):
        write_small_set(
            root / name,
            "target",
            CLASSES,
            per_class=splits,
            draw=draw_pale,
            source=name,
        )
    run_dir = RunDir(root / "runs" / "run")
    ladder.run_target(config, run_dir)
    run_evaluate(config, run_dir)
    return config, root


def ask(config: ExperimentConfig, **cohorts: CohortConfig) -> ExperimentConfig:
    """The same run, with these cohorts."""
    evaluate = dataclasses.replace(config.evaluate, external=cohorts)
    return dataclasses.replace(config, evaluate=evaluate)


def run_dir_of(config: ExperimentConfig) -> RunDir:
    return RunDir(Path(config.runtime.output) / config.name)


def test_a_cohort_is_scored_and_the_run_is_left_alone(
    lab: tuple[ExperimentConfig, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, root = lab
    run_dir = run_dir_of(config)
    own = {p: p.stat().st_mtime_ns for p in run_dir.stage("evaluate").iterdir()}
    asked = ask(config, north=CohortConfig(str(root / "north")))
    run_evaluate(asked, run_dir)
    out = capsys.readouterr().out
    assert (
        "north: 12 benign from 6 cases, 12 malignant from 6 cases (train + test)"
        in (out)
    )
    (scores,) = read_cohort_scores(run_dir)
    own_scores = read_scores(run_dir)
    assert (scores.report.n, scores.report.cases) == (24, 12)
    assert scores.report.threshold == own_scores.threshold == scores.threshold
    for unit in ("patch", "case"):
        before = getattr(own_scores.test, unit).scores["auc"].value
        after = getattr(scores.report, unit).scores["auc"].value
        change = scores.changes[unit]["auc"]
        assert change.value == pytest.approx(after - before)
    names = {shift.name: shift for shift in scores.shifts}
    # The dots are paler, and the scale is the same for every patch.
    assert names["hematoxylin_mean"].smd < -1
    assert (
        names["patch_width_um"].before.mean == 32 == names["patch_width_um"].after.mean
    )
    assert [drift.label for drift in scores.drift] == list(CLASSES)

    # A second cohort: the first is not touched, the run is not read by the network.
    asked = ask(config, **asked.evaluate.external, south=CohortConfig(f"{root}/south"))
    seen = []
    predict = external.predict_selections
    monkeypatch.setattr(
        external,
        "predict_selections",
        lambda config, model, parts: seen.extend(parts)
        or predict(config, model, parts),
    )
    run_evaluate(asked, run_dir)
    assert [Path(part.folder).name for part in seen] == ["south"]
    assert "north: finished" in capsys.readouterr().out
    assert [c.scores.name for c in read_cohorts(run_dir)] == ["north", "south"]
    assert own == {p: p.stat().st_mtime_ns for p in run_dir.stage("evaluate").iterdir()}

    # With fewer draws all is scored again, and nothing predicted.
    seen.clear()
    few = dataclasses.replace(asked.evaluate, bootstrap=120)
    run_evaluate(dataclasses.replace(asked, evaluate=few), run_dir)
    assert not seen
    assert {c.report.bootstrap for c in read_cohort_scores(run_dir)} == {120}
    # The command line, and what it asks for stays scored.
    path = root / "run.yaml"
    config_io.save(config, path)
    order = ["--stage", "evaluate", "--config", str(path)]
    north = ["--set", f"evaluate.external.north.records={root / 'north'}"]
    assert run.main([*order, *north]) == 0
    capsys.readouterr()
    assert run.main([*order, *north]) == 0
    assert "north: finished, the scores stand in" in capsys.readouterr().out


def test_what_does_not_fit_is_refused_before_it_is_predicted(
    lab: tuple[ExperimentConfig, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, root = lab
    run_dir = run_dir_of(config)
    monkeypatch.setattr(external, "load_stage", lambda *_: pytest.fail("predicted"))

    def refused(folder: Path, *words: str, **allowed: bool) -> None:
        cohort = CohortConfig(str(folder), **allowed)
        with pytest.raises(InputError) as caught:
            run_evaluate(ask(config, new=cohort), run_dir)
        for word in words:
            assert word in str(caught.value)

    refused(
        root / "target",
        "evaluate.external.new.records must share no case and no picture",
        "cases with train of the target set",
        "equal patches with test of the target set",
        f"data_prep check {root / 'target'}",
        "evaluate.external.new.allow_leaks=true",
    )
    # Turned by a quarter, under the names that they have.
    write_small_set(
        root / "turned",
        "target",
        CLASSES,
        per_class={"train": 8},
        draw=lambda *drawn: np.ascontiguousarray(np.rot90(draw_dots(*drawn))),
    )
    refused(root / "turned", "16 patches that look alike with train of the target set")
    refused(root / "nowhere", "must have a manifest.json", "nowhere")
    for name, classes in (("other", ("normal", "cancer")), ("alone", CLASSES)):
        write_small_set(root / name, "target", classes, per_class={"test": 2})
    refused(root / "other", "classes of the run", "['normal', 'cancer']", "labels")
    manifest = read_manifest(root / "alone")
    for change, words in (
        ({"counts": {"test": {"benign": 0, "malignant": 4}}}, "benign=0, malignant=4"),
        ({"config": {"normalization": "macenko"}}, "new.allow_unequal_normalization"),
        ({"mpp": 5.0}, "evaluate.external.new.allow_unequal_scale=true"),
    ):
        write_manifest(root / "alone", dataclasses.replace(manifest, **change))
        refused(root / "alone", words)
    write_manifest(root / "alone", manifest)


def test_a_leak_that_is_allowed_is_counted(
    lab: tuple[ExperimentConfig, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config, root = lab
    run_dir = run_dir_of(config)
    stolen = CohortConfig(str(root / "target"), allow_leaks=True)
    run_evaluate(ask(config, stolen=stolen), run_dir)
    (found,) = (c for c in read_cohort_scores(run_dir) if c.name == "stolen")
    assert {each.where.split()[0] for each in found.shared} == {
        "train",
        "validation",
        "test",
    }
    assert "its scores may be too good" in capsys.readouterr().err
    # What was allowed once is not allowed for ever.
    strict = dataclasses.replace(stolen, allow_leaks=False)
    with pytest.raises(InputError, match="must share no case"):
        run_evaluate(ask(config, stolen=strict), run_dir)
    # Another training takes the scores with it.
    run_dir.reopen("target")
    assert read_cohort_scores(run_dir) == []


def test_names_become_folders() -> None:
    for names in (("../up",), ("a b",), ("a.b",), ("",), ("North", "north")):
        with pytest.raises(InputError, match="external must have names"):
            EvaluateConfig(external={name: CohortConfig("x") for name in names})
