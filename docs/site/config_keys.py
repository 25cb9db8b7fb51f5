"""The page of every configuration key, read off the dataclasses.

Type and default come from the field, the meaning from ``Attributes:`` of the docstring.
The range is found by trying values: the dataclasses check themselves when they are
made, so what the page says is what the program accepts.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal

#: A value that a required field of this name accepts.
_EXAMPLES = {"name": "alexnet"}
#: What a class of that name needs although it has a default.
_NEEDED = {"SetConfig": {"classes": ("a", "b")}}
#: Where the search for an accepted number starts when the default is null.
_STARTS = (1, 0.5, 0.75, 0.9, 2, 10, 100, 1000)
_FAR = 10**9

_INTRO = """# Configuration keys

Every key of every YAML file, generated from the code. Any of them can be set on the
command line: `--set target.fit.epochs=5`. An unknown key, a wrong type or a value out
of range is an error that names the key and the nearest known one.

*Range* lists what is accepted while the other keys keep their defaults (and the network
is AlexNet); `[` and `]` include the end, `(` and `)` exclude it. *required* means that
there is no default.

"""
_TITLES = {
    "ExperimentConfig": ("One run", "`configs/*.yaml`, `--stage all` and its stages"),
    "GridConfig": ("A grid of runs", "`--stage grid`"),
    "HeatmapConfig": ("Heatmap of a slide", "`--stage heatmap`"),
    "PredictConfig": ("Prediction", "`--stage predict`, besides those of a heatmap"),
    "SetConfig": ("All three sets", "`data_prep tissue`, `nuclei` and `target`"),
    "TissueSetConfig": ("Tissue set", "`data_prep tissue`, besides the keys above"),
    "NucleiSetConfig": ("Nuclei set", "`data_prep nuclei`, besides the keys above"),
    "TargetSetConfig": ("Target set", "`data_prep target`, besides the keys above"),
    "PhantomConfig": ("Synthetic images", "`data_prep phantom`"),
}


def config_page() -> str:
    """The whole page, as Markdown."""
    found = _config_classes()
    titled = [found[name] for name in _TITLES if name in found]
    nested = {cls for each in titled for cls in _nested(each)}
    others = [cls for cls in found.values() if cls not in (*titled, *nested)]
    bases = {base for cls in found.values() for base in cls.__mro__[1:]}
    text = _INTRO
    places: dict[type, list[str]] = {}
    for root in [*titled, *(cls for cls in others if cls not in bases)]:
        for cls, where in _walk(root, ""):
            places.setdefault(cls, [])
            if where and where not in places[cls]:
                places[cls].append(where)
    return text + "".join(_section(cls, where) for cls, where in places.items())


def _config_classes() -> dict[str, type]:
    """Dataclasses named ``…Config`` in both packages' config modules."""
    found: dict[str, type] = {}
    for package in ("gastric_keras", "data_prep"):
        root = importlib.import_module(package)
        for info in pkgutil.walk_packages(root.__path__, f"{package}."):
            if "config" not in info.name.split("."):
                continue
            module = importlib.import_module(info.name)
            for name, cls in vars(module).items():
                if name.endswith("Config") and dataclasses.is_dataclass(cls):
                    found.setdefault(name, typing.cast(type, cls))
    return found


def _nested(cls: type) -> Iterator[type]:
    for inner, _ in _walk(cls, ""):
        if inner is not cls:
            yield inner


def _walk(cls: type, where: str) -> Iterator[tuple[type, str]]:
    """A dataclass and those in its fields, with the dotted key that leads there."""
    yield cls, where
    for name, hint in _own_hints(cls).items():
        for inner in _dataclasses_in(hint):
            yield from _walk(inner, f"{where}.{name}" if where else name)


def _own_hints(cls: type) -> dict[str, Any]:
    """Type of each field; of a set's own class only what SetConfig does not have."""
    hints = typing.get_type_hints(cls)
    own = inspect.get_annotations(cls)
    is_variant = any(dataclasses.is_dataclass(base) for base in cls.__bases__)
    return {
        entry.name: hints[entry.name]
        for entry in dataclasses.fields(cls)
        if not is_variant or entry.name in own
    }


def _dataclasses_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _dataclasses_in(part)


def _section(cls: type, places: list[str]) -> str:
    keys = ", ".join(f"`{place}`" for place in sorted(places)) or cls.__name__
    title, use = _TITLES.get(cls.__name__, (keys, ""))
    first = _plain((inspect.getdoc(cls) or "").split("\n\n")[0])
    text = f"## {title} {{#{cls.__name__.lower()}}}\n\n{first}"
    text += f" Read by {use}." if use else f" Class `{cls.__name__}`."
    text += "\n\n| key | type | default | range | meaning |\n"
    text += "| --- | --- | --- | --- | --- |\n"
    meanings = {}
    for base in reversed(cls.__mro__):
        meanings.update(_meanings(base))
    base_value = _example(cls)
    fields = {entry.name: entry for entry in dataclasses.fields(cls)}
    for name, hint in _own_hints(cls).items():
        row = (
            f"`{name}`",
            _type(hint),
            _default(fields[name]),
            _range(base_value, name, hint),
            meanings.get(name, ""),
        )
        text += "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"
    return text + "\n"


