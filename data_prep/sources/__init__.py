"""Which pictures there are, whose they are, and their region maps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pictures": ["ImageSource", "read_sources"],
        "region_maps": ["read_class_map"],
    },
)
