"""Config trees drawn by hypothesis from the dataclasses themselves."""

from __future__ import annotations

import dataclasses
import random
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from data_prep.config.sets import (
    NucleiSetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.phantom.config import PhantomConfig
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.grid import GridConfig
from gastric_keras.support import config_io
from gastric_keras.support.errors import InputError
from tests.faults.kinds import Kind, find_bad_form

SCHEMAS: tuple[type, ...] = (
    ExperimentConfig,
    GridConfig,
    TissueSetConfig,
    NucleiSetConfig,
    TargetSetConfig,
    PhantomConfig,
)

#: A whole, valid tree of each schema that has fields without a default.
_TARGET = {"records": "records/target"}
_MID = {"records": "records/tissue", "classes": ["a", "b"]}
VALID: dict[type, dict[str, Any]] = {
    ExperimentConfig: {
        "name": "run",
        "backbone": {"name": "alexnet"},
        "mid": _MID,
        "target": _TARGET,
    },
}

#: Trees in one call.
_BATCH = 50
_WRONG = (
    None,
    True,
    -7,
    3,
    0.25,
    float("nan"),
    "text",
    "",
    [],
    ["a"],
    [[]],
    {},
    {"k": 1},
)


def trees(kind: Any) -> st.SearchStrategy:
    """Plain values of a type, valid as to their types: any number, any text."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = dataclasses.fields(kind)
        needed = {f.name: trees(hints[f.name]) for f in fields if _is_needed(f)}
        others = {f.name: trees(hints[f.name]) for f in fields if not _is_needed(f)}
        return st.fixed_dictionaries(needed, optional=others)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(map(trees, arguments))
    if origin is Annotated:
        return st.sampled_from(list(arguments[1]))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(trees(arguments[0]), max_size=3)
    if origin is dict:
        return st.dictionaries(trees(arguments[0]), trees(arguments[1]), max_size=3)
    leaves: dict[Any, st.SearchStrategy] = {
        types.NoneType: st.none(),
        bool: st.booleans(),
        int: st.integers(-3, 3) | st.integers(),
        float: st.floats(0, 1) | st.floats() | st.integers(-2, 2),
        str: st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    }
    return leaves.get(kind, st.none())


def _is_needed(field: dataclasses.Field) -> bool:
    return (
        field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    )


def check_loads(schema: type, tree: Any, path: Path) -> bool:
    """Whether a tree loads; then it comes back equal from its file, and else it is
    refused in the house's form."""
    try:
        config = config_io.build(schema, tree)
    except InputError as error:
        problem = find_bad_form(str(error))
        assert not problem, problem
        return False
    config_io.save(config, path)
    again = config_io.load(schema, path)
    assert again == config, f"{config} came back as {again}"
    return True


def check_mutation(schema: type, place: tuple[str, ...], hint: Any, value: Any) -> None:
    """A value of another type at one place of a valid tree is refused by its path."""
    if accepts(hint, value):
        return
    tree = config_io.to_dict(config_io.build(schema, _valid(schema)))
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    try:
        config_io.build(schema, tree)
    except InputError as error:
        assert ".".join(place) in str(error), f"{'.'.join(place)} not in {error}"
        problem = find_bad_form(str(error))
        assert not problem, problem
        return
    raise AssertionError(f"{'.'.join(place)}={value!r} was taken")


def leaves(schema: type) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, type) of every field below a schema, sections included."""
    tree = config_io.to_dict(config_io.build(schema, _valid(schema)))
    yield from _leaves(schema, tree, ())


def _leaves(schema: Any, tree: Any, path: tuple[str, ...]) -> Iterator[Any]:
    hints = typing.get_type_hints(schema, include_extras=True)
    for field in dataclasses.fields(schema):
        hint, here = hints[field.name], (*path, field.name)
        yield here, hint
        inner = [
            k for k in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(k)
        ]
        is_section = inner and typing.get_origin(hint) in (
            None,
            typing.Union,
            types.UnionType,
        )
        if is_section and tree[field.name] is not None:
            yield from _leaves(inner[0], tree[field.name], here)


def accepts(hint: Any, value: Any) -> bool:
    """Whether a plain value is of a type, its meaning aside."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(accepts(kind, value) for kind in arguments)
    if origin is Annotated:
        return isinstance(value, str) and value in arguments[1]
    if origin is Literal:
        return any(type(value) is type(c) and value == c for c in arguments)
    if origin is tuple:
        return isinstance(value, list) and all(accepts(arguments[0], v) for v in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            accepts(arguments[0], k) and accepts(arguments[1], v)
            for k, v in value.items()
        )
    if dataclasses.is_dataclass(hint):
        return value == {}
    return type(value) is hint or (hint is float and type(value) is int)


def _valid(schema: type) -> dict[str, Any]:
    if schema is GridConfig:
        return config_io.to_dict(_grid())
    return VALID.get(schema, {})


def _grid() -> GridConfig:
    return config_io.load(GridConfig, Path("configs/recipe/alexnet_mid.yaml"))


def write(rng: random.Random, folder: Path) -> str:
    """Draw what hypothesis starts from."""
    way = rng.choice(("trees", "mutations"))
    (folder / "draw.txt").write_text(f"{way} {rng.randrange(2**32)}")
    return f"{way} drawn from the schema"


def read(folder: Path) -> None:
    """Try ``_BATCH`` trees; of one that fails, hypothesis says the smallest form."""
    way, number = (folder / "draw.txt").read_text().split()
    checks = {"trees": _try_trees, "mutations": _try_mutations}
    checks[way](int(number), folder / "config.yaml")


def _settings() -> settings:
    return settings(
        max_examples=_BATCH,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def _try_trees(number: int, path: Path) -> None:
    schema = SCHEMAS[number % len(SCHEMAS)]

    @seed(number)
    @_settings()
    @given(trees(schema))
    def check(tree: Any) -> None:
        check_loads(schema, tree, path)

    check()


def _try_mutations(number: int, path: Path) -> None:
    schema = SCHEMAS[number % len(SCHEMAS)]
    places = list(leaves(schema))

    @seed(number)
    @_settings()
    @given(st.sampled_from(places), st.sampled_from(_WRONG))
    def check(place: Any, value: Any) -> None:
        check_mutation(schema, *place, value)

    check()


KIND = Kind("schemas", write, read, batch=_BATCH)
