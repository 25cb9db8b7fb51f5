"""Few patients: whole cases are drawn, of training and of validation alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gastric_keras.config.experiment import ExperimentConfig, TargetConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.grid import Axis, GridConfig
from gastric_keras.data.selection import Selection
from gastric_keras.data.stage_data import class_weight, patches_of, validation_data
from gastric_keras.evaluation.evaluate import run_evaluate
from gastric_keras.grid.cells import load_cells
from gastric_keras.records.manifest import read_manifest, write_manifest
from gastric_keras.records.schema import PatchRecord, record_key
from gastric_keras.records.subsets import CaseSubset, subset_keys
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_scores
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.training.ladder import run_target
from tests.helpers import small_sets
from tests.helpers.small_experiments import write_experiment

CLASSES = ("benign", "malignant")


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    """Cases of two patches: seven of each class to train on, three to validate on."""
    return write_experiment(
        tmp_path_factory.mktemp("cases"),
        "few",
        target={"train": 14, "validation": 6, "test": 4},
        fit=FitConfig(epochs=0, batch_size=4, head="probe"),
    )


def cases_of(folder: str, split: str, keys: list[str]) -> dict[str, set[str]]:
    """Class -> cases, all of whose patches are among the keys."""
    manifest = read_manifest(folder)
    count = manifest.count(split) // 2
    found: dict[str, set[str]] = {}
    rows = small_sets.make_records("target", CLASSES, split, count, 64, ".png")
    for row in rows:
        if record_key(row.image_id, row.x, row.y) in keys:
            found.setdefault(CLASSES[row.label], set()).add(row.case_id)
    whole = [row for row in rows if row.case_id in set().union(*found.values())]
    assert len(whole) == len(keys)
    return found


def test_whole_cases_are_drawn_fewer_inside_more(experiment: ExperimentConfig) -> None:
    folder = experiment.target.records
    drawn = {n: subset_keys(folder, "train", CaseSubset(n)) for n in (2, 5, 7)}
    for count, keys in drawn.items():
        found = cases_of(folder, "train", keys)
        assert {name: len(cases) for name, cases in found.items()} == {
            "benign": count,
            "malignant": count,
        }
    assert set(drawn[2]) < set(drawn[5]) < set(drawn[7])
    assert len(drawn[7]) == 28
    other = subset_keys(folder, "train", CaseSubset(2), seed=1)
    assert other != drawn[2]


def test_a_case_of_both_classes_is_of_the_one_of_most_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small_sets.make_records

    def mixed(*arguments: object) -> list[PatchRecord]:
        records = made(*arguments)  # type: ignore[arg-type]
        # Two benign patches and one malignant make one case; so do the next two.
        names = ["a", "b", "a", "c", "a", "a", "d", "d"]
        return [replace(r, case_id=n) for r, n in zip(records, names)]

    monkeypatch.setattr(small_sets, "make_records", mixed)
    records = small_sets.write_small_set(
        tmp_path / "set", "target", CLASSES, per_class={"train": 4}
    )
    of = {record_key(r.image_id, r.x, r.y): (r.case_id, r.label) for r in records}
    keys = subset_keys(tmp_path / "set", "train", CaseSubset(1))
    cases = {of[key][0] for key in keys}
    # The case of three benign patches and one malignant, whole; and one of the others:
    # d has one patch of each, and counts as malignant.
    assert "a" in cases and len(cases) == 2
    assert Counter(of[key] for key in keys)["a", 1] == 1
    with pytest.raises(
        InputError, match="must be at most 1, the cases of benign in sp"
    ):
        subset_keys(tmp_path / "set", "train", CaseSubset(2))


def test_validation_is_cut_alike_and_test_is_not(experiment: ExperimentConfig) -> None:
    target = replace(experiment.target, subset=CaseSubset(2), subset_seed=5)
    counts = {s: patches_of(target, s).count() for s in ("train", "validation", "test")}
    assert counts == {"train": 8, "validation": 8, "test": 8}
    whole = replace(target, subset=CaseSubset(2, "all"))
    assert patches_of(whole, "validation").count() == 12
    where = {"seed": 0, "image_size": 64}
    batches = validation_data(target, **where)  # type: ignore[arg-type]
    found = cases_of(
        target.records, "validation", patches_of(target, "validation").keys
    )
    drawn = {case.decode() for b in batches for case in b["case_id"].numpy()}
    assert drawn == found["benign"] | found["malignant"] and len(drawn) == 4


def test_classes_of_a_draw_of_cases_are_balanced(
    experiment: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = replace(experiment.target, subset=CaseSubset(1))
    monkeypatch.setattr(
        Selection, "class_counts", lambda self: {"benign": 6, "malignant": 2}
    )
    assert class_weight(target) == {0: 8 / 12, 1: 2.0}
    assert class_weight(replace(target, subset=4)) is None


def test_a_run_with_few_cases_counts_its_labels(experiment: ExperimentConfig) -> None:
    config = replace(
        experiment, target=replace(experiment.target, subset=CaseSubset(3))
    )
    run_dir = RunDir(Path(config.runtime.output) / config.name)
    config_io.save(config, run_dir.config)
    assert config_io.load(ExperimentConfig, run_dir.config) == config
    run_target(config, run_dir)
    run_evaluate(config, run_dir)
    scores = read_scores(run_dir)
    assert scores.subset == CaseSubset(3)
    assert (scores.labels_per_class, scores.train_cases) == (6, 6)
    assert (
        scores.labels == "12 for training from 6 cases, 12 for validation from 6 cases"
    )
    assert (scores.validation.n, scores.test.n) == (12, 8)


def test_too_few_cases_are_refused(experiment: ExperimentConfig) -> None:
    folder = experiment.target.records
    with pytest.raises(InputError) as caught:
        subset_keys(folder, "validation", CaseSubset(4))
    assert str(caught.value) == (
        "target.subset.cases must be at most 3, the cases of benign in split "
        f"validation of {folder}, got cases=4. Use fewer, or for validation alone set "
        "target.subset.validation to all."
    )
    with pytest.raises(InputError, match="cases must be at least 1, got 0. 3 draws"):
        CaseSubset(0)


def test_cases_must_be_known(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    small_sets.write_small_set(folder, "target", CLASSES, per_class={"train": 4})
    write_manifest(folder, replace(read_manifest(folder), is_grouped=False))
    with pytest.raises(InputError, match="must count patches where the cases are not"):
        subset_keys(folder, "train", CaseSubset(1))


def test_a_config_spells_it(experiment: ExperimentConfig) -> None:
    def read(subset: object) -> TargetConfig:
        tree = config_io.to_dict(experiment.target) | {"subset": subset}
        found: TargetConfig = config_io.build(TargetConfig, tree)
        return found

    assert read({"cases": 3}).subset == CaseSubset(3)
    assert read({"cases": 6, "validation": "all"}).subset == CaseSubset(6, "all")
    assert [str(CaseSubset(3)), str(CaseSubset(6, "all"))] == [
        "3+3 cases",
        "6+6 cases, all validation",
    ]
    with pytest.raises(InputError, match="validation must be one of alike, all, got"):
        read({"cases": 3, "validation": "none"})


def test_a_grid_goes_over_draws_of_cases(
    experiment: ExperimentConfig, tmp_path: Path
) -> None:
    base = tmp_path / "base.yaml"
    config_io.save(experiment, base)
    values = {f"cases{n}": (f"target.subset={{cases: {n}}}",) for n in (3, 6)}
    grid = GridConfig(
        name="patients",
        base=str(base),
        axes=(Axis("cases", values),),
        seeds=(0, 1),
        set=("target.subset_seed={seed}",),
    )
    cells = load_cells(grid)
    assert [cell.config.target.subset for cell in cells].count(CaseSubset(6)) == 2
    assert {cell.config.target.subset_seed for cell in cells} == {0, 1}
