"""One framework's side of benchmarks.speed.steps: a line asks, a line answers.

Line: network, size, batch, what, steps. Answer: images a second. Each side is a process
of its own, so that neither has the other's threads in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


def main() -> None:
    """Answer until there is no more line."""
    measure = {"keras": measure_keras, "torch": measure_torch}[sys.argv[1]]
    for line in sys.stdin:
        network, size, batch, what, steps = line.split()
        print(measure(network, int(size), int(batch), what, int(steps)), flush=True)


def _rate(step: Callable[[], Any], batch: int, steps: int) -> float:
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return batch * steps / (time.perf_counter() - started)


def _patches(size: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (batch, size, size, 3)).astype(np.uint8)
    return patches, rng.integers(0, 2, batch)


def measure_keras(network: str, size: int, batch: int, what: str, steps: int) -> float:
    """parameters; bare, fit (training), infer; each may end in +bf16."""
    kind, _, precision = what.partition("+")
    model, bare, infer, fit = _keras(network, size, batch, precision)
    if kind == "parameters":
        return float(model.get_layer("backbone").count_params())
    if kind == "fit":
        return fit(steps)
    return _rate({"bare": bare, "infer": infer}[kind], batch, steps)


@cache
def _keras(network: str, size: int, batch: int, precision: str) -> tuple:
    import keras
    import tensorflow as tf

    from gastric_keras.config.fit import FitConfig
    from gastric_keras.models.classifier import build_classifier
    from gastric_keras.models.inference import build_forward
    from gastric_keras.training.fit import compile_for

    keras.config.set_dtype_policy("mixed_bfloat16" if precision else "float32")
    model = build_classifier(network, 2, image_size=size, weights="none", dropout=0.2)
    keras.config.set_dtype_policy("float32")
    compile_for(model, FitConfig(epochs=1000), steps_per_epoch=1000)
    patches, label = map(tf.constant, _patches(size, batch))
    optimizer, loss = model.optimizer, model.loss

    # As compiled for fit: XLA on a GPU, not on a processor.
    @tf.function(jit_compile=model.jit_compile)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(label, model(patches, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    forward = build_forward(model)
    dataset = tf.data.Dataset.from_tensors((patches, label)).repeat()

    class Clock(keras.callbacks.Callback):
        moments: list[float]

        def on_train_begin(self, logs: dict | None = None) -> None:
            self.moments = []

        def on_train_batch_end(self, number: int, logs: dict | None = None) -> None:
            # As in training, where each loss is looked at.
            assert logs and np.isfinite(logs["loss"])
            self.moments.append(time.perf_counter())

    def fit(steps: int) -> float:
        clock = Clock()
        model.fit(
            dataset,
            steps_per_epoch=steps + 1,
            shuffle=False,
            verbose=0,
            callbacks=[clock],
        )
        # From step to step: what fit sets up and clears away is paid once a stage.
        return batch * steps / (clock.moments[-1] - clock.moments[0])

    for once in (step, lambda: forward(patches), lambda: fit(1)):
        once()
    return model, lambda: step().numpy(), lambda: forward(patches).numpy(), fit


def measure_torch(network: str, size: int, batch: int, what: str, steps: int) -> float:
    """parameters; bare (training), infer; each may end in +bf16."""
    kind, _, precision = what.partition("+")
    model, bare, infer = _torch(network, size, batch, precision)
    if kind == "parameters":
        # Keras' normalizations have no scale there, PyTorch's are ones that stay.
        return float(
            sum(
                value.numel()
                for name, value in model[0].state_dict().items()
                if "num_batches" not in name and not name.endswith(".1.weight")
            )
            if network == "inception_v3"
            else sum(value.numel() for value in model[0].parameters())
        )
    return _rate({"bare": bare, "infer": infer}[kind], batch, steps)


@cache
def _torch(network: str, size: int, batch: int, precision: str) -> tuple:
    import torch

    from benchmarks.speed.torch_networks import build

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    model = build(network, 2).to(device, memory_format=torch.channels_last)
    patches, label = (torch.from_numpy(a).to(device) for a in _patches(size, batch))
    patches = patches.permute(0, 3, 1, 2)
    optimizer = torch.optim.Adam([p for p in model.parameters()], 1e-4)

    def forward() -> torch.Tensor:
        # uint8 in, scaled inside, as on the other side.
        x = patches.float().div(127.5).sub(1)
        with torch.autocast(device, torch.bfloat16, enabled=bool(precision)):
            return model(x.contiguous(memory_format=torch.channels_last))

    def step() -> float:
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                # Statistics stay those of ImageNet, as is our default.
                module.eval()
                module.requires_grad_(False)
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(forward().float(), label)
        loss.backward()
        optimizer.step()
        return loss.item()

    def infer() -> np.ndarray:
        model.eval()
        with torch.inference_mode():
            return forward().float().softmax(1).cpu().numpy()

    step(), infer()
    return model, step, infer


if __name__ == "__main__":
    main()
