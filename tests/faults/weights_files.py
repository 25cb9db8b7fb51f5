"""Spoilt weights: PyTorch archives that want to run code, HDF5 of other networks."""

from __future__ import annotations

import functools
import io
import json
import pickle
import random
import struct
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.kinds import Kind
from tests.faults.mutations import cut, flip, spoil_bytes

#: Would be made by a pickle that runs.
_MARK = Path("/tmp/faults-were-run")
_SHAPES = {"features.0": (4, 3, 3, 3), "features.3": (5, 4, 3, 3)}
_Spoilt = tuple[str, bytes, str]


@functools.cache
def _model() -> Any:
    """A network with two of AlexNet's names, so that a case takes no second."""
    import keras

    inputs = keras.Input((16, 16, 3))
    hidden = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(5, 3, name="conv2")(hidden))


@functools.cache
def _h5() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.weights.h5"
        _model().save_weights(path)
        return path.read_bytes()


def write(rng: random.Random, folder: Path) -> str:
    """Draw one fault and write its file."""
    name = rng.choice(sorted(_FAULTS))
    suffix, content, must = _FAULTS[name](rng)
    (folder / f"weights{suffix}").write_bytes(content)
    (folder / "truth.json").write_text(json.dumps({"must": must}))
    return name


def read(folder: Path) -> None:
    """Fill the network with it, as ``backbone.weights`` does."""
    from gastric_keras.models.torch_files import assign_torch, read_torch_state
    from gastric_keras.models.weights import load_file
    from gastric_keras.support.errors import InputError

    must = json.loads((folder / "truth.json").read_text())["must"]
    path = next(folder.glob("weights*"))
    model = _model()
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    try:
        if path.suffix == ".pth":
            assign_torch(model, read_torch_state(path), path)
        else:
            load_file(model, path, wanted="a weights file", way_out="Take another.")
    except InputError as error:
        assert must != "right", f"refused: {error}"
        raise
    finally:
        assert not _MARK.exists(), "the file ran its code"
    assert must != "refused", "it was taken"
    assert all(np.isfinite(w).all() for w in model.get_weights()), "NaN or Inf taken"


class _Storage:
    """Pickles as torch's persistent id of a storage."""

    def __init__(self, key: str, numel: Any, kind: str = "FloatStorage") -> None:
        self.pid = ("storage", _Global("torch", kind), key, "cpu", numel)


class _Global:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def __reduce__(self) -> str:
        raise NotImplementedError


class _Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes torch's archive without torch."""

    def persistent_id(self, obj: Any) -> Any:
        return obj.pid if isinstance(obj, _Storage) else None

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
            return
        super().save(obj, save_persistent_id)


class _Tensor:
    def __init__(self, *arguments: Any, rebuild: str = "_rebuild_tensor_v2") -> None:
        self.call = (_Global("torch._utils", rebuild), arguments)

    def __reduce__(self) -> Any:
        function, arguments = self.call
        return _Called(function), arguments


class _Called:
    """Callable in the eyes of pickle, written as the global that it stands for."""

    def __init__(self, target: _Global) -> None:
        self.target = target

    def __call__(self, *_: Any) -> None:
        raise NotImplementedError


def _archive(
    entries: dict[str, Any], data: dict[str, bytes], *, compress: bool = False
) -> bytes:
    stream = io.BytesIO()
    pickler = _Pickler(stream, 2)
    original = pickler.save

    def save(obj: Any, save_persistent_id: bool = True) -> None:
        original(obj.target if isinstance(obj, _Called) else obj, save_persistent_id)

    pickler.save = save  # type: ignore[method-assign]
    pickler.dump(entries)
    return _zip({"a/data.pkl": stream.getvalue(), **data}, compress=compress)


def _zip(files: dict[str, bytes], *, compress: bool = False) -> bytes:
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _state(
    shapes: dict[str, tuple[int, ...]] = _SHAPES, *, fill: float = 0.1
) -> tuple[dict[str, Any], dict[str, bytes]]:
    entries: dict[str, Any] = OrderedDict()
    data: dict[str, bytes] = {}
    for layer, shape in shapes.items():
        for kind, size in (("weight", shape), ("bias", shape[:1])):
            key, numel = str(len(data)), int(np.prod(size))
            stride = tuple(int(np.prod(size[i + 1 :])) for i in range(len(size)))
            entries[f"{layer}.{kind}"] = _Tensor(
                _Storage(key, numel), 0, size, stride, False, OrderedDict()
            )
            data[f"a/data/{key}"] = np.full(numel, fill, "<f4").tobytes()
    return entries, data


def _sound(rng: random.Random) -> _Spoilt:
    return ".pth", _archive(*_state()), "right"


def _cut_torch(rng: random.Random) -> _Spoilt:
    return ".pth", cut(rng, _archive(*_state())), "refused"


def _flipped_torch(rng: random.Random) -> _Spoilt:
    # Zip has checksums of its contents; of its own fields it has none.
    return ".pth", flip(rng, _archive(*_state()), most=2), "any"


