"""Stage predict: new pictures and slides to probabilities and calls, by case too."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stage": ["run_predict"],
    },
)
