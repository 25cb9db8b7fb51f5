"""Commands in processes that have TensorFlow already.

A server imports it once, and forks before TensorFlow starts its threads. Such a process
is as new as one of ``python -m``, and there five seconds earlier.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["gastric_keras.run", "gastric_keras.training.ladder"])


class WarmProcess:
    """``python -m MODULE WORDS`` in a session of its own."""

    def __init__(
        self,
        module: str,
        words: Sequence[str] = (),
        *,
        said: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            module: to run as ``__main__``.
            words: its command line.
            said: file for what it prints, errors too.
            environment: added to this process's.
        """
        self._said = said
        self._process = _CONTEXT.Process(
            target=_run,
            args=(module, list(words), str(said), os.environ | (environment or {})),
            # Or a test that fails would wait for it in the end.
            daemon=True,
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid
        # Until then it could not be killed with its children.
        with suppress(ProcessLookupError):
            while os.getpgid(self.pid) != self.pid:
                time.sleep(0.005)

    def poll(self) -> int | None:
        """The exit status; None as long as it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status in the end, as ``subprocess.Popen`` has it."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a warm process", timeout or 0)
        return self._process.exitcode

    def said(self) -> str:
        """What it printed so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")


def _run(module: str, words: list[str], said: str, environment: dict[str, str]) -> None:
    os.setsid()
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(environment)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
