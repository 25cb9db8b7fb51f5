"""The paper's own figures, cell by cell."""

from __future__ import annotations

import pytest

from gastric_keras.comparison.published import (
    GAIN_RANGE,
    SCORES,
    published_gain,
    published_scores,
)


def test_the_published_tables() -> None:
    assert len(SCORES) == 18
    cell = published_scores("vgg16", "small", "one stage")
    assert cell is not None and str(cell) == ".879 .793 .863 .695"
    # All of our labels stand for the large set.
    assert (
        published_scores("alexnet", "all", "nuclei")
        == SCORES["alexnet", "large", "nuclei"]
    )
    assert published_scores("alexnet", "90", "nuclei") is None
    assert published_gain("inception_v3", "all", "tissue") == pytest.approx(0.053)
    assert published_gain("alexnet", "small", "tissue") == pytest.approx(0.016)
    assert published_gain("vgg16", "small", "one stage") is None
    assert GAIN_RANGE == (0.016, 0.053)
