"""What this machine computes in: the precision that its devices have in hardware."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Flags of a processor that multiplies bfloat16, as Linux names them: x86, then ARM.
_BFLOAT16_FLAGS = frozenset(("avx512_bf16", "amx_bf16", "bf16"))
#: Least compute capability of an NVIDIA GPU that has each, the wider range first.
_CAPABILITIES = (((8, 0), "mixed_bfloat16"), ((7, 0), "mixed_float16"))


@dataclass(frozen=True)
class Device:
    """What trains a network.

    Attributes:
        name: in words.
        precisions: Keras dtype policies that it has in hardware, the best first.
    """

    name: str
    precisions: tuple[str, ...]


def find_device(names: Sequence[str] | None = None) -> Device:
    """The device that a run takes: the first GPU, else the processor.

    Args:
        names: ``runtime.devices``; None: every GPU, else the processor.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus and (names is None or any("GPU" in name.upper() for name in names)):
        details = tf.config.experimental.get_device_details(gpus[0])
        capability = details.get("compute_capability", (0, 0))
        found = [name for least, name in _CAPABILITIES if capability >= least]
        return Device(details.get("device_name", "GPU"), (*found, "float32"))
    return processor()


def processor(info: Path = Path("/proc/cpuinfo")) -> Device:
    """This machine's processor.

    Args:
        info: where Linux tells its flags; without it, float32 alone is known.
    """
    try:
        text = info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    name = re.search(r"^model name\s*:(.*)$", text, re.MULTILINE)
    has_bfloat16 = flags and _BFLOAT16_FLAGS & {*flags[1].split()}
    return Device(
        f"{name[1].strip() if name else platform.machine()}, {os.cpu_count()} cores",
        ("mixed_bfloat16", "float32") if has_bfloat16 else ("float32",),
    )
