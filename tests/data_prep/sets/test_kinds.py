"""A label that is no class is refused with what it may be instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.config.sets import SourceConfig, TargetSetConfig
from data_prep.sets.kinds import check_labels
from data_prep.sources.image_source import ImageSource
from gastric_keras.support.errors import InputError


@pytest.mark.parametrize(
    ("label", "index", "found"),
    [
        ("test", None, "tells a split. Name it with --images 'a b/test' for a set"),
        ("", None, "must lie in a folder named after its class, got a b/x.png"),
        ("nan", "i.csv", "with 'nan', which counts as empty. Fill it in, or leave"),
        ("test", "i.csv", "must be one of benign, malignant, got 'test'. Map it"),
        ("borderline", None, "got 'borderline'. Map it in the config, labels:"),
    ],
)
def test_unknown_labels(label: str, index: str | None, found: str) -> None:
    config = TargetSetConfig(sources=(SourceConfig(images="a b", index=index),))
    image = ImageSource(Path("a b/x.png"), "x.png", "c", label=label)
    with pytest.raises(InputError, match=found):
        check_labels(config, [image])
