"""Fixtures that several tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.paths import SHARED

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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


def _require(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(
            f"the real files in {folder.parent.name}/{folder.name} are not here"
        )
    return folder
