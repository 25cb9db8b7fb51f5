"""How far a finished mid-level set can be trusted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "page": ["write_quality"],
    },
)
