"""Stage visualize: filters, responses, Grad-CAM, projector."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "visualize": ["run_visualize"],
    },
)
