"""YAML and ``--set`` overrides into frozen dataclasses, strictly, and back."""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml

from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_atomic

Schema = TypeVar("Schema")


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a repeated key is an error and ``1e-4`` is a float."""


class _StrictDumper(yaml.SafeDumper):
    """Writes what ``_StrictLoader`` reads back to an equal value."""


#: Values in a config, anchors unfolded; a few lines of anchors can stand for billions.
_MOST_NODES = 100_000
#: Digits of a whole number.
_MOST_DIGITS = 100
_MERGE = "tag:yaml.org,2002:merge"


def _construct_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    # Before ``<<`` is unfolded: a key may stand here and in what is merged.
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
                None, None, f"the key {key!r} stands twice", node.start_mark
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
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_StrictDumper.add_representer(str, _represent_text)


def load(
    schema: type[Schema], path: Path | str | None, overrides: Sequence[str] = ()
) -> Any:
    """Read a YAML file into a frozen dataclass.

    Args:
        schema: the dataclass; nested dataclasses, ``X | None``, ``Literal``,
            ``Annotated[str, choices]``, ``tuple[X, ...]`` and ``dict[str, X]`` of
            leaves are understood.
        path: the YAML file; None: all from the defaults and the overrides.
        overrides: ``dotted.key=value`` strings, value in YAML, applied in order.

    Returns:
        An instance of ``schema``.

    Raises:
        InputError: unknown or repeated key, wrong type, missing field, unreadable
            file; the message carries the dotted path of the culprit.
    """
    tree = {} if path is None else _parse(_read_text(path), str(path))
    tree = {} if tree is None else tree
    for override in overrides:
        _apply_override(tree, override)
    return build(schema, tree, where="--set" if path is None else str(path))


def build(schema: type[Schema], tree: Any, where: str = "config") -> Any:
    """Turn plain dicts and lists into ``schema``; see :func:`load`."""
    return _read(schema, tree, "", where)


# The tree of any schema.
def to_dict(config: Any) -> dict[str, Any]:
    """A config dataclass as plain dicts and lists, ready for YAML or JSON."""
    return _plain(dataclasses.asdict(config))


def dump(config: Any) -> str:
    """A config dataclass as YAML that :func:`load` reads back to an equal object."""
    return yaml.dump(
        to_dict(config), Dumper=_StrictDumper, sort_keys=False, allow_unicode=True
    )


def save(config: Any, path: Path | str) -> None:
    """Write :func:`dump` of a config to a file, atomically."""
    write_atomic(path, dump(config))


def _read_text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"A YAML config file was expected. Received: path={path} ({error}). "
            "Check the path."
        ) from error


def _parse(text: str, where: str) -> Any:
    try:
        loader = _StrictLoader(text)
        node = loader.get_single_node()
        _check_size(node)
        # The copy parts sections that share an anchor: an override is for one of them.
        return _plain(None if node is None else loader.construct_document(node))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"Valid YAML was expected. Received: {where}: {error}. Mend that line."
        ) from error


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


def _apply_override(tree: Any, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise InputError(
            "An override of the form dotted.key=value was expected. "
            f"Received: --set {override}. Example: --set target.fit.epochs=5"
        )
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        # An override may reach into a section that the file leaves to its defaults.
        if not isinstance(tree, dict):
            break
        if tree.get(parent) is None:
            tree[parent] = {}
        tree = tree[parent]
    if not isinstance(tree, dict):
        raise InputError(
            "An override must end in a section of the config. "
            f"Received: --set {override}, but its parent is a plain value. "
            "Name a key inside a section."
        )
    tree[leaf] = _parse(value, f"--set {override}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _fail(
    path: str, where: str, wanted: str, value: Any, way_out: str
) -> typing.NoReturn:
    raise InputError(
        f"{where}: {path or 'the file'}: expected {wanted}. "
        f"Received: {value!r} ({type(value).__name__}). {way_out}"
    )


def _read(kind: Any, value: Any, path: str, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _read_union(arguments, value, path, where)
    if origin is Annotated:
        # A Literal whose choices may grow.
        origin, arguments = Literal, tuple(arguments[1])
    if origin is Literal:
        if value not in arguments or isinstance(value, bool) != any(
            value is choice for choice in arguments if isinstance(choice, bool)
        ):
            choices = " | ".join(map(str, arguments))
            _fail(path, where, choices, value, _nearest(value, arguments))
        return value
    if origin is tuple:
        if not isinstance(value, list):
            _fail(path, where, "a list", value, "Write it as [a, b].")
        return tuple(
            _read(arguments[0], item, f"{path}[{i}]", where)
            for i, item in enumerate(value)
        )
    if origin is dict:
        if not isinstance(value, dict):
            _fail(path, where, "a mapping", value, "Write it as {key: value}.")
        return {
            _read(arguments[0], key, f"{path} (key)", where): _read(
                arguments[1], item, f"{path}.{key}", where
            )
            for key, item in value.items()
        }
    return _read_leaf(kind, value, path, where)


def _read_dataclass(kind: Any, value: Any, path: str, where: str) -> Any:
    if not isinstance(value, dict):
        _fail(path, where, f"a section ({kind.__name__})", value, "Write key: value.")
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            dotted = f"{path}.{key}" if path else str(key)
            raise InputError(
                f"{where}: unknown key {dotted}. Expected one of: "
                f"{', '.join(fields)}. Received: {key!r}. {_nearest(key, fields)}"
            )
    arguments = {}
    for name, field in fields.items():
        dotted = f"{path}.{name}" if path else name
        if name in value:
            arguments[name] = _read(hints[name], value[name], dotted, where)
        elif (
            field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING
        ):
            raise InputError(
                f"{where}: missing field {dotted}: expected "
                f"{_spell(hints[name])}. Received: nothing. "
                f"Add it to the file, or --set {dotted}=…"
            )
    try:
        return kind(**arguments)
    except InputError as error:
        raise InputError(f"{where}: {path or kind.__name__}: {error}") from error


def _read_union(kinds: tuple, value: Any, path: str, where: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
    if len(kinds) == 1:
        return _read(kinds[0], value, path, where)
    for kind in kinds:
        if type(value) is kind:
            return value
    _fail(path, where, " or ".join(map(_spell, kinds)), value, "Mend the value.")


def _read_leaf(kind: Any, value: Any, path: str, where: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        _fail(path, where, _spell(kind), value, "Mend the value.")
    return value


def _spell(kind: Any) -> str:
    return getattr(kind, "__name__", None) or str(kind)


def _nearest(key: Any, known: Any) -> str:
    close = difflib.get_close_matches(str(key), [str(item) for item in known], n=1)
    return f"Did you mean {close[0]!r}?" if close else "Remove it or rename it."
