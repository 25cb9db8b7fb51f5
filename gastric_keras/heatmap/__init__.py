"""Stage heatmap: a slide read whole by an exported model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stage": ["run_heatmap"],
    },
)
