"""Every kind of bad input, by name."""

from __future__ import annotations

from tests.faults import (
    class_sets,
    configs,
    embeddings,
    ensembles,
    external_sets,
    feature_files,
    finished_runs,
    fold_sets,
    indexes,
    label_masks,
    outline_objects,
    outline_places,
    outlines,
    patients,
    pictures,
    pixels,
    predictions,
    record_sets,
    requests,
    rows,
    scales,
    schemas,
    slides_damaged,
    weights_files,
)
from tests.faults.kinds import Kind

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (
        pictures,
        pixels,
        predictions,
        label_masks,
        outlines,
        outline_objects,
        outline_places,
        indexes,
        rows,
        patients,
        configs,
        schemas,
        record_sets,
        weights_files,
        requests,
        finished_runs,
        feature_files,
        embeddings,
        external_sets,
        class_sets,
        fold_sets,
        ensembles,
        slides_damaged,
        scales,
    )
}
