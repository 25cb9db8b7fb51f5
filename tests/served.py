"""Run by test_export.py in a process that has TensorFlow and not gastric_keras: loads a
SavedModel, sends it the pictures, prints what came back."""

import importlib.util
import json
import sys
from pathlib import Path

import tensorflow as tf

folder, *pictures = sys.argv[1:]
assert importlib.util.find_spec("gastric_keras") is None
serve = tf.saved_model.load(folder).signatures["serving_default"]
answer = serve(image_bytes=tf.constant([Path(p).read_bytes() for p in pictures]))
print(
    "RESULT "
    + json.dumps(
        {k: v.numpy().tolist() for k, v in answer.items()}, default=bytes.decode
    )
)
