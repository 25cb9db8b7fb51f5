"""Clients of docs/serving/ and warm-up requests, in forms that TF Serving documents.

The servers here are not TF Serving: they wrap ``tf.saved_model.load`` in a few lines.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
import yaml
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from gastric_keras.models.classifier import build_classifier
from gastric_keras.serving.graph import write_saved_model
from gastric_keras.serving.operating_point import OperatingPoint
from gastric_keras.serving.warmup import WARMUP, write_warmup
from tests.helpers.paths import REPOSITORY
from tests.helpers.serving_process import serve
from tests.helpers.small_models import draw_patches

DOCS = REPOSITORY / "docs" / "serving"
POINT = OperatingPoint(("benign", "malignant"), "malignant", 0.5, 2.0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for i, patch in enumerate(draw_patches(3, 80, 70)):
        # Of one tint, so that the answers differ.
        paths.append(folder / f"{i}.jpg")
        paths[-1].write_bytes(tf.io.encode_jpeg(patch // (3 * i + 1)).numpy())
    return paths


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Path:
    model = build_classifier("alexnet", 2, image_size=63, weights="none")
    folder = tmp_path_factory.mktemp("export") / "3"
    write_saved_model(model, folder, point=POINT)
    picture = pictures[0].read_bytes()
    patch = np.zeros((1, 63, 63, 3), np.uint8)
    write_warmup(
        folder,
        [
            ("serving_default", {"image_bytes": np.array([picture, picture])}),
            ("predict_array", {"patch": patch}),
            ("features", {"image_bytes": np.array([picture])}),
        ],
    )
    return folder


@pytest.fixture(scope="module")
def loaded(version: Path) -> Any:
    return tf.saved_model.load(str(version))


@pytest.fixture(scope="module")
def url(version: Path) -> Iterator[str]:
    with serve(version) as address:
        yield address


@pytest.fixture(scope="module")
def wanted(loaded: Any, pictures: list[Path]) -> dict[str, np.ndarray]:
    """What the model says of the three pictures."""
    data = tf.constant([path.read_bytes() for path in pictures])
    answer = loaded.signatures["serving_default"](image_bytes=data)
    return {name: value.numpy() for name, value in answer.items()}


def post(url: str, body: Any) -> Any:
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{url}:predict", data)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(answer)


def b64(path: Path) -> dict[str, str]:
    return {"b64": base64.b64encode(path.read_bytes()).decode()}


def load_client(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_lines(
    printed: str, pictures: list[Path], wanted: dict[str, np.ndarray]
) -> None:
    lines = [line.split() for line in printed.splitlines()]
    assert [line[0] for line in lines] == [str(path) for path in pictures]
    assert [line[1] for line in lines] == [x.decode() for x in wanted["label"]]
    for column, name in ((2, "malignant_probability"), (3, "threshold")):
        found = [float(line[column]) for line in lines]
        np.testing.assert_allclose(found, wanted[name], atol=1e-5)


def test_rows_and_columns_over_rest(
    url: str, pictures: list[Path], wanted: dict[str, np.ndarray]
) -> None:
    named = post(url, {"instances": [{"image_bytes": b64(p)} for p in pictures]})
    assert set(named["predictions"][0]) == {
        "malignant_probability",
        "threshold",
        "label",
        "raw_probabilities",
    }
    found = [row["malignant_probability"] for row in named["predictions"]]
    np.testing.assert_allclose(found, wanted["malignant_probability"], atol=1e-5)
    assert len(set(found)) == 3
    # One input needs no name.
    assert post(f"{url}/versions/3", {"instances": [b64(p) for p in pictures]}) == named
    columns = post(url, {"inputs": {"image_bytes": [b64(p) for p in pictures]}})
    for name, values in columns["outputs"].items():
        assert values == [row[name] for row in named["predictions"]]


def test_other_signatures_over_rest(
    url: str, pictures: list[Path], loaded: Any
) -> None:
    body = {"signature_name": "features", "instances": [b64(p) for p in pictures]}
    assert np.shape(post(url, body)["predictions"]) == (3, 256)
    patch = draw_patches(2, 63, 63)
    body = {"signature_name": "predict_array", "inputs": {"patch": patch.tolist()}}
    np.testing.assert_allclose(
        post(url, body)["outputs"]["malignant_probability"],
        loaded.signatures["predict_array"](patch=patch)["malignant_probability"],
        atol=1e-5,
    )


def test_a_bad_request_over_rest_is_an_error_and_no_end(
    url: str, pictures: list[Path]
) -> None:
    for body, words in (
        ({"instances": [b64(pictures[0]), {"b64": "AAAA"}]}, "image_bytes[1] with 3"),
        ({"inputs": {"image_bytes": []}}, "1 to 128 pictures"),
        ({"instances": ["no base64"]}, "send it as base64 under the key b64"),
    ):
        with pytest.raises(urllib.error.HTTPError) as error:
            post(url, body)
        assert error.value.code == 400
        assert words in json.load(error.value)["error"]
    assert post(url, {"instances": [b64(pictures[0])]})["predictions"]


def test_requests_at_the_same_time(
    url: str, pictures: list[Path], wanted: dict[str, np.ndarray]
) -> None:
    order = [0, 1, 2] * 4
    bodies = [{"instances": [b64(pictures[i])]} for i in order]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: post(url, body), bodies))
    found = [answer["predictions"][0]["malignant_probability"] for answer in answers]
    right = wanted["malignant_probability"][order]
    np.testing.assert_allclose(found, right, atol=1e-5)


def test_the_client_of_the_docs(
    url: str,
    pictures: list[Path],
    wanted: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = load_client("client")
    client.AT_ONCE = 2
    command = ["client.py", "--url", url]
    monkeypatch.setattr(sys, "argv", [*command, *map(str, pictures)])
    assert client.main() == 0
    check_lines(capsys.readouterr().out, pictures, wanted)
    monkeypatch.setattr(sys, "argv", [*command, str(DOCS / "client.py")])
    assert client.main() == 1
    assert "error: 400" in (said := capsys.readouterr().err)
    assert "image_bytes must be JPEG or PNG" in said
    monkeypatch.setattr(sys, "argv", [*command, "not-there.jpg"])
    assert client.main() == 1
    assert "No such file" in capsys.readouterr().err
    nobody = "http://127.0.0.1:9/v1/models/gastric"
    command = ["client.py", "--url", nobody, str(pictures[0])]
    monkeypatch.setattr(sys, "argv", command)
    assert client.main() == 1
    assert f"{nobody}: [Errno" in capsys.readouterr().err


def test_the_curl_line_of_the_docs(
    url: str, pictures: list[Path], wanted: dict[str, np.ndarray]
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    page = (DOCS.parent / "SERVING.md").read_text()
    start = page.index("curl -s http://localhost:8501/v1/models/gastric:predict")
    line = page[start : page.index("```", start)]
    line = line.replace("http://localhost:8501/v1/models/gastric", url)
    line = line.replace("patch.jpg", str(pictures[1]))
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
    (row,) = json.loads(done.stdout)["predictions"]
    assert row["malignant_probability"] == pytest.approx(
        float(wanted["malignant_probability"][1]), abs=1e-5
    )


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict of TF Serving's PredictionService, around a loaded model."""

    def __init__(self, loaded: Any) -> None:
        self.loaded = loaded

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        return predict(self.loaded, request)


