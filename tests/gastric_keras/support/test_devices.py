"""What a processor has in hardware, by what Linux says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gastric_keras.support.devices import processor

_INFO = "processor\t: 0\nmodel name\t: A processor\nflags\t\t: fpu {}\nbugs\t: bf16\n"


@pytest.mark.parametrize(
    ("info", "precisions"),
    [
        (_INFO.format("avx2 avx512f avx512_bf16"), ("mixed_bfloat16", "float32")),
        (_INFO.format("amx_bf16 amx_tile"), ("mixed_bfloat16", "float32")),
        (_INFO.format("avx2 avx512f"), ("float32",)),
        ("Features\t: fp asimd bf16 i8mm\n", ("mixed_bfloat16", "float32")),
        ("Features\t: fp asimd\n", ("float32",)),
        (None, ("float32",)),
    ],
)
def test_bfloat16_is_known_by_its_flag(
    tmp_path: Path, info: str | None, precisions: tuple[str, ...]
) -> None:
    path = tmp_path / "cpuinfo"
    if info is not None:
        path.write_text(info)
    device = processor(path)
    assert device.precisions == precisions and "cores" in device.name