def _spoilt_pickle(rng: random.Random) -> _Spoilt:
    with zipfile.ZipFile(io.BytesIO(_archive(*_state()))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["a/data.pkl"] = spoil_bytes(rng, files["a/data.pkl"])
    return ".pth", _zip(files), "any"


def _code(rng: random.Random) -> _Spoilt:
    line = f"touch {_MARK}".encode()
    pickles = (
        b"cos\nsystem\n(S'" + line + b"'\ntR.",
        b"cposix\nsystem\n(S'" + line + b"'\ntR.",
        b"cbuiltins\nexec\n(S'open(\"" + str(_MARK).encode() + b'", "w")\'\ntR.',
        b"csubprocess\nPopen\n((S'touch'\nS'" + str(_MARK).encode() + b"'\nltR.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c"
        + bytes([len(line)])
        + line
        + b"\x85R.",
        b"(S'" + line + b"'\nios\nsystem\n.",
        b"ccollections\nOrderedDict.__init__.__globals__\n.",
        b"\x80\x04\x8c\x0bcollections\x8c\x18OrderedDict.__subclasses__\x93)R.",
        b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
    )
    return ".pth", _zip({"a/data.pkl": rng.choice(pickles)}), "refused"


def _bomb(rng: random.Random) -> _Spoilt:
    """Few bytes that would fill the memory."""
    entries, data = _state()
    way = rng.choice(("zip", "shape", "pickle", "string"))
    if way == "zip":
        data["a/data/0"] = bytes(50_000_000)
        return ".pth", _archive(entries, data, compress=True), "refused"
    if way == "shape":
        huge = rng.choice(((2**40,), (2**33, 2**33), (-1,), (0,) * 40, (2**63,)))
        entries["features.0.weight"] = _Tensor(
            _Storage("0", 108), 0, huge, (1,) * len(huge), False, OrderedDict()
        )
        return ".pth", _archive(entries, data), "refused"
    if way == "pickle":
        # Tuples of themselves twice, and twice again.
        content = b"(t" + b"2\x86" * 400 + b"."
    else:
        content = b"X" + struct.pack("<I", 2**32 - 1) + b"a."
    return ".pth", _zip({"a/data.pkl": content}), "refused"


def _other_values(rng: random.Random) -> _Spoilt:
    entries, data = _state()
    name = rng.choice(sorted(entries))
    odd: tuple[Any, ...] = (
        3,
        "x",
        None,
        [1],
        _Tensor(_Storage("0", 108), 5, (108,), (1,), False, OrderedDict()),
        _Tensor(_Storage("0", 108), -5, (5,), (1,), False, OrderedDict()),
        _Tensor(_Storage("0", 10**9), 0, (108,), (1,), False, OrderedDict()),
        _Tensor(_Storage("../../etc/passwd", 9), 0, (9,), (1,), False, OrderedDict()),
        _Tensor(_Storage("0", 108, "ByteStorage"), 0, (9,), (1,), False, OrderedDict()),
        _Tensor(_Storage("0", 108), 0, "ab", (1,), False, OrderedDict()),
        _Tensor("0", 0, (9,), (1,), False, OrderedDict()),
        _Tensor(_Storage("0", 54, "DoubleStorage"), 0, (54,), (2,), False),
    )
    entries[name] = rng.choice(odd)
    return ".pth", _archive(entries, data), "refused"


def _not_finite(rng: random.Random) -> _Spoilt:
    fill = rng.choice((float("nan"), float("inf"), -float("inf")))
    if rng.random() < 0.5:
        return ".pth", _archive(*_state(fill=fill)), "refused"
    model = _model()
    model.set_weights([np.full(w.shape, fill) for w in model.get_weights()])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.weights.h5"
        model.save_weights(path)
        return ".weights.h5", path.read_bytes(), "refused"


def _other_network(rng: random.Random) -> _Spoilt:
    shapes = dict(_SHAPES)
    way = rng.choice(("more", "less", "shape", "turned", "rank"))
    if way == "more":
        shapes["layer1.0.conv1"] = (4, 3, 3, 3)
    elif way == "less":
        del shapes["features.3"]
    elif way == "shape":
        shapes["features.3"] = (6, 4, 3, 3)
    elif way == "turned":
        shapes["features.3"] = (3, 3, 4, 5)
    else:
        shapes["features.3"] = (5,)
    return ".pth", _archive(*_state(shapes)), "refused"


def _other_keras(rng: random.Random) -> _Spoilt:
    import keras

    inputs = keras.Input((16, 16, 3))
    layers = [keras.layers.Conv2D(rng.randint(1, 4), 3, name="conv1")]
    if rng.random() < 0.5:
        layers.append(keras.layers.Conv2D(5, rng.choice((1, 5)), name="conv2"))
        if rng.random() < 0.5:
            layers.append(keras.layers.Conv2D(5, 3, name="conv3"))
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.weights.h5"
        keras.Model(inputs, outputs).save_weights(path)
        return ".weights.h5", path.read_bytes(), "refused"


def _spoilt_h5(rng: random.Random) -> _Spoilt:
    spoil = rng.choice((cut, flip, flip, spoil_bytes))
    return ".weights.h5", spoil(rng, _h5()), "any"


def _other_files(rng: random.Random) -> _Spoilt:
    suffix = rng.choice((".pth", ".weights.h5", ".h5"))
    empty = _zip({})
    odd = (
        b"",
        b"PK\3\4",
        b"\x89HDF\r\n\x1a\n",
        pickle.dumps({"a": 1}),
        empty,
        b"\0" * 99,
    )
    return suffix, rng.choice(odd), "refused"


_FAULTS: dict[str, Callable[[random.Random], _Spoilt]] = {
    "none: a sound PyTorch file": _sound,
    "PyTorch file cut short": _cut_torch,
    "PyTorch file, bits flipped": _flipped_torch,
    "pickle spoilt": _spoilt_pickle,
    "pickle that wants to run code": _code,
    "few bytes that fill the memory": _bomb,
    "values that are no tensors": _other_values,
    "NaN or Inf": _not_finite,
    "another network, PyTorch": _other_network,
    "another network, Keras": _other_keras,
    "HDF5 cut, flipped or noise": _spoilt_h5,
    "other files": _other_files,
}

KIND = Kind("weights", write, read, needs_tensorflow=True)
