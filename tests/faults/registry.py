"""Every kind of bad input, by name."""

from __future__ import annotations

from tests.faults import (
    configs,
    finished_runs,
    indexes,
    outlines,
    pictures,
    record_sets,
    requests,
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
        outlines,
        indexes,
        configs,
        schemas,
        record_sets,
        weights_files,
        requests,
        finished_runs,
        slides_damaged,
        scales,
    )
}
