"""YAML in which nothing is guessed: read strictly, written so that it reads back."""

from __future__ import annotations

import re
import shlex
from collections.abc import Hashable
from typing import Any

import yaml


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a repeated key is an error and ``1e-4`` is a float."""


class _StrictDumper(yaml.SafeDumper):
    """Writes what ``_StrictLoader`` reads back to an equal value."""


#: Values in a config, anchors unfolded; a few lines of anchors can stand for billions.
_MOST_NODES = 100_000
#: Digits of a whole number.
_MOST_DIGITS = 100
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
#: What YAML takes an unquoted word for.
_PLAIN = [
    f"tag:yaml.org,2002:{name}"
    for name in ("int", "float", "bool", "null", "timestamp", "value")
]


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    # A key is text as it is written, or ``0``, ``no`` and ``1e3`` would be a number, a
    # truth value and another number: names of classes may be any of them.
    for place, (entry, value) in enumerate(node.value):
        if entry.tag in _PLAIN:
            # A new node: an anchor may name the old one as a value elsewhere.
            key_node = yaml.ScalarNode(_TEXT, entry.value, entry.start_mark)
            node.value[place] = (key_node, value)
    # Before ``<<`` is unfolded: a key may be here and in the merged section too.
    seen = set()
    for entry in (k for k, _ in node.value if k.tag != _MERGE):
        key = loader.construct_object(entry, deep=True)
        if not isinstance(key, Hashable):
            problem = "a key that is a list or a mapping"
            raise yaml.constructor.ConstructorError(
                None, None, problem, entry.start_mark
            )
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is repeated", node.start_mark
            )
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping
)
# YAML 1.1 asks for a dot and a signed exponent; everybody writes 1e-4. The dumper
# must know it too, or a name such as 1e4 would be written without its quotes.
for _side in (_StrictLoader, _StrictDumper):
    _side.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
        list("-+.0123456789"),
    )


def _represent_text(dumper: _StrictDumper, text: str) -> yaml.ScalarNode:
    # Unicode's own line ends come back as spaces unless they are escaped.
    style = '"' if set(text) & set("\x85\u2028\u2029\ufeff") else None
    return dumper.represent_scalar(_TEXT, text, style=style)


_StrictDumper.add_representer(str, _represent_text)


def parse(text: str) -> Any:
    """One YAML document as plain values; anchors are shared.

    Raises:
        yaml.YAMLError, ValueError, RecursionError: not one, or too large.
    """
    loader = _StrictLoader(text)
    node = loader.get_single_node()
    _check_size(node)
    return None if node is None else loader.construct_document(node)


def dump(tree: Any) -> str:
    """Plain values as YAML that :func:`parse` reads back to an equal value."""
    return yaml.dump(tree, Dumper=_StrictDumper, sort_keys=False, allow_unicode=True)


def snippet(**tree: Any) -> str:
    """Config keys with their values on one line of YAML, for the advice of a message.

    ``snippet(labels={"no": "benign"})`` is ``labels: {'no': benign}``: it reads back as
    it was meant, whatever the names hold.
    """
    text = yaml.dump(
        tree,
        Dumper=_StrictDumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=2**30,
    )
    return text.strip()[1:-1]


def override(key: str, value: Any) -> str:
    """``--set key=value``, ready to be pasted into a shell."""
    text = f"{key}={snippet(value=value).partition(': ')[2]}"
    is_plain = set(text).isdisjoint('"$`\\!')
    return f'--set "{text}"' if is_plain else f"--set {shlex.quote(text)}"


def _check_size(node: yaml.Node | None) -> None:
    """Count values as if every anchor were written out, before any is."""
    waiting = [node] if node is not None else []
    counted = 0
    while waiting:
        last = waiting.pop()
        inner = last.value
        counted += 1
        # Python would not print it in the message.
        if last.tag.endswith(":int") and len(inner) > _MOST_DIGITS:
            raise ValueError(f"a number of {len(inner)} digits")
        if counted > _MOST_NODES:
            raise ValueError(f"more than {_MOST_NODES} values, anchors unfolded")
        if isinstance(inner, list):
            for item in inner:
                waiting.extend(item if isinstance(item, tuple) else (item,))
