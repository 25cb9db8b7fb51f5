"""``served.py`` in a process from which gastric_keras cannot be imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCRIPT = Path(__file__).with_name("served.py")


@contextmanager
def serve(version: Path) -> Iterator[str]:
    """Serve one version of an export; gives the URL of its model."""
    # Neither the checkout nor its installed link can be imported from there.
    launcher = (
        "import sys, runpy;"
        "sys.path[:] = [p for p in sys.path if 'site-packages' in p or 'python3' in p];"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        f"sys.argv = {[str(SCRIPT), str(version)]!r};"
        f"runpy.run_path({str(SCRIPT)!r})"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", launcher],
        cwd="/",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout and process.stderr
        line = process.stdout.readline()
        assert line.startswith("PORT "), process.stderr.read()[-3000:]
        yield f"http://127.0.0.1:{line.split()[1]}/v1/models/gastric"
    finally:
        process.kill()
        process.communicate()
