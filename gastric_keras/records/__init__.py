"""A set of patches on disk: schema, manifest, integrity, nested subsets."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "checks": ["check_set"],
        "integrity": ["verify_set"],
        "manifest": ["Manifest", "read_manifest", "shard_paths", "write_manifest"],
        "schema": ["PatchRecord", "read_records", "record_key"],
    },
)
