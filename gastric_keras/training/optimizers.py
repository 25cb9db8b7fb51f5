"""The optimizer of a stage: Adam or SGD with decoupled decay, a schedule, and a rate of
the head's own."""

from __future__ import annotations

from typing import Any

import keras

from gastric_keras.config.fit import FitConfig

#: What the schedule ``plateau`` makes of the rate each time.
PLATEAU_FACTOR = 1 / 3


class _HeadRate(keras.optimizers.Optimizer):
    """An optimizer in which the head has a learning rate of its own."""

    def __init__(self, learning_rate: Any, *, head_rate: float = 1.0, **options: Any):
        super().__init__(learning_rate, **options)
        self.head_rate = head_rate

    def get_config(self) -> dict[str, Any]:
        """All that builds it again; see keras.optimizers.Optimizer."""
        return super().get_config() | {"head_rate": self.head_rate}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """One variable's update; see keras.optimizers.Optimizer."""
        # TensorFlow's variable, not Keras': its name is Keras' path.
        if variable.name.startswith(
            ("head/", "mid_head/", "second_head/", "projection/")
        ):
            learning_rate = learning_rate * self.head_rate
        super().update_step(gradient, variable, learning_rate)


@keras.saving.register_keras_serializable(package="gastric_keras")
class HeadRateAdam(_HeadRate, keras.optimizers.Adam):
    """Adam in which the head has a learning rate of its own.

    A factor on the gradient would change nothing: Adam divides it out again.
    """


@keras.saving.register_keras_serializable(package="gastric_keras")
class HeadRateSGD(_HeadRate, keras.optimizers.SGD):
    """SGD in which the head has a learning rate of its own."""


def build_optimizer(config: FitConfig, steps_per_epoch: int) -> keras.Optimizer:
    """The optimizer that a config asks for.

    Args:
        config: of the stage.
        steps_per_epoch: updates an epoch, for the schedule.

    Returns:
        Under ``plateau``, one whose learning rate may be set; see
        :func:`plateau_rate`.
    """
    rate: Any = config.learning_rate
    if config.schedule != "plateau" and (config.schedule == "cosine" or config.warmup):
        warmup = round(config.warmup * steps_per_epoch)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else config.learning_rate,
            max(1, config.epochs * steps_per_epoch - warmup),
            # A decay down to all of it is none.
            alpha=0.0 if config.schedule == "cosine" else 1.0,
            warmup_target=config.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    options: dict[str, Any] = {
        "head_rate": config.head_rate,
        "weight_decay": config.weight_decay or None,
        "use_ema": config.ema > 0,
        "ema_momentum": config.ema,
    }
    optimizer: keras.Optimizer
    if config.optimizer == "sgd":
        momentum = config.momentum
        optimizer = HeadRateSGD(
            rate, momentum=momentum, nesterov=momentum > 0, **options
        )
    else:
        optimizer = HeadRateAdam(rate, **options)
    if config.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def plateau_rate(config: FitConfig, scores: list[float]) -> float:
    """The rate of the next epoch under ``plateau``.

    Worked out of the whole history each time, so that a resumed fit has the rate of an
    unbroken one.

    Args:
        config: of the stage.
        scores: of validation, of each epoch so far; the higher the better.
    """
    rate, best, waited = config.learning_rate, float("-inf"), 0
    for value in scores:
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if waited == config.plateau_patience:
            rate, waited = rate * PLATEAU_FACTOR, 0
    return rate
