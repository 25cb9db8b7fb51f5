"""The same over gRPC: pip install -c constraints.txt -e '.[serving]'

python grpc_client.py [--address localhost:8500] PICTURE…
"""

import argparse
from pathlib import Path

import grpc
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub


def build_request(pictures: list[bytes], *, model: str = "gastric") -> PredictRequest:
    """Pictures as the request of one batch."""
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(pictures))
    return request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="localhost:8500")
    parser.add_argument("pictures", nargs="+", type=Path)
    options = parser.parse_args()
    with grpc.insecure_channel(options.address) as channel:
        request = build_request([path.read_bytes() for path in options.pictures])
        outputs = PredictionServiceStub(channel).Predict(request, timeout=60).outputs
    values = {name: tf.make_ndarray(value) for name, value in outputs.items()}
    name = next(key for key in values if key.endswith("_probability"))
    columns = (options.pictures, values["label"], values[name], values["threshold"])
    for path, label, probability, threshold in zip(*columns):
        print(path, label.decode(), f"{probability:.6f}", f"{threshold:.6f}")


if __name__ == "__main__":
    main()
