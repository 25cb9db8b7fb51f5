"""The head's own rate, the schedules, and the plateau out of the history alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from gastric_keras.config.fit import FitConfig
from gastric_keras.training.optimizers import (
    PLATEAU_FACTOR,
    build_optimizer,
    plateau_rate,
)


def _model() -> keras.Model:
    inputs = keras.Input((2,))
    body = keras.layers.Dense(2, name="body", kernel_initializer="ones")(inputs)
    outputs = keras.layers.Dense(1, name="head", kernel_initializer="ones")(body)
    return keras.Model(inputs, outputs)


def _moves(config: FitConfig, strategy: tf.distribute.Strategy) -> dict[str, float]:
    """How far each kernel went in its first update. Adam's first step is the rate."""
    with strategy.scope():
        model = _model()
        model.compile(build_optimizer(config, 10), "mse", jit_compile=False)
    data = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.zeros((4, 1))))
    model.fit(data, verbose=0, shuffle=False)
    return {
        name: float(np.abs(model.get_layer(name).kernel.numpy() - 1).max())
        for name in ("body", "head")
    }


@pytest.mark.parametrize(
    "strategy",
    [tf.distribute.get_strategy, lambda: tf.distribute.MirroredStrategy(["CPU:0"])],
)
def test_the_head_has_a_rate_of_its_own(strategy: object) -> None:
    config = FitConfig(learning_rate=1e-3, head_rate=10.0, schedule="constant")
    moves = _moves(config, strategy())  # type: ignore[operator]
    assert moves["body"] == pytest.approx(1e-3, rel=1e-2)
    assert moves["head"] == pytest.approx(1e-2, rel=1e-2)


def test_sgd_moves_by_rate_momentum_and_gradient() -> None:
    options = {"learning_rate": 1e-2, "schedule": "constant", "optimizer": "sgd"}
    plain = FitConfig(**options, momentum=0.0, head_rate=3.0)
    moves = _moves(plain, tf.distribute.get_strategy())
    # Outputs are 4 from ones: the loss is 16, its slope 8, as is that of each kernel.
    assert moves["body"] == pytest.approx(8e-2, rel=1e-3)
    assert moves["head"] == pytest.approx(3 * 16e-2, rel=1e-3)
    # Nesterov's first step looks ahead by the momentum.
    moves = _moves(FitConfig(**options, momentum=0.5), tf.distribute.get_strategy())
    assert moves["body"] == pytest.approx(1.5 * 8e-2, rel=1e-3)


def _rates(config: FitConfig, steps: int) -> list[float]:
    rate = build_optimizer(config, steps)._learning_rate
    return [float(rate(step)) for step in range(config.epochs * steps + 1)]


def test_cosine_rises_and_falls() -> None:
    config = FitConfig(epochs=4, learning_rate=1.0, warmup=0.5, schedule="cosine")
    rates = _rates(config, 10)
    assert rates[:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    middle = 5 + 35 / 2
    assert rates[int(middle)] == pytest.approx(0.5, abs=0.03)
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_a_constant_rate_may_rise_first() -> None:
    config = FitConfig(epochs=2, learning_rate=1.0, warmup=1.0, schedule="constant")
    assert _rates(config, 4) == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    plain = build_optimizer(FitConfig(learning_rate=1e-3, schedule="constant"), 4)
    assert float(plain.learning_rate) == pytest.approx(1e-3)


def test_plateau_by_hand() -> None:
    config = FitConfig(schedule="plateau", learning_rate=9e-4, plateau_patience=2)
    third, ninth = 9e-4 * PLATEAU_FACTOR, 9e-4 * PLATEAU_FACTOR**2
    history = [0.6, 0.7, 0.7, 0.65, 0.8, 0.8, 0.79, 0.78, 0.77]
    wanted = [9e-4] * 4 + [third] * 3 + [ninth] * 2 + [ninth * PLATEAU_FACTOR]
    rates = [plateau_rate(config, history[:n]) for n in range(len(history) + 1)]
    assert rates == pytest.approx(wanted)


def test_decay_spares_biases() -> None:
    optimizer = build_optimizer(FitConfig(weight_decay=0.1), 10)
    model = _model()
    optimizer.build(model.trainable_variables)
    decayed = [
        v.path for v in model.trainable_variables if optimizer._use_weight_decay(v)
    ]
    assert decayed == ["body/kernel", "head/kernel"]
    assert build_optimizer(FitConfig(), 10).weight_decay is None
