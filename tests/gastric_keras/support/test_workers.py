"""Which of several processes this one is."""

from __future__ import annotations

import pytest

from gastric_keras.support.errors import InputError
from gastric_keras.support.workers import is_chief, read_workers

WORKERS = '"cluster": {"worker": ["a:1", "b:2", "c:3"]}'


def test_alone_is_chief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert read_workers() == (1, 0) and is_chief()


@pytest.mark.parametrize("index", [0, 2])
def test_the_first_worker_is_chief(monkeypatch: pytest.MonkeyPatch, index: int) -> None:
    task = f'"task": {{"type": "worker", "index": {index}}}'
    monkeypatch.setenv("TF_CONFIG", f"{{{WORKERS}, {task}}}")
    assert read_workers() == (3, index) and is_chief() == (index == 0)


@pytest.mark.parametrize("text", ["{", "[]", "{}", f"{{{WORKERS}}}", "3"])
def test_what_cannot_be_read_is_told(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG must look like .*, got "):
        read_workers()
