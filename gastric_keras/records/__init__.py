"""A set of patches on disk: schema, manifest, integrity, nested subsets."""
