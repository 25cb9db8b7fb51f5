"""Fixtures that several tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from unittest.mock import patch

import pytest

from tests.helpers.paths import SHARED

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TESTS = Path(__file__).parent
#: Files and tests that train, build large networks, start processes or take long for
#: another reason, the longest first: ``make quick`` leaves them out, ``make test``
#: begins with them, so that no worker is left alone with one in the end. From
#: ``pytest --durations=0``.
SLOW = (
    "whole/test_distribution.py",
    "kills/test_training_kills.py",
    "gastric_keras/serving/test_export.py",
    "gastric_keras/training/test_ladder.py",
    "gastric_keras/grid/test_stage.py",
    "gastric_keras/ensemble/test_stage.py",
    "gastric_keras/serving/test_graph.py",
    "whole/test_controls.py",
    "whole/test_library.py",
    "faults/test_faults.py",
    "gastric_keras/models/test_weights.py",
    "whole/test_tensorboard.py",
    "gastric_keras/serving/test_stain.py",
    "whole/test_normalized.py",
    "whole/test_own_network.py",
    "gastric_keras/report/test_page.py",
    "gastric_keras/evaluation/test_baselines.py",
    "gastric_keras/comparison/test_compare.py",
    "gastric_keras/evaluation/test_embeddings.py",
    "gastric_keras/evaluation/test_feature_files.py",
    "gastric_keras/evaluation/test_external.py",
    "gastric_keras/evaluation/test_classes.py",
    "gastric_keras/report/test_cohorts.py",
    "gastric_keras/training/test_tensorboard.py",
    "gastric_keras/training/test_tasks.py",
    "gastric_keras/models/test_classifier.py",
    "whole/test_disks.py",
    "gastric_keras/serving/test_exported_model.py",
    "gastric_keras/training/test_epoch_log.py",
    "gastric_keras/serving/test_served.py",
    "gastric_keras/serving/test_onnx.py",
    "gastric_keras/evaluation/test_layer_probe.py",
    "gastric_keras/visualization/test_gradcam.py",
    "gastric_keras/heatmap/test_stage.py",
    "gastric_keras/prediction/test_stage.py",
    "gastric_keras/prediction/test_classes.py",
    "gastric_keras/heatmap/test_class_finding.py",
    "gastric_keras/training/test_snapshots.py",
    "gastric_keras/training/test_optimizers.py",
    "gastric_keras/training/test_head_probe.py",
    "gastric_keras/report/test_browser.py",
    "benchmarks/test_gpu.py::test_the_rehearsal_goes_through_every_measurement",
    "data_prep/leaks/test_find.py::test_two_processes_read_what_one_reads",
    "data_prep/sets/test_writer.py::test_a_file_is_opened_only_for_records",
    "data_prep/sets/test_writer.py::"
    "test_what_is_cut_at_a_time_does_not_grow_with_the_set",
    "data_prep/test_engine.py::test_beam_does_the_same",
    "gastric_keras/figures/test_plots.py::"
    "test_every_plot_is_a_small_png_that_no_edge_cuts",
    "gastric_keras/figures/test_plots.py::test_noise_is_still_a_small_file",
    "gastric_keras/statistics/test_split_report.py::"
    "test_coverage_of_delong_and_of_the_clustered_interval",
    "whole/test_resume.py::test_a_slide_in_bands_is_the_slide_in_one",
    "whole/test_resume.py::test_beam_makes_the_same_set",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests, and put their files in front."""
    places = {}
    for place, name in enumerate(SLOW):
        path, _, test = name.partition("::")
        # A test that was renamed would be quick without a word.
        assert test in (TESTS / path).read_text(), f"{name} is not there; see SLOW"
        places[name] = place
    last = len(SLOW)

    def place_of(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix()
        name = getattr(item, "originalname", item.name)
        whole, single = (places.get(n, last) for n in (path, f"{path}::{name}"))
        if min(whole, single) < last:
            item.add_marker("slow")
        return whole

    items.sort(key=place_of)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real images; skips the test where it is not there."""
    return _require(SHARED / "data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Folder of the real ImageNet weights; skips the test where it is not there."""
    return _require(SHARED / "weights")


@pytest.fixture(scope="session")
def classifiers() -> dict[str, Any]:
    """See ``small_models.build_pair``: slow to build, so that tests share them. Their
    weights are random; a test may change them, but not to what is no network's."""
    from tests.helpers.small_models import build_pair

    return build_pair()


@pytest.fixture(scope="module")
def without_pictures() -> Iterator[None]:
    """For files that train and do not look at them."""
    from tests.helpers import small_experiments

    with small_experiments.without_pictures():
        yield


@pytest.fixture(scope="module")
def blank_figures() -> Iterator[None]:
    """For files that read what stands beside the figures: each is built, and one white
    pixel in place of what Matplotlib would take most of the time to render."""
    from matplotlib.figure import Figure
    from PIL import Image

    def save(figure: Figure, stream: BinaryIO, **_: object) -> None:
        Image.new("RGB", (1, 1), "white").save(stream, "PNG")

    with patch.object(Figure, "savefig", save):
        yield


def _require(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(
            f"the real files in {folder.parent.name}/{folder.name} are not here"
        )
    return folder
