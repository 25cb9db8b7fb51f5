"""Every end of a command is one line and a status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gastric_keras.support.commands import run_command
from gastric_keras.support.errors import InputError

_PRINTS = """
import sys
from gastric_keras.support.commands import run_command
def command():
    {body}
    return 0
sys.exit(run_command(command))
"""


def _run(body: str, *, shell: str = "{}") -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -c '{_PRINTS.format(body=body)}'"
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shell.format(command)}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_errors_and_interrupts_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> int:
        raise error

    assert run_command(lambda: 1) == 1
    assert run_command(lambda: fail(InputError("a must be 1, got 2. Set 1."))) == 2
    assert run_command(lambda: fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.splitlines() == [
        "error: a must be 1, got 2. Set 1.",
        "interrupted; nothing half-written counts, and the same command resumes",
    ]
    with pytest.raises(SystemExit):
        run_command(lambda: fail(SystemExit(2)))
    with pytest.raises(FileNotFoundError):
        run_command(lambda: fail(FileNotFoundError("a fault of the code")))


@pytest.mark.parametrize("body", ["print(1)", "print(1, flush=True)", "print(2**9999)"])
def test_a_reader_that_has_gone_is_no_traceback(body: str) -> None:
    ended = _run(f"[print(i) for i in range(99999)]; {body}", shell="{} | head -1")
    assert ended.stdout == "0\n" and ended.returncode == 141
    assert ended.stderr == (
        "stopped, since nothing reads the output; the same command resumes\n"
    )
    both = _run(
        f"[print(i, file=sys.stderr) for i in range(99999)]; {body}",
        shell="{} 2>&1 | head -1",
    )
    assert both.stdout == "0\n" and not both.stderr


def test_closed_streams_take_everything() -> None:
    ended = _run("print(1); print(2, file=sys.stderr)", shell="{} >&- 2>&-")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_full_disk_behind_stdout_is_told() -> None:
    ended = _run("print(1)", shell="{} > /dev/full")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: The folder must be writable")


_MAPS = """
import signal, sys, time
from data_prep.engine import map_items
from gastric_keras.support.commands import run_command
def command():
    print("begun", flush=True)
    list(map_items(time.sleep, [0.01] * 9 + [60.0] * 9, title="x", workers=2))
if __name__ == "__main__":
    # A shell's background job, as this test may be, starts with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run_command(command))
"""


def test_ctrl_c_stops_the_workers_without_their_tracebacks(tmp_path: Path) -> None:
    script = tmp_path / "maps.py"
    script.write_text(_MAPS)
    # A terminal sends the signal to the workers as well: to the whole group.
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        os.killpg(process.pid, signal.SIGINT)
        # Both pipes end only when the workers that hold them have ended.
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error == (
        "interrupted; nothing half-written counts, and the same command resumes\n"
    )
