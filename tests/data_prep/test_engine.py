"""Work in bundles: in order, on every engine, never done twice, never half."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from data_prep.engine import Engine, map_bundles, map_items
from gastric_keras.support.errors import InputError


def _double(value: int) -> int:
    if value == 30:
        raise InputError("thirty stops all")
    return 2 * value


def _write_doubles(values: Sequence[int]) -> bytes:
    return " ".join(str(_double(value)) for value in values).encode()


def _die(value: int) -> int:
    import os

    os._exit(9)


def _read(bundles) -> list[int]:  # type: ignore[no-untyped-def]
    return [int(word) for _, path in bundles for word in path.read_text().split()]


@pytest.mark.parametrize("workers", [1, 2])
def test_items_keep_their_order_and_errors_end_all(workers: int) -> None:
    found = map_items(_double, range(20), title="doubling", workers=workers)
    assert list(found) == [2 * i for i in range(20)]
    with pytest.raises(InputError, match="thirty stops all"):
        list(map_items(_double, [1, 30], title="doubling", workers=workers))


def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(InputError, match="workers=2 killed.*--workers 1"):
        list(map_items(_die, [1, 2], title="dying", workers=2))


@pytest.mark.parametrize("number", [1, 31, 70, 2500])
def test_every_item_is_in_one_bundle(tmp_path: Path, number: int) -> None:
    items = [1000 + i for i in range(number)]
    engine = Engine(workers=1)
    bundles = list(
        map_bundles(_write_doubles, items, tmp_path, title="doubling", engine=engine)
    )
    assert [item for bundle, _ in bundles for item in bundle] == items
    assert _read(bundles) == [2 * item for item in items]
    assert max(len(bundle) for bundle, _ in bundles) <= 32, "a kill costs little"


def test_bundles_that_are_there_are_not_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    engine = Engine(workers=1)
    with pytest.raises(InputError, match="thirty stops all"):
        list(map_bundles(_write_doubles, range(40), tmp_path, title="t", engine=engine))
    before = sorted(tmp_path.iterdir())
    assert before and all(".partial" not in path.name for path in before)
    before[0].write_text("7 7")
    items = [0 if i == 30 else i for i in range(40)]
    bundles = list(map_bundles(_write_doubles, items, tmp_path, title="t"))
    assert f"{len(before)} of 20 parts are there" in capsys.readouterr().err
    assert _read(bundles)[:4] == [7, 7, 4, 6], "taken as it stood"


def test_progress_is_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gastric_keras.support.progress._LINE_EVERY", 0.0)
    list(map_items(_double, [1, 2, 4], title="doubling", workers=1))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "doubling: 1 of 3 parts",
        "doubling: 2 of 3 parts",
    ]


def test_parts_that_a_runner_begins_again_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def run_with_losses(work, bundles, *_) -> None:  # type: ignore[no-untyped-def]
        for number, bundle in enumerate(bundles):
            work(bundle)
            if number in (0, 1):
                # One worker was lost after the file was there, one before.
                _ = number and bundle.path.unlink()
                work(bundle)

    monkeypatch.setattr("data_prep.engine.run_on_beam", run_with_losses)
    engine = Engine(runner="AnyRunner")
    bundles = list(
        map_bundles(_write_doubles, range(5), tmp_path, title="t", engine=engine)
    )
    assert _read(bundles) == [0, 2, 4, 6, 8]
    assert "t: 1 of 5 parts were begun again" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 5, "no mark stays behind"


def test_a_worker_in_another_folder_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def run_elsewhere(work, bundles, *_) -> None:  # type: ignore[no-untyped-def]
        monkeypatch.chdir(tmp_path / "elsewhere")
        work(bundles[0])

    monkeypatch.setattr("data_prep.engine.run_on_beam", run_elsewhere)
    bundles = map_bundles(
        _write_doubles, [1], Path("set"), title="t", engine=Engine(runner="AnyRunner")
    )
    with pytest.raises(InputError, match="must see.*path='set'.*elsewhere"):
        list(bundles)


def test_a_runner_that_ends_too_early_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "data_prep.engine.run_on_beam", lambda work, bundles, *_: work(bundles[0])
    )
    engine = Engine(runner="AnyRunner")
    with pytest.raises(InputError, match="every part, got missing=2, parts=3"):
        list(map_bundles(_write_doubles, range(3), tmp_path, title="t", engine=engine))


def _length(value: int) -> float:
    return value / 10


def test_bundles_stop_where_their_items_fill_them(tmp_path: Path) -> None:
    items = [2, 3, 5, 1, 10, 40, 3, 3, 3, 3] + [1] * 90
    bundles = list(
        map_bundles(
            _write_doubles,
            items,
            tmp_path,
            title="t",
            engine=Engine(workers=1),
            share=_length,
        )
    )
    # By number alone a bundle of a hundred items holds four of them.
    assert [bundle for bundle, _ in bundles][:6] == [
        (2, 3, 5),
        (1,),
        (10,),
        (40,),
        (3, 3, 3),
        (3, 1, 1, 1),
    ]
    assert _read(bundles) == [2 * item for item in items]