def predict(loaded: Any, request: Any) -> Any:
    """A PredictRequest to a PredictResponse."""
    name = request.model_spec.signature_name or "serving_default"
    inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    response = predict_pb2.PredictResponse()
    for key, value in loaded.signatures[name](**inputs).items():
        response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
    return response


def test_the_grpc_client_of_the_docs(
    loaded: Any,
    pictures: list[Path],
    wanted: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Servicer(loaded), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        address = ["--address", f"127.0.0.1:{port}"]
        monkeypatch.setattr(sys, "argv", ["grpc", *address, *map(str, pictures)])
        load_client("grpc_client").main()
    finally:
        server.stop(None).wait()
    check_lines(capsys.readouterr().out, pictures, wanted)


def test_warm_up_requests_are_prediction_logs_that_the_model_answers(
    version: Path, loaded: Any, pictures: list[Path]
) -> None:
    raws = list(tf.data.TFRecordDataset(str(version / WARMUP)).as_numpy_iterator())
    logs = [prediction_log_pb2.PredictionLog.FromString(raw) for raw in raws]
    requests = [log.predict_log.request for log in logs]
    assert [request.model_spec.signature_name for request in requests] == [
        "serving_default",
        "predict_array",
        "features",
    ]
    # Nothing that the real messages would have written otherwise.
    assert [log.SerializeToString(deterministic=True) for log in logs] == raws
    sent = tf.make_ndarray(requests[0].inputs["image_bytes"])
    assert sent.tolist() == [pictures[0].read_bytes()] * 2
    answers = [predict(loaded, request).outputs for request in requests]
    assert tf.make_ndarray(answers[0]["malignant_probability"]).shape == (2,)
    assert tf.make_ndarray(answers[2]["features"]).shape == (1, 256)


def test_the_compose_file_mounts_where_tf_serving_looks() -> None:
    service = yaml.safe_load((DOCS / "compose.yaml").read_text())["services"]["gastric"]
    (volume,) = service["volumes"]
    name = service["environment"]["MODEL_NAME"]
    assert volume.endswith(f"/models/{name}:ro") and volume.startswith("${EXPORT:?")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
