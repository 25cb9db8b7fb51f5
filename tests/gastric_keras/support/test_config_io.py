"""The strict reader: what goes out comes back equal, and each mistake is named."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from data_prep.config.sets import SourceConfig
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.config.fit import FitConfig
from gastric_keras.support import config_io, strict_yaml
from gastric_keras.support.errors import InputError


@dataclass(frozen=True)
class Fit:
    epochs: int = 10
    rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "cosine"
    balance: bool = True
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"epochs must be at least 1, got {self.epochs}.")


@dataclass(frozen=True)
class Stage:
    records: str
    classes: tuple[str, ...] = ("a", "b")
    subset: str | int | None = None
    where: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fit: Fit = field(default_factory=Fit)


@dataclass(frozen=True)
class Config:
    name: str
    target: Stage
    mid: Stage | None = None
    sources: tuple[Fit, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)


LEAST = "name: run\ntarget: {records: there}\n"


def load(folder: Path, text: str, *overrides: str) -> Any:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return config_io.load(Config, path, overrides)


def fail(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as error:
        load(folder, text, *overrides)
    return str(error.value)


@pytest.mark.parametrize(
    "config",
    [
        Config("run", Stage("there")),
        Config(
            "Grüße: [x] # y",
            Stage("", ("1e4", "no", "null", "540", "1:30", "2024-01-01"), "540"),
            Stage("a b", (), 540, {"µ": ("x", ".5e-3"), "1e4": ()}, Fit(patience=3)),
            (Fit(1, 1e-7, "constant", False), Fit(rate=1e22), Fit(rate=0.1)),
            {"true": 1, "b": -2},
        ),
        Config("line\nline\r\ttab ", Stage("'\"\\")),
    ],
)
def test_round_trip(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "config.yaml"
    config_io.save(config, path)
    assert path.read_bytes().decode() == config_io.dump(config)
    assert config_io.load(Config, path) == config
    assert config_io.build(Config, config_io.to_dict(config)) == config


def test_a_number_that_no_float_holds_is_refused() -> None:
    with pytest.raises(InputError, match="must be a float, got 10000"):
        config_io.build(FitConfig, {"learning_rate": 10**400})


def test_order_of_the_fields_is_kept() -> None:
    keys = list(config_io.to_dict(Config("run", Stage("there"))))
    assert keys == ["name", "target", "mid", "sources", "sizes"]


def test_defaults_fill_what_is_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST) == Config("run", Stage("there"))


def test_without_a_file_the_overrides_are_all_there_is() -> None:
    overrides = ["name=run", "target.records=there", "target.fit.epochs=3"]
    found = config_io.load(Config, None, overrides)
    assert found == Config("run", Stage("there", fit=Fit(epochs=3)))
    with pytest.raises(InputError, match="^--set: missing field name"):
        config_io.load(Config, None)


@pytest.mark.parametrize(
    "text, value",
    [
        ("1e-4", 1e-4),
        ("1E+4", 1e4),
        ("-2.e3", -2e3),
        (".5e1", 5.0),
        ("3", 3.0),
        ("0.25", 0.25),
    ],
)
def test_floats_as_people_write_them(tmp_path: Path, text: str, value: float) -> None:
    rate = load(tmp_path, LEAST, f"target.fit.rate={text}").target.fit.rate
    assert rate == value and type(rate) is float


@pytest.mark.parametrize("text, value", [("small", "small"), ("5", 5), ("null", None)])
def test_union(tmp_path: Path, text: str, value: object) -> None:
    assert load(tmp_path, LEAST, f"target.subset={text}").target.subset == value


def test_overrides_apply_in_order_and_reach_everywhere(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        LEAST + "mid: null\n",
        "mid.records=a=b",
        "mid.fit.epochs=3",
        "mid.fit.epochs = 4",
        "target.classes=[x, y, z]",
        "target.fit={epochs: 7}",
        "sizes={a: 1}",
        "sizes.b=2",
        "name=",
        "name=other",
    )
    assert config == Config(
        "other",
        Stage("there", ("x", "y", "z"), fit=Fit(7)),
        Stage("a=b", fit=Fit(4)),
        sizes={"a": 1, "b": 2},
    )


def test_an_override_switches_a_section_off(tmp_path: Path) -> None:
    text = LEAST + "mid: {records: here}\n"
    assert load(tmp_path, text).mid == Stage("here")
    assert load(tmp_path, text, "mid=null").mid is None


def test_an_empty_file_takes_overrides(tmp_path: Path) -> None:
    config = load(tmp_path, "# nothing\n", "name=run", "target.records=there")
    assert config == Config("run", Stage("there"))


SHARED_SECTION = """
name: run
target: {records: a, fit: &fit {epochs: 3, rate: 0.5}}
mid: {records: b, fit: *fit}
"""


def test_an_override_of_a_shared_section_is_for_one_place(tmp_path: Path) -> None:
    config = load(tmp_path, SHARED_SECTION, "mid.fit.epochs=9")
    assert (config.mid.fit, config.target.fit) == (Fit(9, 0.5), Fit(3, 0.5))


def test_a_merged_section_states_its_difference(tmp_path: Path) -> None:
    text = SHARED_SECTION.replace("*fit", "{<<: *fit, epochs: 5}")
    assert load(tmp_path, text).mid.fit == Fit(5, 0.5)


def test_unknown_key_and_the_nearest_known(tmp_path: Path) -> None:
    message = fail(tmp_path, LEAST, "target.fit.epoch=5")
    assert message == (
        f"{tmp_path / 'config.yaml'}: unknown key target.fit.epoch: it must be one of "
        "epochs, rate, schedule, balance, patience, got 'epoch'. "
        "Did you mean 'epochs'?"
    )
    message = fail(tmp_path, LEAST + "zzz: 1\n")
    assert "unknown key zzz:" in message
    assert message.endswith(", got 'zzz'. Remove it or rename it.")
    assert "unknown key 5:" in fail(tmp_path, LEAST + "5: 1\n")


def test_unknown_key_inside_a_list(tmp_path: Path) -> None:
    message = fail(tmp_path, LEAST + "sources: [{epochs: 1}, {rat: 2}]\n")
    assert "unknown key sources[1].rat:" in message
    assert "Did you mean 'rate'?" in message


@pytest.mark.parametrize(
    "text",
    ["name: a\nname: b\n", "name: a\ntarget: {records: a, records: a}\n"],
)
def test_repeated_key(tmp_path: Path, text: str) -> None:
    message = fail(tmp_path, text)
    assert "is repeated" in message and "line" in message
    assert f", got {tmp_path / 'config.yaml'}" in message


def test_repeated_key_beside_a_merge(tmp_path: Path) -> None:
    text = SHARED_SECTION.replace("*fit", "{<<: *fit, epochs: 5, epochs: 6}")
    assert "'epochs' is repeated" in fail(tmp_path, text)


@pytest.mark.parametrize(
    "override, wanted, received",
    [
        ("target.fit.epochs=true", "an int", "True (bool)"),
        ("target.fit.epochs=1.0", "an int", "1.0 (float)"),
        ("target.fit.epochs=1e2", "an int", "100.0 (float)"),
        ("target.fit.epochs=three", "an int", "'three' (str)"),
        ("target.fit.epochs=null", "an int", "None (NoneType)"),
        ("target.fit.rate=true", "a float", "True (bool)"),
        ("target.fit.rate='1e-4'", "a float", "'1e-4' (str)"),
        ("target.fit.balance=1", "a bool", "1 (int)"),
        ("target.fit.patience=no", "an int", "False (bool)"),
        ("target.fit.schedule=true", "one of constant, cosine", "True (bool)"),
        (
            "target.fit.schedule=[cosine]",
            "one of constant, cosine",
            "['cosine'] (list)",
        ),
        ("name=5", "a str", "5 (int)"),
        ("target.subset=0.5", "a str or an int", "0.5 (float)"),
        ("target.subset=true", "a str or an int", "True (bool)"),
        ("target.classes=a", "a list", "'a' (str)"),
        ("target.where=[a]", "a mapping", "['a'] (list)"),
        ("sources={epochs: 1}", "a list", "{'epochs': 1} (dict)"),
        ("target.fit=5", "a section (Fit)", "5 (int)"),
        ("target=[a]", "a section (Stage)", "['a'] (list)"),
    ],
)
def test_wrong_type(tmp_path: Path, override: str, wanted: str, received: str) -> None:
    key = override.partition("=")[0]
    message = fail(tmp_path, LEAST, override)
    assert f"config.yaml: {key} must be {wanted}, got {received}." in message


@pytest.mark.parametrize(
    "override, path",
    [
        ("target.classes=[a, 5]", "target.classes[1]"),
        ("target.where={a: [b, 5]}", "target.where.a[1]"),
        ("sizes={a: 1, b: x}", "sizes.b"),
    ],
)
def test_the_path_reaches_into_lists_and_mappings(
    tmp_path: Path, override: str, path: str
) -> None:
    assert f"config.yaml: {path} must be " in fail(tmp_path, LEAST, override)


def test_keys_are_text_as_they_are_written(tmp_path: Path) -> None:
    text = LEAST + "sizes: {0: 1, no: 2, 1e3: 3, ~: 4, 'Tumor: Positive': 5, a b: 6}\n"
    sizes = load(tmp_path, text).sizes
    assert list(sizes) == ["0", "no", "1e3", "~", "Tumor: Positive", "a b"]
    assert "the key 'no' is repeated" in fail(tmp_path, LEAST, "sizes={no: 1, 'no': 2}")
    values = {0: "stroma", -1: "ignore"}
    source = config_io.load(SourceConfig, None, ["mask_values={0: stroma, -1: ignore}"])
    assert source.mask_values == values
    message = fail(tmp_path, LEAST, "target.where={fold: [0]}")
    assert message.endswith("Put quotes around it.")
    with pytest.raises(InputError, match=r"mask_values \(key\) must be an int"):
        config_io.load(SourceConfig, None, ["mask_values={a: stroma}"])


def test_an_override_reaches_into_a_list(tmp_path: Path) -> None:
    text = LEAST + "sources: [{epochs: 1}, {epochs: 2}]\n"
    config = load(tmp_path, text, "sources.1.rate=0.5", "sources.0.epochs=7")
    assert config.sources == (Fit(epochs=7), Fit(epochs=2, rate=0.5))
    assert load(tmp_path, LEAST, "sources.0.epochs=7").sources == (Fit(epochs=7),)
    for key in ("sources.2.epochs", "sources.x.epochs", "sources.-1.epochs"):
        assert "whose parent is a plain value" in fail(tmp_path, text, f"{key}=1")
    assert "sources must be a list" in fail(tmp_path, LEAST, "sources.1.epochs=1")


@pytest.mark.parametrize(
    "name",
    ["0", "no", "1e3", "Tumor: Positive", " a ", "}", "a'b", 'a"b', "", "é", "a\nb"],
)
def test_a_snippet_reads_back(tmp_path: Path, name: str) -> None:
    text = strict_yaml.snippet(sizes={name: 1})
    assert load(tmp_path, LEAST + text).sizes == {name: 1}
    flag, pasted = shlex.split(strict_yaml.override("sizes", {name: 1}))
    assert flag == "--set" and load(tmp_path, LEAST, pasted).sizes == {name: 1}


def test_a_wrong_choice_names_the_nearest(tmp_path: Path) -> None:
    message = fail(tmp_path, LEAST, "target.fit.schedule=cosin")
    assert "must be one of constant, cosine, got 'cosin' (str)." in message
    assert message.endswith("Did you mean 'cosine'?")


@pytest.mark.parametrize("text", ["- a\n- b\n", "[]\n", "just words\n", "0\n"])
def test_a_file_that_is_no_section(tmp_path: Path, text: str) -> None:
    message = fail(tmp_path, text)
    assert "the file must be a section (Config), got " in message


def test_missing_field(tmp_path: Path) -> None:
    assert fail(tmp_path, "name: run\ntarget: {}\n") == (
        f"{tmp_path / 'config.yaml'}: missing field target.records: it must be a str, "
        "got nothing. Add it to the file, or --set target.records=…"
    )
    assert "missing field target: it must be a Stage, got" in fail(
        tmp_path, "name: run\n"
    )


def test_a_refusal_by_the_class_carries_the_path(tmp_path: Path) -> None:
    message = fail(tmp_path, LEAST, "target.fit.epochs=0")
    assert message == (
        f"{tmp_path / 'config.yaml'}: target.fit.epochs must be at least 1, got 0."
    )


@pytest.mark.parametrize("override", ["epochs", "=5", " =5", ""])
def test_an_override_of_another_form(tmp_path: Path, override: str) -> None:
    message = fail(tmp_path, LEAST, override)
    assert message == (
        f"An override must look like dotted.key=value, got --set {override}. "
        "Example: --set target.fit.epochs=5"
    )


@pytest.mark.parametrize(
    "override", ["name.first=5", "name.a.b=5", "sources.1.epochs=4"]
)
def test_an_override_below_a_value_or_list(tmp_path: Path, override: str) -> None:
    message = fail(tmp_path, LEAST + "sources: [{epochs: 3}]\n", override)
    assert message == (
        "An override must end in a section of the config, got --set "
        f"{override}, whose parent is a plain value. Name a key inside a section."
    )


@pytest.mark.parametrize("override", ["name=[a", "name=a: b: c", "name={a: 1, a: 2}"])
def test_an_override_that_is_no_yaml(tmp_path: Path, override: str) -> None:
    assert f", got --set {override}: " in fail(tmp_path, LEAST, override)


@pytest.mark.parametrize(
    "text", ["name: [a\n", "a: 1\n---\nb: 2\n", "? [a]\n: 1\n", "a: 2024-13-45\n"]
)
def test_no_yaml(tmp_path: Path, text: str) -> None:
    message = fail(tmp_path, text)
    assert message.startswith("The text must be valid YAML, got ")
    assert message.endswith("Fix that line.")


def test_yaml_runs_nothing(tmp_path: Path) -> None:
    text = "name: !!python/object/apply:os.system ['touch hostile']\n"
    assert "could not determine a constructor" in fail(tmp_path, text)


def test_unreadable_files(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: \xff\n")
    for path in (missing, binary, tmp_path):
        with pytest.raises(InputError) as error:
            config_io.load(Config, path)
        assert str(error.value).startswith(
            f"The config must be a readable YAML file, got path={path} ("
        )
        assert str(error.value).endswith("Check the path.")


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "\u2029", "\ufeff", "\r\n", " a"])
def test_text_with_line_ends_of_its_own_comes_back(tmp_path: Path, text: str) -> None:
    config = SourceConfig(images=text)
    config_io.save(config, tmp_path / "config.yaml")
    assert config_io.load(SourceConfig, tmp_path / "config.yaml") == config


@pytest.mark.parametrize("kind", ["[{0}]", "{{<<: [{0}]}}"])
def test_a_billion_laughs_end_at_once(tmp_path: Path, kind: str) -> None:
    lines = ["a0: &a0 {ha: 1}"]
    for level in range(1, 12):
        inner = kind.format(", ".join([f"*a{level - 1}"] * 10))
        lines.append(f"a{level}: &a{level} {inner}")
    path = tmp_path / "laughs.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as error:
        config_io.load(ExperimentConfig, path)
    assert "The text must be valid YAML, got" in str(error.value)
    assert "more than 100000 values, anchors unfolded" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "x: &x [*x]",
        "x: " + "[" * 3000 + "]" * 3000,
        "? [a, b]\n: 1",
        "x: !!python/name:os.system",
        "x: 0x" + "f" * 9000,
        "x: \0",
    ],
)
def test_yaml_that_is_no_tree_of_plain_values_is_refused(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="The text must be valid YAML, got "):
        config_io.load(ExperimentConfig, path)
