"""How one stage is fitted, and how its training patches are augmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gastric_keras.support.errors import check_ranges, require


@dataclass(frozen=True)
class FitConfig:
    """How one stage is fitted. The paper is silent here: these choices are ours.

    Attributes:
        epochs: at most; 0, with ``head: probe``: the backbone is not trained and the
            head is the logistic regression alone (a linear probe).
        batch_size: patches a step, over all devices together.
        min_steps: least updates in an epoch: a small set is gone through several times
            between two validations, so that it gets its updates and the validation
            split is not most of the work.
        optimizer: ``adam``, or ``sgd``: Nesterov's momentum, as AlexNet, VGG-16 and
            their fine-tuning of that time were trained.
        momentum: of ``sgd``, in [0, 1); 0: none.
        learning_rate: the highest of the schedule.
        head_rate: the head's learning rate as a multiple of the backbone's.
        schedule: ``constant``; ``cosine`` down to zero over all epochs; ``plateau``: a
            third after each ``plateau_patience`` epochs without a better validation
            AUC.
        plateau_patience: see ``schedule``.
        warmup: epochs over which the rate rises from zero, whole or in part.
        weight_decay: decoupled (as in AdamW), per step, times the learning rate; not of
            biases and batch normalization.
        head: what the head starts from: ``random``, or ``probe``: the logistic
            regression on the features of the initial backbone, so that a
            random head does not distort the backbone (linear probing, then
            fine-tuning: Kumar et al., ICLR 2022, arXiv 2202.10054).
        probe_strength: inverse regularization (scikit-learn's C) of that regression,
            on features of mean variance 1.
        trainable_from: layer of the backbone below which nothing is trained, such as
            conv3, block4_conv1 or mixed5; or the share of its convolutions, in [0, 1),
            that is not, such as 0.6 (conv4 of AlexNet, block4_conv1 of VGG-16); null:
            all of it is.
        ema: momentum of the average of weights over the updates, which is what is
            validated and kept; 0: the weights themselves.
        balance: weigh the loss by inverse class frequency; of shares, by that of the
            class with most of the patch. Measures and views have no classes.
        patience: epochs without a better validation AUC before stopping; null: never.
        stop_at: validation AUC at which the stage ends, before it over-specializes;
            null: never.
        shuffle_buffer: encoded patches held in memory for shuffling.
    """

    epochs: int = 10
    batch_size: int = 32
    min_steps: int = 1
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.9
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
            "epochs must be at least 1, or 0 with head: probe",
            "0 keeps the backbone and takes the probed head as it is.",
            epochs=self.epochs,
            head=self.head,
        )
        at_least_1 = ("batch_size", "min_steps", "plateau_patience", "shuffle_buffer")
        check_ranges(
            self,
            **dict.fromkeys(at_least_1, ("[1, inf)", "1 is the least.")),
            learning_rate=("(0, inf)", "1e-4 is a good start for fine-tuning."),
            momentum=("[0, 1)", "0.9 is usual; 0 switches it off."),
            head_rate=("(0, inf)", "1 trains the head as fast as the backbone."),
            probe_strength=("(0, inf)", "0.1 is a good start."),
            weight_decay=("[0, inf)", "0 switches it off."),
            warmup=(
                f"[0, {max(self.epochs, 1)})",
                "Use less than epochs; 0 switches it off.",
            ),
            trainable_from=("[0, 1)", "Or name a layer; null trains all of it."),
            ema=("[0, 1)", "0 switches the average off; 0.99 is usual."),
            patience=("[1, inf)", "null switches early stopping off."),
            stop_at=("(0.5, 1]", "It is a validation AUC; null: train on."),
        )
        require(
            not (self.warmup and self.schedule == "plateau"),
            "warmup must be 0 with schedule: plateau",
            "plateau sets the rate after each epoch: set warmup to 0.",
            warmup=self.warmup,
        )


@dataclass(frozen=True)
class AugmentConfig:
    """Augmentation of the training patches, in tf.data only.

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
        check_ranges(
            self,
            stain=("[0, 1)", "0 switches the jitter off; 0.05 to 0.3 is usual."),
            color=("[0, 1)", "0 switches the jitter off; 0.05 to 0.2 is usual."),
            zoom=("[0, 1]", "0 switches it off; 0.25 scales by 0.8 to 1.25."),
        )
