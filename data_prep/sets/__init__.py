"""A set: looked at, split by case, written whole or not at all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": [
            "BuildOptions",
            "build_nuclei_set",
            "build_target_set",
            "build_tissue_set",
        ],
        "card": ["card_of"],
    },
)
