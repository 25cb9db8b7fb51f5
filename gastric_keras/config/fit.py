"""How one stage is fitted, and what its training patches go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gastric_keras.support.errors import require


@dataclass(frozen=True)
class FitConfig:
    """How one stage is fitted. The paper is silent here: these choices are ours.

    Attributes:
        epochs: at most; 0, with ``head: probe``: the backbone stays as it comes and the
            head is the logistic regression alone (a linear probe).
        batch_size: patches a step, over all devices together.
        min_steps: least updates in an epoch: a small set is gone through several times
            between two validations, so that it gets its updates and the validation
            split is not most of the work.
        learning_rate: at its highest.
        head_rate: the head's learning rate as a multiple of the backbone's.
        schedule: ``constant``; ``cosine`` down to zero over all epochs; ``plateau``: a
            third after each ``plateau_patience`` epochs without a better validation
            AUC.
        plateau_patience: see ``schedule``.
        warmup: epochs over which the rate rises from zero, whole or in part.
        weight_decay: decoupled (AdamW), per step, times the learning rate; not of
            biases and batch normalization.
        head: what the head starts from: ``random``, or ``probe``: the logistic
            regression on the features of the backbone as it comes, so that the
            backbone is not bent by a head that knows nothing (linear probing, then
            fine-tuning: Kumar et al., ICLR 2022, arXiv 2202.10054).
        probe_strength: inverse regularization (scikit-learn's C) of that regression,
            on features of mean variance 1.
        trainable_from: layer of the backbone below which nothing is trained, such as
            conv3, block4_conv1 or mixed5; or the share of its convolutions, in [0, 1),
            that is not, such as 0.6 (conv4 of AlexNet, block4_conv1 of VGG-16); null:
            all of it is.
        ema: momentum of the average of weights over the updates, which is what is
            validated and kept; 0: the weights themselves.
        balance: weigh the loss by inverse class frequency.
        patience: epochs without a better validation AUC before stopping; null: never.
        stop_at: validation AUC at which the stage ends, before it over-specializes;
            null: never.
        shuffle_buffer: encoded patches held in memory for shuffling.
    """

    epochs: int = 10
    batch_size: int = 32
    min_steps: int = 1
    learning_rate: float = 1e-4
    head_rate: float = 1.0
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    plateau_patience: int = 2
    warmup: float = 0.0
    weight_decay: float = 0.0
    head: Literal["random", "probe"] = "random"
    probe_strength: float = 0.1
    trainable_from: str | float | None = None
    ema: float = 0.0
    balance: bool = True
    patience: int | None = None
    stop_at: float | None = None
    shuffle_buffer: int = 4096

    def __post_init__(self) -> None:
        require(
            self.epochs >= 1 or (self.epochs == 0 and self.head == "probe"),
            "epochs of 1 or more, or 0 with head: probe, was expected.",
            "0 keeps the backbone and takes the probed head as it is.",
            epochs=self.epochs,
            head=self.head,
        )
        for name in (
            "batch_size",
            "min_steps",
            "plateau_patience",
            "shuffle_buffer",
        ):
            value = getattr(self, name)
            require(
                value >= 1,
                f"{name} of 1 or more was expected.",
                "1 is the least.",
                **{name: value},
            )
        self._check_rates()
        require(
            not isinstance(self.trainable_from, float) or 0 <= self.trainable_from < 1,
            "trainable_from as a layer, or as a share in [0, 1), was expected.",
            "null trains all of the backbone.",
            trainable_from=self.trainable_from,
        )
        require(
            0 <= self.ema < 1,
            "ema in [0, 1) was expected.",
            "0 switches the average off; 0.99 is usual.",
            ema=self.ema,
        )
        require(
            self.patience is None or self.patience >= 1,
            "patience of 1 or more was expected.",
            "null switches early stopping off.",
            patience=self.patience,
        )
        require(
            self.stop_at is None or 0.5 < self.stop_at <= 1,
            "stop_at in (0.5, 1] was expected.",
            "It is a validation AUC; null: train on.",
            stop_at=self.stop_at,
        )

    def _check_rates(self) -> None:
        for name, good in (
            ("learning_rate", "1e-4 is a good start for fine-tuning."),
            ("head_rate", "1 trains the head as fast as the backbone."),
            ("probe_strength", "0.1 is a good start."),
        ):
            value = getattr(self, name)
            require(value > 0, f"A {name} above 0 was expected.", good, **{name: value})
        require(
            self.weight_decay >= 0,
            "A weight_decay of 0 or more was expected.",
            "0 switches it off.",
            weight_decay=self.weight_decay,
        )
        require(
            0 <= self.warmup < max(self.epochs, 1),
            f"A warmup of 0 or more and less than the {self.epochs} epochs was "
            "expected.",
            "0 switches it off.",
            warmup=self.warmup,
        )
        require(
            not (self.warmup and self.schedule == "plateau"),
            "A warmup under the schedule constant or cosine was expected.",
            "plateau sets the rate epoch by epoch: set warmup to 0.",
            warmup=self.warmup,
            schedule=self.schedule,
        )


@dataclass(frozen=True)
class AugmentConfig:
    """What training patches go through, in tf.data only.

    Attributes:
        flip: mirror left-right with probability one half.
        turn: turn by 0, 90, 180 or 270 degrees.
        zoom: scale by a factor between 1 / (1 + ``zoom``) and 1 + ``zoom``, mirrored
            at the edges; 0: off.
        stain: strength of the stain jitter: hematoxylin, eosin and DAB amounts are
            each scaled by 1 ± ``stain`` and shifted by ± ``stain`` / 10; 0: off.
        color: strength of the color jitter: brightness shifted by ± ``color`` (of the
            range), contrast and saturation scaled by 1 ± ``color``; 0: off.
    """

    flip: bool = True
    turn: bool = True
    zoom: float = 0.0
    stain: float = 0.1
    color: float = 0.0

    def __post_init__(self) -> None:
        require(
            0 <= self.stain < 1,
            "stain in [0, 1) was expected.",
            "0 switches the jitter off; 0.05 to 0.3 is usual.",
            stain=self.stain,
        )
        require(
            0 <= self.color < 1,
            "color in [0, 1) was expected.",
            "0 switches the jitter off; 0.05 to 0.2 is usual.",
            color=self.color,
        )
        require(
            0 <= self.zoom <= 1,
            "zoom in [0, 1] was expected.",
            "0 switches it off; 0.25 scales by 0.8 to 1.25.",
            zoom=self.zoom,
        )
