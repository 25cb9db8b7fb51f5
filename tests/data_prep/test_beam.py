"""Work under Beam, on a cluster of Dask too: every item done, errors explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from data_prep.beam import _dask_failures_explained, run_on_beam
from data_prep.engine import Engine, map_bundles
from gastric_keras.support.errors import InputError


def _write_doubles(values: Sequence[int]) -> bytes:
    if 30 in values:
        raise InputError("thirty stops all")
    return " ".join(str(2 * value) for value in values).encode()


def _touch(path: Path) -> None:
    path.write_text(path.name)


def _need_nothing(path: Path) -> None:
    raise ImportError("No module named 'data_prep'")


def test_a_runner_without_beam_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apache_beam", None)
    engine = Engine(runner="DirectRunner")
    with pytest.raises(InputError, match=r"runner=DirectRunner.*\.\[beam\]"):
        list(map_bundles(_write_doubles, [1], tmp_path, title="t", engine=engine))


def test_beam_does_the_same(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    beam = Engine(runner="DirectRunner")
    local = Engine(workers=1)
    for name, engine in (("beam", beam), ("local", local)):
        list(
            map_bundles(
                _write_doubles, range(29), tmp_path / name, title="t", engine=engine
            )
        )
    files = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "beam").iterdir())
    for name in files:
        one, two = tmp_path / "beam" / name, tmp_path / "local" / name
        assert one.read_bytes() == two.read_bytes()
    with pytest.raises(InputError, match="thirty stops all"):
        list(
            map_bundles(
                _write_doubles, [30], tmp_path / "error", title="t", engine=beam
            )
        )
    assert not list((tmp_path / "error").iterdir()), "no note stays behind"


def test_dask_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"runner=DaskRunner.*\.\[dask\]"):
        run_on_beam(_touch, [], "DaskRunner")


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Address of a cluster of two workers, threads of this process."""
    pytest.importorskip("apache_beam", reason="the extra beam is not installed")
    distributed = pytest.importorskip(
        "distributed", reason="the extra dask is not installed"
    )
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_of_dask_does_every_item(scheduler: str, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(5)]
    address = f"--dask_client_address={scheduler}"
    run_on_beam(_touch, paths, "DaskRunner", [address])
    assert [path.read_text() for path in paths] == ["0", "1", "2", "3", "4"]
    with pytest.raises(InputError, match="this installation.*No module named"):
        run_on_beam(_need_nothing, paths, "DaskRunner", [address])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "DaskRunner must be told its scheduler.*dask_client_address"),
        (["--dask_client_address=nowhere"], "must answer.*port.*dask scheduler"),
    ],
)
def test_a_scheduler_that_cannot_be_asked_is_explained(
    scheduler: str, options: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_on_beam(_touch, [], "DaskRunner", options)


def test_a_cluster_that_dies_is_explained(scheduler: str) -> None:
    from distributed import KilledWorker

    with pytest.raises(InputError, match="4 workers died of.*--memory-limit"):
        with _dask_failures_explained():
            raise KilledWorker("part", None, 3)  # type: ignore[arg-type]
    for lost in (CancelledError("lost"), OSError("Timed out trying to connect")):
        with pytest.raises(InputError, match="cheduler.*must live.*resumes"):
            with _dask_failures_explained():
                raise lost
    for other in (RuntimeError("a bug"), OSError(28, "No space left on device")):
        with pytest.raises(type(other), match=str(other.args[-1])):
            with _dask_failures_explained():
                raise other
