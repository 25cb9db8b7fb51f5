"""Ways to spoil bytes and trees, drawn at random but for ever the same by seed."""

from __future__ import annotations

import copy
import random
from typing import Any

#: Values that parsers stumble over, as JSON and YAML can hold them.
JUNK: tuple[Any, ...] = (
    None,
    True,
    "",
    "\0",
    "x" * 5000,
    "../../etc/passwd",
    -1,
    0,
    2**63,
    10**400,
    1e308,
    -1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"type": None},
    ["a", 1, None],
)


def cut(rng: random.Random, data: bytes) -> bytes:
    """The beginning of some bytes, at least one of them short."""
    return data[: rng.randrange(len(data))] if data else data


def flip(rng: random.Random, data: bytes, *, most: int = 4) -> bytes:
    """Some bytes with one to ``most`` bits turned over."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, most)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def scramble(rng: random.Random, data: bytes) -> bytes:
    """Some bytes with a part removed, doubled, or replaced by noise."""
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    part = data[start:end][:4096]
    kind = rng.randrange(3)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + part + data[end:]
    return data[:start] + rng.randbytes(len(part)) + data[start + len(part) :]


def spoil_bytes(rng: random.Random, data: bytes) -> bytes:
    """One of the above."""
    return rng.choice((cut, flip, scramble))(rng, data)


def nested(depth: int, kind: type = list) -> Any:
    """Lists in lists, or mappings in mappings."""
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


def spoil_tree(rng: random.Random, tree: Any) -> Any:
    """A tree with one to three nodes replaced, removed or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            break
        parent, key = rng.choice(places)
        kind = rng.randrange(4)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[f"{key}x"] = parent.pop(key)
        elif kind == 1:
            parent.insert(key, copy.deepcopy(parent[key]))
        else:
            parent[key] = copy.deepcopy(rng.choice(JUNK))
    return tree


def _places(tree: Any) -> Any:
    """(container, key) of every node below the top."""
    if isinstance(tree, dict):
        items: Any = list(tree.items())
    elif isinstance(tree, list):
        items = list(enumerate(tree))
    else:
        return
    for key, value in items:
        yield tree, key
        yield from _places(value)
