"""A run of three classes by one command, and its export against its evaluation."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.experiment import EvaluateConfig, ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.config.target import TargetConfig
from gastric_keras.heatmap import inference
from gastric_keras.records.schema import read_records
from gastric_keras.run import main
from gastric_keras.runs.cohorts import read_class_cohort_scores
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_class_scores, read_split
from gastric_keras.serving.class_point import ClassPoint, call_classes
from gastric_keras.statistics.calibration import apply_temperature
from gastric_keras.statistics.class_cases import class_means
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import read_json
from gastric_keras.visualization import visualize
from tests.helpers.small_experiments import SMALL_ALEXNET, without_pictures
from tests.helpers.small_sets import write_small_set

CLASSES = ("normal", "low", "cancer")


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> tuple[ExperimentConfig, RunDir]:
    """Trained, scored, exported, drawn and shown; the only training of this file."""
    root = tmp_path_factory.mktemp("three")
    splits = {"train": 2, "validation": 2, "test": 3}
    # Not the network's size: resizing is a part of what must agree.
    write_small_set(
        root / "records", "target", CLASSES, per_class=splits, size=80, suffix=".jpg"
    )
    target = TargetConfig(
        str(root / "records"),
        classes=CLASSES,
        positive=None,
        ordered=True,
        fit=FitConfig(epochs=1, batch_size=6),
    )
    config = ExperimentConfig(
        "three", SMALL_ALEXNET, target, evaluate=EvaluateConfig(bootstrap=100)
    )
    config_io.save(config, root / "three.yaml")
    options = ["--config", str(root / "three.yaml")]
    options += ["--set", f"runtime.output={root / 'runs'}"]
    # Responses do not know how many classes there are.
    with without_pictures(), patch.object(visualize, "_plot_responses", lambda *_: ()):
        assert main(["--stage", "all", *options]) == 0
    return config, RunDir(root / "runs" / "three")


@pytest.fixture(scope="module")
def tested(road: tuple[ExperimentConfig, RunDir]) -> Predictions:
    return read_split(road[1], "test", read_class_scores(road[1]))


def test_the_whole_road(
    road: tuple[ExperimentConfig, RunDir],
    tested: Predictions,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, run_dir = road
    assert np.bincount(tested.label).tolist() == [3, 3, 3]
    assert run_dir.report_html.is_file() and (run_dir.figures / "roc.png").is_file()
    # Before anything is trained.
    root = run_dir.root.parents[1]
    options = ["--config", str(root / "three.yaml"), "--set", "name=other"]
    wrong = ["--set", "target.classes=[normal, high, cancer]"]
    assert main(["--stage", "target", *options, *wrong]) == 2
    assert "target.classes must be the classes of" in capsys.readouterr().err


def test_what_is_served_is_what_was_evaluated(
    road: tuple[ExperimentConfig, RunDir], tested: Predictions
) -> None:
    config, run_dir = road
    images = [r.image for r in read_records(config.target.records, "test")]
    served = tf.saved_model.load(str(run_dir.export / "1")).signatures
    assert set(served) == {"serving_default", "predict_array", "features"}
    found = served["serving_default"](image_bytes=tf.constant(images))
    assert set(found) == {"probabilities", "label", "raw_probabilities"}
    raw = tested.probability
    np.testing.assert_allclose(found["raw_probabilities"], raw, atol=1e-5)
    scaled = apply_temperature(raw, read_class_scores(run_dir).temperature)
    np.testing.assert_allclose(found["probabilities"], scaled, atol=1e-5)
    names = [CLASSES[place] for place in raw.argmax(axis=1)]
    assert [name.decode() for name in found["label"].numpy()] == names
    of_patches = served["predict_array"].structured_outputs
    assert of_patches["probabilities"].shape.as_list() == [None, 3]


def test_what_predict_calls_is_what_was_evaluated(
    road: tuple[ExperimentConfig, RunDir], tested: Predictions, tmp_path: Path
) -> None:
    config, run_dir = road
    rows = []
    for number, record in enumerate(read_records(config.target.records, "test")):
        (tmp_path / f"{number}.jpg").write_bytes(record.image)
        rows.append(f"{number}.jpg,{record.case_id}")
    (tmp_path / "cases.csv").write_text("\n".join(["path,case_id", *rows]))
    command = ["--stage", "predict", "--model", str(run_dir.export)]
    command += ["--images", str(tmp_path), "--cases", str(tmp_path / "cases.csv")]
    with patch.object(inference, "_BARE_SECONDS", 0.01):
        assert main([*command, "--out", str(tmp_path / "out")]) == 0

    def read(table: str, column: str) -> tuple[list[list[float]], list[str]]:
        with open(tmp_path / "out" / table, newline="") as stream:
            found = list(csv.DictReader(stream))
        scores = [[float(row[column.format(c)]) for c in CLASSES] for row in found]
        return scores, [row["label"] for row in found]

    raw, label = read("predictions.csv", "raw_{}_probability")
    np.testing.assert_allclose(raw, tested.probability, atol=1e-5)
    assert label == [CLASSES[i] for i in tested.probability.argmax(axis=1)]
    means, label = read("cases.csv", "{}_score")
    case = np.unique(tested.case_id, return_inverse=True)[1]
    wanted = class_means(tested.probability, case)
    np.testing.assert_allclose(means, wanted, atol=1e-5)
    assert label == [CLASSES[i] for i in wanted.argmax(axis=1)]


def test_another_hospital_is_scored_without_touching_the_run(
    road: tuple[ExperimentConfig, RunDir], capsys: pytest.CaptureFixture[str]
) -> None:
    config, run_dir = road
    root = run_dir.root.parents[1]
    north = str(root / "north")
    write_small_set(
        root / "north",
        "target",
        CLASSES,
        per_class={"train": 2, "test": 2},
        size=80,
        source="north",
    )
    before = run_dir.report_json.read_bytes()
    options = ["--config", str(root / "three.yaml")]
    options += ["--set", f"runtime.output={root / 'runs'}"]
    options += ["--set", f"evaluate.external={{north: {{records: {north}}}}}"]
    assert main(["--stage", "evaluate", *options]) == 0
    said = capsys.readouterr().out
    assert "evaluate: north: 4 normal from 2 cases" in said and "; macro AUC " in said
    assert run_dir.report_json.read_bytes() == before
    (scored,) = read_class_cohort_scores(run_dir)
    assert scored.report.n == 12 and scored.splits == ("train", "test")
    assert scored.temperature == read_class_scores(run_dir).temperature
    assert main(["--stage", "evaluate", *options]) == 0
    assert "evaluate: north: finished, the scores stand" in capsys.readouterr().out
    assert main(["--stage", "export", "--force", *options]) == 0
    card = (run_dir.export / "2" / "model_card.md").read_text()
    for words in (
        "| cohort | per | macro AUC | change of it | accuracy | balanced accuracy |",
        "Scored as the test split, at the temperature of the run's own",
        "| north | case |",
    ):
        assert words in card, words
    assert not re.search(r"\{\{|\{%|\bNone\b|\bnan\b", card)


def test_metadata_and_card_name_every_class(
    road: tuple[ExperimentConfig, RunDir],
) -> None:
    version = road[1].export / "1"
    metadata = read_json(version / "assets" / "metadata.json")
    assert metadata["classes"] == list(CLASSES)
    unknown = ("positive", "threshold", "raw_threshold", "case_calls")
    assert [metadata[key] for key in unknown] == [None] * 4
    assert (version / "assets" / "labels.txt").read_text().split() == list(CLASSES)
    card = (version / "model_card.md").read_text()
    for words in (
        "AlexNet, 3 classes: normal, low, cancer; a ladder in this order.",
        "The answer holds `probabilities`",
        "| class | n | AUC | Recall |",
        "| Kappa, quadratic weights |",
    ):
        assert words in card, words
    assert not re.search(r"\{\{|\{%|\bNone\b|\bnan\b|positive one", card)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_calls_are_those_of_numpy(temperature: float) -> None:
    raw = np.random.default_rng(0).dirichlet([0.3] * 4, 50).astype(np.float32)
    raw[0] = (0, 0.5, 0.5, 0)  # the first of equals, as argmax
    found = call_classes(tf.constant(raw), ClassPoint(tuple("abcd"), temperature))
    scaled = apply_temperature(raw, temperature)
    np.testing.assert_allclose(found["probabilities"], scaled, atol=1e-6)
    label = b"".join(found["label"].numpy()).decode()
    assert label == "".join("abcd"[i] for i in raw.argmax(axis=1))


def test_a_rule_for_cases_needs_two_classes() -> None:
    tree = {
        "name": "three",
        "backbone": {"name": "alexnet"},
        "target": {"records": "x", "classes": list(CLASSES), "positive": None},
        "export": {"case_rule": "maximum"},
    }
    with pytest.raises(InputError, match="export.case_rule must be mean with more"):
        config_io.build(ExperimentConfig, tree)