def _meanings(cls: type) -> dict[str, str]:
    """Name -> text of the docstring's ``Attributes:``."""
    text = inspect.cleandoc(cls.__doc__ or "")
    found = re.search(r"^Attributes:\n((?:(?: +.*)?(?:\n|$))+)", text, re.M)
    if not found:
        return {}
    entries = re.findall(r"^ {4}(\w+): ((?:.|\n(?! {4}\w+: ))*)", found[1], re.M)
    return {name: _plain(value) for name, value in entries}


def _plain(text: str) -> str:
    """reStructuredText of a docstring as Markdown, in the words of YAML."""
    text = re.sub(r":\w+:`([^`]*)`", r"`\1`", " ".join(text.split()))
    text = re.sub(r"``([^`]*)``", r"`\1`", text)
    return re.sub(r"\bNone\b", "null", text)


def _type(hint: Any) -> str:
    if hint is type(None):
        return "null"
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type(part) for part in parts)
    if origin is Literal:
        return "choice"
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"map: {_type(parts[0])} → {_type(parts[1])}"
    if dataclasses.is_dataclass(hint):
        return f"[keys](#{hint.__name__.lower()})"
    return {"str": "text", "bool": "true or false"}.get(hint.__name__, hint.__name__)


def _default(entry: dataclasses.Field[Any]) -> str:
    if entry.default is not dataclasses.MISSING:
        value = entry.default
    elif entry.default_factory is not dataclasses.MISSING:
        value = entry.default_factory()
    else:
        return "*required*"
    if dataclasses.is_dataclass(value):
        plain = type(value)()
        changed = {
            each.name: getattr(value, each.name)
            for each in dataclasses.fields(value)
            if getattr(value, each.name) != getattr(plain, each.name)
        }
        if not changed:
            return "its defaults"
        value = changed
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        return f"`{value:.0e}`".replace("e-0", "e-")
    text = json.dumps(value, ensure_ascii=False)
    return f"`{re.sub(chr(34), '', text)}`" if text != '""' else "empty"


def _example(hint: Any, name: str = "") -> Any:
    """A value that is accepted, for a field that has no default."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return parts[0] if _EXAMPLES.get(name) not in parts else _EXAMPLES[name]
    if origin is tuple:
        if dataclasses.is_dataclass(parts[0]):
            return (_example(parts[0]),)
        return ("a", "b")
    if origin is dict:
        return {"a": ("b",)}
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        needed = [
            entry.name
            for entry in dataclasses.fields(hint)
            if entry.default is entry.default_factory is dataclasses.MISSING
        ]
        values = {each: _example(hints[each], each) for each in needed}
        return hint(**values, **_NEEDED.get(hint.__name__, {}))
    return _EXAMPLES.get(name, "example")


def _range(base: Any, name: str, hint: Any) -> str:
    parts = typing.get_args(hint) or (hint,)
    choices = [choice for choice in parts if isinstance(choice, str)]
    for part in parts:
        if typing.get_origin(part) is Literal:
            choices += typing.get_args(part)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    if not {int, float} & set(parts):
        return ""
    return _interval(base, name, is_whole=float not in parts)


def _interval(base: Any, name: str, *, is_whole: bool) -> str:
    def accepts(value: float) -> bool:
        try:
            dataclasses.replace(base, **{name: int(value) if is_whole else value})
        except Exception:  # whatever the check raises, the value is refused
            return False
        return True

    starts = [getattr(base, name), *_STARTS]
    good = [s for s in starts if isinstance(s, (int, float)) and accepts(s)]
    if not good:
        return ""
    low, low_closed = _end(accepts, good[0], -_FAR, is_whole)
    high, high_closed = _end(accepts, good[0], _FAR, is_whole)
    if low is None and high is None:
        return ""
    if high is None:
        return f"{'≥' if low_closed else '>'} {low}"
    if low is None:
        return f"{'≤' if high_closed else '<'} {high}"
    return f"{'[' if low_closed else '('}{low}, {high}{']' if high_closed else ')'}"


def _end(
    accepts: typing.Callable[[float], bool], good: float, bad: float, is_whole: bool
) -> tuple[str | None, bool]:
    """Where the accepted values end between ``good`` and ``bad``, and if it is one."""
    if accepts(bad):
        return None, False
    while abs(good - bad) > (1 if is_whole else 1e-9 * max(1.0, abs(good))):
        middle = (good + bad) // 2 if is_whole else (good + bad) / 2
        if middle in (good, bad):
            break
        good, bad = (middle, bad) if accepts(middle) else (good, middle)
    end = good if is_whole else round(good, 6) + 0.0
    return f"{end:g}" if abs(end) < 1e6 else f"{end:.0f}", accepts(end)
