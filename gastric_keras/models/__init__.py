"""The three networks, their weights, and the warm start."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alexnet": ["AlexNet"],
        "classifier": ["build_classifier"],
        "inference": ["build_forward", "predict"],
        "transfer": ["warm_start"],
    },
)
