"""A change between two samples: by hand, as of normals, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from gastric_keras.statistics.independent import Change, change_of, changes_of
from gastric_keras.statistics.scores import Score
from gastric_keras.statistics.split_report import report
from gastric_keras.statistics.words import spell_change


def test_the_ends_join_those_of_both_by_hand() -> None:
    # 3-4-5 triangles on either side.
    before, after = Score(0.9, 0.86, 0.93), Score(0.7, 0.66, 0.73)
    change = change_of(before, after)
    assert change.value == pytest.approx(-0.2)
    assert change.low == pytest.approx(-0.2 - 0.05)
    assert change.high == pytest.approx(-0.2 + 0.05)


def test_symmetric_intervals_give_that_of_the_normal() -> None:
    z, one, other = 1.96, 0.03, 0.04
    before, after = (
        Score(v, v - z * se, v + z * se) for v, se in ((0.8, one), (0.75, other))
    )
    change = change_of(before, after)
    half = z * np.hypot(one, other)
    assert (change.low, change.high) == pytest.approx((-0.05 - half, -0.05 + half))


def test_what_is_not_defined_says_why() -> None:
    whole, point = Score(0.8, 0.7, 0.9), Score(0.8, reason="one case only")
    none = Score(None, reason="needs both classes")
    assert change_of(none, whole) == Change(None, reason="needs both classes")
    assert change_of(whole, none) == Change(None, reason="needs both classes")
    assert change_of(whole, point) == Change(0.0, reason="one case only")
    assert change_of(point, whole) == Change(0.0, reason="one case only")
    assert spell_change(change_of(none, whole)).note == "needs both classes"
    assert spell_change(change_of(whole, point)).beside == "one case only"
    assert spell_change(Change(-0.1, -0.2, 0.05)).beside == "-0.200 to +0.050"


def test_every_score_but_delongs_has_a_change() -> None:
    rng = np.random.default_rng(0)
    label, case = np.tile([0, 1], 20), np.repeat(np.arange(20), 2)
    score = rng.random(40).round(3)
    found = report(label, score, case, threshold=0.4, calibrated=score)
    changes = changes_of(found.patch, found.patch)
    assert {c.value for c in changes.values()} == {0.0}
    names = {*found.patch.scores, *found.patch.at_threshold.scores}
    assert set(changes) == names - {"auc_delong"}
    assert changes["auc"].low < 0 < changes["auc"].high
