"""Bad input, the short form of ``make faults``; and the runner that counts it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from gastric_keras.support.errors import InputError
from tests.faults import schemas
from tests.faults.__main__ import draw
from tests.faults.kinds import Kind, find_bad_form, judge
from tests.faults.registry import KINDS
from tests.faults.runner import replay, run

#: Cases of each kind; ``make faults`` tries thousands.
CASES = 15


def test_bad_input_is_read_rightly_or_refused(tmp_path: Path) -> None:
    tally = run(draw(list(KINDS), CASES * len(KINDS)), keep=tmp_path)
    assert tally.failures == []
    for name, counts in tally.counts.items():
        assert counts.total() >= CASES, name
    # Neither all right nor all refused: the cases are worth their name.
    ends = sum((counts for counts in tally.counts.values()), start=type(counts)())
    assert min(ends["right"], ends["refused"]) > CASES
    assert max(tally.largest.values()) < 600, "MiB, for one case"


def _write(rng: random.Random, folder: Path) -> str:
    (folder / "case").write_text("x")
    return "planted"


def _hang(folder: Path) -> None:
    while True:
        pass


def _bomb(folder: Path) -> None:
    np.ones(1 << 31)


def _traceback(folder: Path) -> None:
    raise KeyError("planted")


def _wrong(folder: Path) -> None:
    raise AssertionError("another class")


def _bad_form(folder: Path) -> None:
    raise InputError("no good")


def _right(folder: Path) -> None:
    assert (folder / "case").read_text() == "x"


def _refused(folder: Path) -> None:
    raise InputError("A file must be whole, got half of one. Copy it again.")


PLANTED = {
    read.__name__[1:]: Kind(read.__name__[1:], _write, read)
    for read in (_hang, _bomb, _traceback, _wrong, _bad_form, _right, _refused)
}


def test_what_fails_is_counted_and_kept(tmp_path: Path) -> None:
    cases = [(name, 0) for name in PLANTED]
    tally = run(cases, keep=tmp_path, kinds=PLANTED, seconds=3.0)
    words = {ending.kind: ending.words for ending in tally.failures}
    assert sorted(words) == ["bad_form", "bomb", "hang", "traceback", "wrong"]
    assert "no answer" in words["hang"]
    assert "MemoryError" in words["bomb"]
    assert "KeyError: 'planted'" in words["traceback"]
    assert "AssertionError: another class" in words["wrong"]
    assert "not in the form" in words["bad_form"]
    assert tally.counts["right"] == {"right": 1}
    assert tally.counts["refused"] == {"refused": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bad_form-0",
        "bomb-0",
        "hang-0",
        "traceback-0",
        "wrong-0",
    ]


def test_a_kept_case_is_replayed(tmp_path: Path) -> None:
    kind = KINDS["indexes"]
    fault = kind.write(random.Random(0), tmp_path)
    (tmp_path / "case.json").write_text('{"kind": "indexes"}')
    assert replay(tmp_path) == judge(kind, tmp_path), fault


def test_a_message_without_its_parts_is_seen() -> None:
    good = "A file must be whole, got half of one. Copy it again."
    assert find_bad_form(good) == ""
    for bad in ("Copy it again.", "A file must be there, got none", "x" * 5000):
        assert find_bad_form(bad)
    assert "limit of the worker" in find_bad_form(good.replace("half", "MemoryError:"))


@pytest.mark.parametrize("schema", schemas.SCHEMAS)
def test_every_field_of_a_schema_refuses_another_type(schema: type) -> None:
    for place, hint in schemas.leaves(schema):
        for value in (None, True, 3, 0.25, "text", ["a"], {"k": 1}):
            schemas.check_mutation(schema, place, hint, value)
