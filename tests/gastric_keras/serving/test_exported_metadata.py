"""What an export tells of its calls, edited by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gastric_keras.serving.exported_metadata import (
    RawPoint,
    find_case_calls,
    find_raw_point,
)
from gastric_keras.statistics.case_rules import CaseCalls
from gastric_keras.support.errors import InputError

SOUND = {"classes": ["malignant", "benign"], "raw_threshold": 0.25}
CALLS = {"rule": "any_of", "top": 3, "thresholds": {"mean": 1}, "validation_cases": 7}


def test_raw_probabilities_are_called_by_the_column_of_their_class() -> None:
    assert find_raw_point(SOUND, "malignant") == RawPoint(0, 0.25)
    assert find_raw_point(SOUND, "benign") == RawPoint(1, 0.25)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": None},
        {"classes": "malignant"},
        {"classes": ["malignant", "benign", "other"]},
        {"classes": ["a", "b"]},
        {"raw_threshold": None},
        {"raw_threshold": "0.5"},
        {"raw_threshold": 1.5},
        {"raw_threshold": float("nan")},
    ],
)
def test_what_does_not_say_how_is_not_taken_for_it(change: dict[str, Any]) -> None:
    assert find_raw_point(SOUND | change, "malignant") is None


def test_calls_of_cases_are_read_strictly() -> None:
    place = Path("export/1")
    assert find_case_calls({}, place) is None
    assert find_case_calls({"case_calls": CALLS}, place) == CaseCalls(
        "any_of", 3, {"mean": 1.0}, 7
    )
    for change, message in (
        ({"rule": "median"}, "metadata.json: rule must be one of mean, maximum"),
        ({"top": 0}, "metadata.json: top must be at least 1, got 0"),
        ({"thresholds": {"mean": 2}}, "thresholds must be in .0, 1., for mean"),
        ({"thresholds": [0.5]}, "thresholds must be a mapping, got"),
        ({"cases": 7}, "unknown key cases"),
    ):
        with pytest.raises(InputError, match=message):
            find_case_calls({"case_calls": CALLS | change}, place)
