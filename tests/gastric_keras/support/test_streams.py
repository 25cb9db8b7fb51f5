"""No letter that a stream lacks ends a command."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from gastric_keras.support.streams import open_streams, warn


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_letters_that_a_stream_lacks_are_spelled(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(
            sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        )
    open_streams()
    text = "µ × 恶性 \udcff"
    print(text)
    warn(text)
    for stream, start in ((sys.stdout, ""), (sys.stderr, "Warning: ")):
        stream.flush()
        written = stream.buffer.getvalue()  # type: ignore[attr-defined]
        assert written.decode(encoding).startswith(start)
        assert rb"\udcff" in written


@pytest.mark.parametrize("module", ["data_prep", "gastric_keras.run"])
def test_both_commands_speak_ascii(module: str) -> None:
    arguments = {
        "data_prep": ["inspect", "nowhere-µ×恶性"],
        "gastric_keras.run": ["--stage", "mid", "--config", "nowhere-µ×恶性"],
    }
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments[module]],
        env={"PYTHONIOENCODING": "ascii", "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert rb"nowhere-\xb5\xd7\u6076\u6027" in ended.stderr
