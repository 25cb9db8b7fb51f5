"""What two sets share and must not."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "find": ["find_leaks", "read_contents"],
    },
)
