"""Where records lie in a shard."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from gastric_keras.records.offsets import record_offsets
from gastric_keras.support.errors import InputError


def _write(path: Path, records: list[bytes]) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def test_records_begin_behind_one_another(tmp_path: Path) -> None:
    path = tmp_path / "shard"
    _write(path, [b"", b"a" * 5, b"b" * 300])
    # Length and checksums are 16 bytes around each.
    assert record_offsets(path).tolist() == [0, 16, 37]
    _write(path, [])
    assert record_offsets(path).tolist() == []


@pytest.mark.parametrize("cut", [1, 20])
def test_a_shard_that_was_cut_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "shard"
    _write(path, [b"a" * 5, b"b" * 9])
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError, match="must end where the file ends, got path="):
        record_offsets(path)
