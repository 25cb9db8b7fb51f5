"""A set in the making: continued by the same job only, and by one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.sets.unfinished import identity_of, unfinished
from data_prep.sources.pictures import ImageSource
from gastric_keras.support.errors import InputError


def test_the_same_job_finds_what_was_done(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        with unfinished(out, "job") as work:
            (work / "done").write_text("much")
            raise KeyboardInterrupt
    with unfinished(out, "job") as work:
        assert (work / "done").read_text() == "much"
    assert not list(tmp_path.iterdir()), "nothing stays behind a finished job"


def test_another_job_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        with unfinished(out, "job") as work:
            (work / "found").mkdir()
            (work / "found" / "done").write_text("of another job")
            raise KeyboardInterrupt
    with unfinished(out, "another") as work:
        assert not (work / "found").exists()
    assert "begun by another command or on other files" in capsys.readouterr().err


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "set"
    with unfinished(out, "job"):
        with pytest.raises(
            InputError, match="must not be in use by another process.*--out"
        ):
            with unfinished(out, "job"):
                pass


def test_a_job_is_known_by_its_config_and_its_files(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"pixels")
    image = ImageSource(picture, "a.png", "case", label="benign")
    before = identity_of("target", {"patch_size": 8}, [image])
    assert before == identity_of("target", {"patch_size": 8}, [image])
    assert before != identity_of("tissue", {"patch_size": 8}, [image])
    assert before != identity_of("target", {"patch_size": 9}, [image])
    picture.write_bytes(b"other pixels")
    assert before != identity_of("target", {"patch_size": 8}, [image])
