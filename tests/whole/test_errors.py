"""Messages keep their form, however long what was received."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from data_prep import __main__ as data_prep
from gastric_keras import run
from gastric_keras.support.errors import InputError, disk_error, require


def test_a_long_word_loses_its_middle() -> None:
    message = str(InputError(f"A class must be known, got {'a' * 9000}. Fix it."))
    assert message.startswith("A class must be known, got aaaa")
    assert message.endswith("aaa. Fix it.") and " … " in message
    assert len(message) < 300


def test_a_long_message_keeps_both_ends() -> None:
    error = InputError(f"A class must be known, got {'a b ' * 9000}. Fix it.")
    assert str(error).startswith("A class must be known, got a b")
    assert str(error).endswith("Fix it.") and len(str(error)) < 2500
    # As it comes back from a worker process.
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_require_passes_or_tells() -> None:
    require(True, "n must be 2", "Fix it.")
    with pytest.raises(InputError, match="^n must be 2, got 3. Fix it.$"):
        require(False, "n must be 2", "Fix it.", n=3)
    with pytest.raises(InputError, match="^n must be m, got n=3, m=2. Fix it.$"):
        require(False, "n must be m", "Fix it.", n=3, m=2)


def test_a_disk_is_to_blame_or_not() -> None:
    message = str(disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/x")))
    assert "The folder must be writable and its disk have room, got" in message
    assert ", got path=/x, error=No space left on device. Make room" in message
    assert disk_error(FileNotFoundError(errno.ENOENT, "no")) is None


@pytest.mark.parametrize("command", ["run", "data_prep"])
def test_a_full_disk_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
) -> None:
    # The device that is always full.
    def write(*_: object) -> int:
        with open("/dev/full", "w") as stream:
            stream.write("x")
        return 0

    if command == "run":
        monkeypatch.setattr(run, "_dispatch", write)
        status = run.main(["--stage", "doctor"])
    else:
        monkeypatch.setattr(data_prep, "_inspect", write)
        status = data_prep.main(["inspect", str(tmp_path)])
    assert status == 2
    assert "error: The folder must be writable" in capsys.readouterr().err
