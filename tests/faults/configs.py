"""Spoilt YAML files: what the text itself can do before any schema is asked."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from tests.faults.kinds import Kind
from tests.faults.mutations import spoil_bytes

_FILES = ("configs/demo.yaml", "configs/vgg16.yaml", "configs/inception_v3.yaml")
_Spoilt = tuple[bytes, str]


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault and write its file."""
    name = rng.choice(sorted(_FAULTS))
    text = Path(rng.choice(_FILES)).read_text(encoding="utf-8")
    content, must = _FAULTS[name](rng, text)
    (folder / "config.yaml").write_bytes(content)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def read(folder: Path) -> None:
    """Load it as every stage does."""
    from gastric_keras.config.experiment import ExperimentConfig
    from gastric_keras.support import config_io
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    try:
        config = config_io.load(ExperimentConfig, folder / "config.yaml")
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    finally:
        assert not Path("/tmp/faults-were-run").exists(), "the file ran its code"
    assert must != "refused", "it was taken"
    config_io.save(config, folder / "again.yaml")
    assert config_io.load(ExperimentConfig, folder / "again.yaml") == config


def _bytes_spoilt(rng: random.Random, text: str) -> _Spoilt:
    return spoil_bytes(rng, text.encode()), "any"


def _code(rng: random.Random, text: str) -> _Spoilt:
    tags = (
        '!!python/object/apply:os.system ["touch /tmp/faults-were-run"]',
        "!!python/name:os.system",
        '!!python/object/new:os.system ["touch /tmp/faults-were-run"]',
        "!!python/module:os",
        "!unknown x",
    )
    return f"{text}\nseed: {rng.choice(tags)}\n".encode(), "refused"


def _laughs(rng: random.Random, text: str) -> _Spoilt:
    """A few lines that name each other, a billion words when they are unfolded."""
    lines = ["a0: &a0 {ha: 1}"]
    kind = rng.choice(("list", "mapping", "merge"))
    for level in range(1, rng.randint(6, 12)):
        before = f"*a{level - 1}"
        if kind == "list":
            items = "[" + ", ".join([before] * 10) + "]"
        elif kind == "merge":
            items = "{<<: [" + ", ".join([before] * 10) + "]}"
        else:
            items = "{" + ", ".join(f"k{i}: {before}" for i in range(10)) + "}"
        lines.append(f"a{level}: &a{level} {items}")
    return (text + "\n" + "\n".join(lines)).encode(), "refused"


def _round(rng: random.Random, text: str) -> _Spoilt:
    return (text + "\n" + rng.choice(("x: &x [*x]", "x: &x {y: *x}"))).encode(), (
        "refused"
    )


def _deep(rng: random.Random, text: str) -> _Spoilt:
    depth = rng.choice((100, 2_000, 50_000))
    ends = rng.choice(("[]", "{}"))
    body = ends[0] * depth + ends[1] * depth if ends == "[]" else "{a: " * depth
    return f"{text}\nx: {body}".encode(), "refused"


def _numbers(rng: random.Random, text: str) -> _Spoilt:
    odd = (
        "9" * 5000,
        "0x" + "f" * 9000,
        ".nan",
        ".inf",
        "1e400",
        "1_0",
        "0o17",
        "1:30",
    )
    key = rng.choice(("image_size", "learning_rate", "epochs", "bootstrap"))
    line = f"\nevaluate: {{{key}: {rng.choice(odd)}}}\n"
    return (text + line).encode(), "any"


def _keys(rng: random.Random, text: str) -> _Spoilt:
    odd = (
        "? [a, b]\n: 1",
        "? {a: 1}\n: 2",
        "1: 2",
        "null: 3",
        "~: 1",
        "seed: 1\nseed: 2",
    )
    return f"{text}\n{rng.choice(odd)}\n".encode(), "refused"


def _encoding(rng: random.Random, text: str) -> _Spoilt:
    kind = rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037"))
    return text.encode(kind), "right" if kind == "utf-8-sig" else "refused"


def _other_files(rng: random.Random, text: str) -> _Spoilt:
    odd = (
        b"",
        b"[]",
        b"3",
        b"null",
        b"---\n---\n",
        b"\0",
        b"%YAML 9.9\n---\n",
        b"\x89PNG",
    )
    return rng.choice(odd), "refused"


_FAULTS: dict[str, Callable[[random.Random, str], _Spoilt]] = {
    "bytes cut, flipped, removed or noise": _bytes_spoilt,
    "tags that run code": _code,
    "a billion laughs": _laughs,
    "lists that hold themselves": _round,
    "deep nesting": _deep,
    "numbers that are odd": _numbers,
    "keys that are none, or twice": _keys,
    "other encoding": _encoding,
    "other files": _other_files,
}

KIND = Kind("configs", write, read)
