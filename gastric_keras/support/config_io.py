"""YAML and ``--set`` overrides into frozen dataclasses, strictly, and back."""

from __future__ import annotations

import dataclasses
import difflib
import re
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml

from gastric_keras.support import strict_yaml
from gastric_keras.support.errors import InputError
from gastric_keras.support.files import write_atomic

Schema = TypeVar("Schema")


#: A whole number as a key of a mapping.
_WHOLE = re.compile(r"0|-?[1-9]\d{0,99}")


def load(
    schema: type[Schema], path: Path | str | None, overrides: Sequence[str] = ()
) -> Any:
    """Read a YAML file into a frozen dataclass.

    Args:
        schema: the dataclass; nested dataclasses, ``X | None``, ``Literal``,
            ``Annotated[str, choices]``, ``tuple[X, ...]`` and ``dict[str, X]`` are
            understood.
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
    return strict_yaml.dump(to_dict(config))


def save(config: Any, path: Path | str) -> None:
    """Write :func:`dump` of a config to a file, atomically."""
    write_atomic(path, dump(config))


def _read_text(path: Path | str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The config must be a readable YAML file, got path={path} ({error}). "
            "Check the path."
        ) from error


def _parse(text: str, where: str) -> Any:
    try:
        # The copy parts sections that share an anchor: an override is for one of them.
        return _plain(strict_yaml.parse(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(
            f"The text must be valid YAML, got {where}: {error}. Fix that line."
        ) from error


def _apply_override(tree: Any, override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise InputError(
            f"An override must look like dotted.key=value, got --set {override}. "
            "Example: --set target.fit.epochs=5"
        )
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        if isinstance(tree, list) and parent.isdecimal() and int(parent) < len(tree):
            tree = tree[int(parent)]
            continue
        # An override may reach into a section that the file leaves to its defaults.
        if not isinstance(tree, dict):
            break
        if tree.get(parent) is None:
            tree[parent] = {}
        tree = tree[parent]
    if not isinstance(tree, dict):
        raise InputError(
            f"An override must end in a section of the config, got --set {override}, "
            "whose parent is a plain value. Name a key inside a section."
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
        f"{where}: {path or 'the file'} must be {wanted}, got {value!r} "
        f"({type(value).__name__}). {way_out}"
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
            choices = ", ".join(map(str, arguments))
            _fail(path, where, f"one of {choices}", value, _nearest(value, arguments))
        return value
    if origin is tuple:
        return _read_list(arguments[0], value, path, where)
    if origin is dict:
        if not isinstance(value, dict):
            _fail(path, where, "a mapping", value, "Write it as {key: value}.")
        key_kind, kind = arguments
        return {
            _read(key_kind, _as_number(key_kind, key), f"{path} (key)", where): _read(
                kind, item, f"{path}.{key}", where
            )
            for key, item in value.items()
        }
    return _read_leaf(kind, value, path, where)


def _read_list(kind: Any, value: Any, path: str, where: str) -> tuple:
    if isinstance(value, dict) and value and [*value] == [*map(str, range(len(value)))]:
        # ``--set sources.0.name=x`` where the file has no sources.
        value = [*value.values()]
    if not isinstance(value, list):
        _fail(path, where, "a list", value, "Write it as [a, b].")
    return tuple(
        _read(kind, item, f"{path}[{i}]", where) for i, item in enumerate(value)
    )


def _as_number(kind: Any, key: Any) -> Any:
    """A key of a mapping by whole numbers, which YAML hands over as text."""
    is_number = kind is int and isinstance(key, str) and _WHOLE.fullmatch(key)
    return int(key) if is_number else key


def _read_dataclass(kind: Any, value: Any, path: str, where: str) -> Any:
    if not isinstance(value, dict):
        _fail(path, where, f"a section ({kind.__name__})", value, "Write key: value.")
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            dotted = f"{path}.{key}" if path else str(key)
            raise InputError(
                f"{where}: unknown key {dotted}: it must be one of "
                f"{', '.join(fields)}, got {key!r}. {_nearest(key, fields)}"
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
                f"{where}: missing field {dotted}: it must be {_spell(hints[name])}, "
                f"got nothing. Add it to the file, or --set {dotted}=…"
            )
    try:
        return kind(**arguments)
    except InputError as error:
        # A message that begins with a key continues the path that leads there.
        is_key = re.split(r"\W", str(error))[0] in fields
        start = path + "." * bool(path) if is_key else f"{path or kind.__name__}: "
        raise InputError(f"{where}: {start}{error}") from error


def _read_union(kinds: tuple, value: Any, path: str, where: str) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not types.NoneType)
    if len(kinds) == 1:
        return _read(kinds[0], value, path, where)
    for kind in kinds:
        if type(value) is kind:
            return value
        if dataclasses.is_dataclass(kind) and isinstance(value, dict):
            return _read_dataclass(kind, value, path, where)
    _fail(path, where, " or ".join(map(_spell, kinds)), value, "Fix the value.")


def _read_leaf(kind: Any, value: Any, path: str, where: str) -> Any:
    # A number of 400 digits is an int of Python and no float.
    if kind is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    if type(value) is not kind:
        way_out = "Put quotes around it." if kind is str else "Fix the value."
        _fail(path, where, _spell(kind), value, way_out)
    return value


def _spell(kind: Any) -> str:
    name = getattr(kind, "__name__", None) or str(kind)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _nearest(key: Any, known: Any) -> str:
    close = difflib.get_close_matches(str(key), [str(item) for item in known], n=1)
    return f"Did you mean {close[0]!r}?" if close else "Remove it or rename it."
