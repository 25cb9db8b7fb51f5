"""What is read, left out and assumed is kept and comes back as lines."""

from __future__ import annotations

import pytest

from gastric_keras.records.ledger import Ledger, ledger_lines


def test_a_ledger_is_plain_values_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger()
    ledger.read["rows"] += 3
    ledger.left_out["b"] += 1
    ledger.left_out["a"] += 2
    ledger.assumed["nothing"] += 0
    ledger.warn("look here.")
    assert capsys.readouterr().err == "Warning: look here.\n"
    tree = ledger.tree()
    assert [*tree["left_out"]] == ["a", "b"] and tree["assumed"] == {}
    assert list(ledger_lines({"ledger": tree})) == [
        "read: 3 × rows",
        "left out: 2 × a",
        "left out: 1 × b",
        "warning: look here.",
    ]


@pytest.mark.parametrize("spoilt", [None, [], "x", {"read": 3, "warnings": "abc"}])
def test_a_spoilt_ledger_says_nothing(spoilt: object) -> None:
    assert list(ledger_lines({"ledger": spoilt})) == list(ledger_lines({})) == []
