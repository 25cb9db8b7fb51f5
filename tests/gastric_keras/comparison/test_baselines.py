"""Baselines beside the runs: paired by case and by labels, and never in silence."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.comparison.compare import compare
from gastric_keras.comparison.text import spell_tables
from gastric_keras.runs.baselines import read_baselines
from gastric_keras.runs.predictions import read_predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.paired import holm
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from tests.helpers.fake_runs import add_baseline, make_run
from tests.helpers.paired_tests import paired_cluster_bootstrap

UNI = "uni.npz, 1024 numbers a patch, sha256 0123"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of one stage; a weak and a strong baseline in a folder of their own."""
    folder = tmp_path_factory.mktemp("lab")
    for seed in range(2):
        make_run(folder, f"one-s{seed}", seed=seed, signal=0.9, cases=40)
    config = make_run(folder, "base", cases=40)
    runs = folder / "runs"
    shutil.rmtree(runs / "base")
    add_baseline(config, "color_logistic", "Color alone", signal=0.1, cases=40)
    add_baseline(config, "uni", "UNI + linear probe", signal=3, cases=40, source=UNI)
    config_io.save(config, runs / "base" / "config.yaml")
    return runs


def test_networks_are_held_against_every_baseline(lab: Path, tmp_path: Path) -> None:
    found = compare([*sorted(lab.glob("one-*")), lab / "base"], tmp_path, bootstrap=200)
    assert [cell.title for cell in found.baselines] == [
        "Color alone",
        "UNI + linear probe",
    ]
    color, uni = found.against
    assert color.path == "one stage" and list(color.seeds) == ["0", "1"]
    assert color.p_holm < 0.05 and color.clustered.difference > 0
    assert uni.p_holm < 0.05 and uni.clustered.difference < 0
    assert [d.p_holm for d in found.against] == holm(
        [d.clustered.p_value for d in found.against]
    )
    text = spell_tables(found)
    assert "## Baselines on the same patches" in text
    assert (
        "- AlexNet, one stage, all: of 2 baselines ahead of 1 (Color alone); behind 1 "
        "(UNI + linear probe)." in text
    )
    assert f"- UNI + linear probe: {UNI}." in text
    assert re.search(r"\| AlexNet +\| all +\| one stage +\| Color alone +\| 2 ", text)
    held = read_json(tmp_path / "comparison.json")
    assert held["against"][1]["baseline"] == "UNI + linear probe"


def test_one_seed_equals_the_paired_test(lab: Path, tmp_path: Path) -> None:
    found = compare([lab / "one-s0", lab / "base"], tmp_path, bootstrap=200)
    test = read_predictions(RunDir(lab / "one-s0").predictions("test"))
    uni = read_predictions(RunDir(lab / "base").baseline("uni").predictions("test"))
    expected = paired_cluster_bootstrap(
        test.label,
        uni.probability[:, 1],
        test.probability[:, 1],
        test.case_id,
        Draws(200),
    )
    pooled = found.against[1].clustered
    assert (
        pooled.difference,
        pooled.low,
        pooled.high,
        pooled.p_value,
    ) == pytest.approx(
        (expected.difference, expected.low, expected.high, expected.p_value)
    )


def test_the_labels_must_be_the_same(tmp_path: Path) -> None:
    make_run(tmp_path, "one", subset="small")
    config = make_run(tmp_path, "all")
    add_baseline(config, "uni", "UNI")
    runs = tmp_path / "runs"
    shutil.rmtree(runs / "all" / "evaluate")
    shutil.rmtree(runs / "all" / "target")
    found = compare([runs / "one", runs / "all"], tmp_path / "out", bootstrap=100)
    assert found.against == () and len(found.baselines) == 1
    assert "No network has the labels of these baselines." in spell_tables(found)


def test_a_result_counts_once_and_two_different_ones_are_refused(
    tmp_path: Path,
) -> None:
    configs = [make_run(tmp_path, f"s{seed}", seed=seed) for seed in range(2)]
    for config in configs:
        add_baseline(config, "uni", "UNI")
    folders = [tmp_path / "runs" / config.name for config in configs]
    found = compare(folders, tmp_path / "out", bootstrap=100)
    assert len(found.baselines) == 1 and found.baselines[0].draws == (0,)
    assert list(found.against[0].seeds) == ["0", "1"]
    add_baseline(configs[1], "uni", "UNI", seed=7)
    with pytest.raises(InputError) as error:
        compare(folders, tmp_path / "out", bootstrap=100)
    assert f"got {folders[0]} and {folders[1]} with different ones of UNI, all." in str(
        error.value
    )


def test_other_test_patches_are_refused(tmp_path: Path) -> None:
    config = make_run(tmp_path, "one")
    add_baseline(config, "uni", "UNI", cases=20)
    with pytest.raises(InputError) as error:
        compare([tmp_path / "runs" / "one"], tmp_path / "out", bootstrap=100)
    message = str(error.value)
    assert message.startswith("Baselines must be scored on the test rows of the runs")
    assert "(UNI: " in message and "Compare results of one target set only." in message


def test_baselines_alone_are_no_comparison(lab: Path, tmp_path: Path) -> None:
    assert [b.title for b in read_baselines(lab / "base")][1] == "UNI + linear probe"
    with pytest.raises(InputError, match="runs must name folders of finished runs"):
        compare([lab / "base"], tmp_path, bootstrap=100)
    assert np.all(read_baselines(lab / "base")[0].score <= 1)
