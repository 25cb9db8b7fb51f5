"""What tells the three kinds of set apart."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from data_prep.config.sets import (
    NucleiSetConfig,
    SetConfig,
    TargetSetConfig,
    TissueSetConfig,
)
from data_prep.measure.population import MEASURES
from data_prep.sets.cluster_labels import label_by_cluster
from data_prep.sets.found import Found, Part, Pictures
from data_prep.sets.look import find_nuclei, find_target, find_tissue
from data_prep.sources.class_names import IGNORE, class_number
from data_prep.sources.pictures import ImageSource, Need
from data_prep.sources.split_column import split_of_word
from gastric_keras.records.spelling import is_empty_like
from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import snippet


@dataclasses.dataclass(frozen=True)
class SetKind:
    """A kind of set; each function takes a config of its schema first.

    Attributes:
        name: as the command line and the manifest spell it.
        schema: of its config.
        need: what every picture must come with.
        find: looks at a part of a picture; picklable for the workers.
        check: refuses pictures before one is opened; None refuses none.
        label: the labels that need all pictures together, and what the manifest says
            of them; None keeps those that ``find`` gave.
        is_mid_level: for t=1: its quality is measured.
        quantities: their names, in a set that holds some; None: of no set.
    """

    name: str
    schema: type[SetConfig]
    need: Need
    find: Callable[[Any, Part], Found]
    check: Callable[[Any, Sequence[ImageSource]], None] | None = None
    label: Callable[[Any, Pictures], tuple[Pictures, dict[str, Any]]] | None = None
    is_mid_level: bool = True
    quantities: Callable[[Any], tuple[str, ...]] | None = None


def check_labels(config: TargetSetConfig, sources: Sequence[ImageSource]) -> None:
    """Refuse unknown and empty classes before a picture is opened."""
    numbers: Counter[int] = Counter()
    for image in sources:
        labels = {**config.labels, **config.sources[image.source].labels}
        try:
            numbers[class_number(image.label or "", config.classes, labels)] += 1
        except InputError as error:
            raise _unknown_label(config, image, error) from error
    empty = [n for i, n in enumerate(config.classes, start=1) if not numbers[i]]
    if empty:
        raise InputError(
            f"Each class of {', '.join(config.classes)} must have pictures, got none "
            f"of {', '.join(empty)}. Add some, or fix classes and labels in the config."
        )


def _unknown_label(
    config: TargetSetConfig, image: ImageSource, error: InputError
) -> InputError:
    """The error for a label that is no class: what it may be instead."""
    label, source = image.label or "", config.sources[image.source]
    is_folder = source.index is None and source.layout is None
    ignored = snippet(labels={label: IGNORE})
    if is_folder and split_of_word(label):
        return InputError(
            f"The folders of {source.images} must be classes, got {label}, which tells "
            f"a split. Name it with --images {shlex.quote(f'{source.images}/{label}')}"
            " for a set of its own, or list all pictures in an index with a split "
            "column."
        )
    if is_folder and not label:
        return InputError(
            "Each picture must lie in a folder named after its class, got "
            f"{image.path}. Move it there, or leave it out, {ignored}."
        )
    if is_empty_like(label):
        return InputError(
            f"Each picture must have a label, got {image.path} with {label!r}, which "
            f"counts as empty. Fill it in, or leave it out, {ignored}."
        )
    return InputError(f"{image.path}: {error}")


TISSUE = SetKind(
    "tissue",
    TissueSetConfig,
    "annotation",
    find_tissue,
    quantities=lambda config: config.classes if config.task == "shares" else (),
)
NUCLEI = SetKind(
    "nuclei",
    NucleiSetConfig,
    "nothing",
    find_nuclei,
    label=label_by_cluster,
    quantities=lambda config: MEASURES if config.task == "measures" else (),
)
TARGET = SetKind(
    "target",
    TargetSetConfig,
    "label",
    find_target,
    check=check_labels,
    is_mid_level=False,
)
#: By name.
KINDS = {kind.name: kind for kind in (TISSUE, NUCLEI, TARGET)}
