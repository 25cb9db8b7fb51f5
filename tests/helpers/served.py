"""Run by the tests in a process that has TensorFlow and not gastric_keras: a minimal
server of one SavedModel, over the REST form that TF Serving documents. It is not TF
Serving; see https://www.tensorflow.org/tfx/serving/api_rest for what it stands for."""

import base64
import importlib.util
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import tensorflow as tf

folder = Path(sys.argv[1])
assert importlib.util.find_spec("gastric_keras") is None
signatures = tf.saved_model.load(str(folder)).signatures


def decoded(value):
    if isinstance(value, dict) and set(value) == {"b64"}:
        return base64.b64decode(value["b64"])
    return [decoded(v) for v in value] if isinstance(value, list) else value


def columns(body, names):
    """Inputs by name, from the row or the column form."""
    if ("instances" in body) == ("inputs" in body):
        raise ValueError("one of instances and inputs was expected")
    values = body.get("instances", body.get("inputs"))
    is_named = isinstance(values, dict) and set(values) <= set(names)
    if "inputs" in body:
        return values if is_named else {names[0]: values}
    if isinstance(values[0], dict) and set(values[0]) == set(names):
        return {name: [row[name] for row in values] for name in names}
    return {names[0]: values}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def predict(body):
    serve = signatures[body.get("signature_name", "serving_default")]
    specs = serve.structured_input_signature[1]
    given = columns(body, list(specs))
    inputs = {
        name: tf.constant(decoded(value), specs[name].dtype)
        for name, value in given.items()
    }
    outputs = {
        name: [text(v) for v in value.numpy().tolist()]
        for name, value in serve(**inputs).items()
    }
    if "inputs" in body:
        return {
            "outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))
        }
    if len(outputs) == 1:
        return {"predictions": next(iter(outputs.values()))}
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


class Handler(BaseHTTPRequestHandler):
    """POST /v1/models/gastric[/versions/N]:predict"""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        paths = ("/v1/models/gastric", f"/v1/models/gastric/versions/{folder.name}")
        try:
            if self.path not in [f"{path}:predict" for path in paths]:
                raise LookupError(f"Servable not found for request: {self.path}")
            status, answer = 200, predict(json.loads(body))
        except (ValueError, KeyError, LookupError, tf.errors.OpError) as error:
            status = 404 if isinstance(error, LookupError) else 400
            answer = {"error": getattr(error, "message", str(error))}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"PORT {server.server_port}", flush=True)
server.serve_forever()
