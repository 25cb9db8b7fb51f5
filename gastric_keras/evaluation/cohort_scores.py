"""Scores of a finished run on an external cohort, and how far the cohort drifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gastric_keras.data.looks import MEASURES, Appearance
from gastric_keras.evaluation.scoring import score_part
from gastric_keras.records.manifest import MANIFEST_NAME, Manifest
from gastric_keras.records.treatment import meeting_warnings, treatment_of
from gastric_keras.runs.cohort_shapes import (
    CaseAppearance,
    ClassCount,
    CohortScores,
    SetAppearance,
    SharedWithRun,
)
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.score_shapes import RunScores
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.drift import ScoreDrift, Shift, score_drift, shift_of
from gastric_keras.statistics.independent import changes_of
from gastric_keras.statistics.scores import not_numbers
from gastric_keras.support.files import sha256_of

#: Fewer cases of a class than this cannot carry much.
FEW_CASES = 10


def score_cohort(
    name: str,
    found: Predictions,
    *,
    records: str,
    manifests: tuple[Manifest, Manifest],
    run: tuple[RunScores, Predictions],
    appearances: tuple[SetAppearance, SetAppearance],
    shared: Sequence[SharedWithRun] = (),
) -> CohortScores:
    """Every score of a cohort, at what the run's own validation split fixed.

    Args:
        name: of the cohort.
        found: its predictions, of all splits.
        records: folder of the set.
        manifests: of the cohort, and of the run's target set.
        run: scores of the run, and predictions of its test split.
        appearances: of the cohort, and of the run's test split.
        shared: what the cohort shares with the sets of the run.
    """
    scores, test = run
    internal = scores.test
    draws = internal.draws
    report = score_part(
        found,
        positive=scores.positive,
        threshold=scores.threshold,
        temperature=scores.temperature or 1.0,
        draws=draws,
    )
    treatment, target_treatment = map(treatment_of, manifests)
    counts = tuple(_counts(found))
    return CohortScores(
        name=name,
        records=records,
        manifest_sha256=sha256_of(Path(records) / MANIFEST_NAME),
        treatment=treatment,
        target_treatment=target_treatment,
        splits=tuple(s for s in manifests[0].counts if manifests[0].count(s)),
        is_grouped=manifests[0].is_grouped,
        counts=counts,
        positive=scores.positive,
        threshold=scores.threshold,
        temperature=scores.temperature or 1.0,
        report=report,
        changes={
            "patch": changes_of(internal.patch, report.patch),
            "case": changes_of(internal.case, report.case),
        },
        drift=tuple(_drift(test, found, scores.positive, draws)),
        shifts=tuple(_shifts(appearances[1], appearances[0], internal.confidence)),
        shared=tuple(shared),
        warnings=(
            *meeting_warnings(
                {f"cohort {name}": treatment, "target set": target_treatment}
            ),
            *_few_warnings(counts, manifests[0], scores),
        ),
    )


def _counts(found: Predictions) -> Iterator[ClassCount]:
    for index, name in enumerate(found.classes):
        mine = found.label == index
        cases = np.unique(found.case_id[mine]).size
        yield ClassCount(name, int(mine.sum()), int(cases))


def _few_warnings(
    counts: Sequence[ClassCount], manifest: Manifest, scores: RunScores
) -> Iterator[str]:
    few = [each for each in counts if each.cases < FEW_CASES]
    if few:
        spelled = ", ".join(f"{each.name}: {each.cases}" for each in few)
        yield f"few cases of a class ({spelled}): every interval is wide or missing."
    if not manifest.is_grouped:
        yield "its patients are not known: each image counts as a case of its own."
    if scores.unfitted:
        yield f"threshold 0.5 and temperature 1 were not chosen. {scores.unfitted}"


def _drift(
    test: Predictions, found: Predictions, positive: str, draws: Draws
) -> Iterator[ScoreDrift]:
    """By true class; none where probabilities are not numbers."""
    if not_numbers(test.probability) or not_numbers(found.probability):
        return
    index = found.classes.index(positive)

    def side(part: Predictions, label: int) -> tuple[np.ndarray, np.ndarray]:
        mine = part.label == label
        return part.probability[mine, index], part.case_id[mine]

    for label, name in enumerate(found.classes):
        before, after = side(test, label), side(found, label)
        if before[0].size and after[0].size:
            yield score_drift(name, before, after, draws)


def _shifts(
    internal: SetAppearance, external: SetAppearance, confidence: float
) -> Iterator[Shift]:
    for name in internal.measures:
        sides = [
            np.array([c.measures[name] for c in part.cases if name in c.measures])
            for part in (internal, external)
        ]
        if all(side.size for side in sides):
            yield shift_of(name, *sides, confidence=confidence)


def appearance_by_case(found: Appearance, manifest_sha256: str) -> SetAppearance:
    """Means over the patches of each case.

    Args:
        found: of the patches.
        manifest_sha256: of their set.
    """
    columns = dict(zip(MEASURES, found.values.T, strict=True))
    columns["patch_width_um"] = found.width_um
    names, case = np.unique(found.cases, return_inverse=True)
    cases = []
    for number, name in enumerate(names):
        mine = case == number
        means = {
            # Of no patch is known: left out, as JSON has no NaN.
            key: float(np.nanmean(column[mine]))
            for key, column in columns.items()
            if np.isfinite(column[mine]).any()
        }
        cases.append(CaseAppearance(str(name), int(mine.sum()), means))
    return SetAppearance(manifest_sha256, tuple(cases))
