"""External cohorts of a run of several classes: on the page and in the model card."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.cohort_shapes import ClassCohortScores
from gastric_keras.runs.cohorts import read_class_cohort_scores, read_class_cohorts
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.scores import read_class_scores
from gastric_keras.statistics.independent import change_of
from tests.gastric_keras.report.test_page import read_page
from tests.helpers.fake_classes import LADDER, make_class_run
from tests.helpers.fake_cohorts import add_class_cohort
from tests.helpers.fake_runs import write_report

pytestmark = pytest.mark.usefixtures("blank_figures")


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[ExperimentConfig, RunDir, ClassCohortScores]:
    folder = tmp_path_factory.mktemp("lab")
    config = make_class_run(folder, "one")
    return config, RunDir(folder / "runs" / "one"), add_class_cohort(config, "north")


def test_a_cohort_is_scored_as_the_test_split_was(
    run: tuple[ExperimentConfig, RunDir, ClassCohortScores],
) -> None:
    _, run_dir, made = run
    (found,) = read_class_cohorts(run_dir)
    assert found.scores == made == read_class_cohort_scores(run_dir)[0]
    own = read_class_scores(run_dir)
    assert made.temperature == own.temperature
    before, after = own.test.patch, made.report.patch
    assert set(made.changes["patch"]) == set(after.scores)
    for key, change in made.changes["patch"].items():
        assert change == change_of(before.scores[key], after.scores[key])
    for name, change in made.class_changes["case"].items():
        pair = own.test.case.by_class[name]["auc"], made.report.case.by_class[name]
        assert change == change_of(pair[0], pair[1]["auc"])
    # Of each class the probability of that class.
    assert [each.label for each in made.drift] == list(LADDER)
    part = found.predictions
    for place, each in enumerate(made.drift):
        mine = part.probability[part.label == place, place]
        assert each.after.mean == pytest.approx(float(np.mean(mine)))
    assert [each.name for each in made.counts] == list(LADDER)
    assert any("few cases of a class" in each for each in made.warnings)


def test_a_cohort_has_a_section_of_its_own(
    run: tuple[ExperimentConfig, RunDir, ClassCohortScores],
) -> None:
    config, _, made = run
    page = read_page(write_report(config))
    for words in (
        "Cohort north",
        "per patch; called by the highest probability",
        "AUC, cancer",
        "Probability of the true class: median",
        "Kappa, quadratic weights",
    ):
        assert words in page.text, words
    for change in (made.changes["patch"]["auc"], made.class_changes["case"]["low"]):
        assert f"{change.value:+.3f}" in page.text
    # ROC and confusion of both units, reliability; of the cohort drift and stain too.
    alts = [attributes["alt"] for attributes in page.all("img")]
    assert len(set(alts)) == len(alts) == 5 + 7
    regions = [a["aria-label"] for _, a in page.elements if "aria-label" in a]
    assert len(set(regions)) == len(regions)
