"""Patches to cases: rules worked by hand, thresholds of validation."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.records.cases import CaseRule
from gastric_keras.statistics.case_rules import (
    RULES,
    CaseCalls,
    case_scores,
    fit_case_calls,
    rule_words,
)
from gastric_keras.statistics.split_report import case_means
from gastric_keras.support.errors import InputError

SCORE = np.array([0.2, 0.8, 0.5, 0.9, 0.1, 0.4], np.float32)
#: Cases of three, one and two patches, mixed.
CASE = np.array([0, 2, 0, 0, 1, 2])


@pytest.mark.parametrize(
    "rule, top, wanted",
    [
        ("mean", 10, [1.6 / 3, 0.1, 0.6]),
        ("maximum", 10, [0.9, 0.1, 0.8]),
        ("top_mean", 2, [0.7, 0.1, 0.6]),
        ("top_mean", 1, [0.9, 0.1, 0.8]),
        ("top_mean", 99, [1.6 / 3, 0.1, 0.6]),
        ("any_of", 10, [2 / 3, 0.0, 0.5]),
    ],
)
def test_each_rule_by_hand(rule: CaseRule, top: int, wanted: list[float]) -> None:
    found = case_scores(SCORE, CASE, rule=rule, top=top, threshold=0.5)
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    # The order of the patches is no matter.
    order = np.random.default_rng(0).permutation(len(SCORE))
    again = case_scores(SCORE[order], CASE[order], rule=rule, top=top, threshold=0.5)
    np.testing.assert_allclose(again, found, atol=1e-12)


def test_the_mean_is_that_of_evaluation_to_the_bit() -> None:
    rng = np.random.default_rng(1)
    score, case = rng.random(500).astype(np.float32), rng.integers(0, 40, 500)
    names = np.array([f"c{number:02}" for number in case])
    wanted = case_means(np.zeros(500, int), score, names)[2]
    found = case_scores(score, case, rule="mean", top=1, threshold=0.5)
    np.testing.assert_array_equal(found, wanted)


def test_thresholds_are_chosen_on_the_cases_of_validation() -> None:
    label = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    score = np.array([0.1, 0.3, 0.2, 0.6, 0.2, 0.9, 0.1, 0.8])
    cases = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    calls = fit_case_calls(label, score, cases, rule="maximum", top=1, threshold=0.37)
    assert (calls.rule, calls.top, calls.validation_cases) == ("maximum", 1, 4)
    # That of the patches, as evaluation has it; between 0.6 and 0.8; the same.
    assert calls.thresholds["mean"] == 0.37
    assert calls.thresholds["maximum"] == pytest.approx(0.7)
    assert calls.thresholds["top_mean"] == pytest.approx(0.7)
    assert calls.thresholds.keys() == RULES.keys()


@pytest.mark.parametrize(
    "label, score", [([1, 0, 1], [0.1, 0.2, 0.3]), ([0, 0, 1], [0.1, np.nan, 0.3])]
)
def test_where_validation_cannot_choose_there_is_no_threshold(
    label: list[int], score: list[float]
) -> None:
    # Every case has a positive patch; a score is no number.
    cases = ["a", "a", "b"]
    calls = fit_case_calls(label, score, cases, rule="mean", top=3, threshold=0.5)
    assert calls.thresholds == {"mean": 0.5}


def test_what_cannot_be_carried_is_refused() -> None:
    with pytest.raises(InputError, match="top must be at least 1, got 0. Export"):
        CaseCalls("mean", 0, {"mean": 0.5}, 4)
    with pytest.raises(InputError, match="thresholds must be in .0, 1., for mean"):
        CaseCalls("mean", 1, {"mean": 1.5}, 4)
    with pytest.raises(InputError, match="got {'median': 0.5}"):
        CaseCalls("mean", 1, {"median": 0.5}, 4)
    assert rule_words("top_mean", 7) == "mean of its 7 highest patches"
