"""Where each baseline's features come from: measured here, a SavedModel, or a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gastric_keras.config.baselines import Method, SavedModelConfig
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.baselines.embeddings import (
    Embedding,
    embedding_digest,
    load_embedding,
    model_sha256,
)
from gastric_keras.evaluation.baselines.feature_files import (
    count_unused,
    match_table,
    read_vectors,
)
from gastric_keras.evaluation.baselines.feature_table import (
    FeatureTable,
    features_digest,
    keep,
    load_features,
)
from gastric_keras.records.manifest import MANIFEST_NAME
from gastric_keras.support.files import sha256_of


@dataclass(frozen=True)
class Source:
    """Features of the patches of a set.

    Attributes:
        digest: of all that they depend on, sixteen hexadecimal digits.
        words: file and checksum for a reader; "": measured here.
        load: split -> its table.
    """

    digest: str
    words: str
    load: Callable[[str], FeatureTable]


def find_sources(config: ExperimentConfig) -> dict[Method, Source]:
    """Every baseline of a run with the source of its features, those of the config
    first: what a user gave is refused before the others are measured.

    Args:
        config: of the run.

    Raises:
        InputError: a SavedModel or a file that is none; nothing is loaded yet but the
            files of vectors.
    """
    records, store = config.target.records, Path(config.runtime.output) / "features"
    told = config.baselines
    found: dict[Method, Source] = {}
    for method in told.others:
        name = method.name
        if name in told.embeddings:
            found[method] = _of_model(name, told.embeddings[name], records, store)
        else:
            found[method] = _of_file(name, told.features[name].path, records)
    texture = Source(
        features_digest(records),
        "",
        lambda split: load_features(records, split, store=store),
    )
    return found | {method: texture for method in told.chosen}


def _of_model(name: str, config: SavedModelConfig, records: str, store: Path) -> Source:
    digest = embedding_digest(records, config)

    @cache
    def model() -> Embedding:
        # Once for three splits, and not at all where their vectors are kept.
        return load_embedding(name, config)

    def load(split: str) -> FeatureTable:
        path = store / digest / f"{split}.npz"
        return keep(path, (name,), lambda: model().table(records, split))

    words = (
        f"SavedModel {config.path}, signature {config.signature}, "
        f"sha256 {model_sha256(config)}"
    )
    return Source(digest, words, load)


def _of_file(name: str, path: str, records: str) -> Source:
    vectors = read_vectors(path)
    checksum = sha256_of(path)
    unused = count_unused(vectors, records)
    if unused:
        print(
            f"baselines: {name}: {unused} of {len(vectors.keys)} keys in {path} are of "
            f"no patch of {records} and not used"
        )
    parts = sha256_of(Path(records) / MANIFEST_NAME) + checksum
    return Source(
        hashlib.sha256(parts.encode()).hexdigest()[:16],
        f"{path}, {vectors.rows.shape[1]} numbers a patch, sha256 {checksum}",
        lambda split: match_table(vectors, name, records, split),
    )
