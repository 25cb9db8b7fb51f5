"""What is installed, and which commit runs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gastric_keras.support import versions


def git(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    who = ("-c", "user.name=test", "-c", "user.email=test@test.invalid")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.strip()


def test_read_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    source = tmp_path / "code" / "versions.py"
    source.parent.mkdir()
    source.write_text("1")
    monkeypatch.setattr(versions, "__file__", str(source))
    assert versions.read_commit() is None
    git(tmp_path / "code", "init", "-q")
    git(tmp_path / "code", "add", ".")
    git(tmp_path / "code", "commit", "-qm", "first")
    commit = git(tmp_path / "code", "rev-parse", "HEAD")[:12]
    assert versions.read_commit() == commit
    source.with_name("untracked").write_text("")
    assert versions.read_commit() == commit
    source.write_text("2")
    assert versions.read_commit() == commit + "+changes"
    # No git at all.
    monkeypatch.setenv("PATH", str(tmp_path))
    assert versions.read_commit() is None


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "PACKAGES", ("numpy", "no-such-package"))
    found = versions.read_versions()
    assert found["no-such-package"] is None
    assert found["numpy"] is not None
