"""Scores of a finished run on an external cohort, and how far the cohort drifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gastric_keras.data.looks import MEASURES, Appearance
from gastric_keras.evaluation.class_scoring import score_class_part
from gastric_keras.evaluation.scoring import score_part
from gastric_keras.records.manifest import MANIFEST_NAME, Manifest
from gastric_keras.records.treatment import meeting_warnings, treatment_of
from gastric_keras.runs.cohort_shapes import (
    CaseAppearance,
    ClassCohortScores,
    ClassCount,
    CohortFacts,
    CohortScores,
    SetAppearance,
    SharedWithRun,
)
from gastric_keras.runs.predictions import Predictions
from gastric_keras.runs.score_shapes import ClassScores, RunScores
from gastric_keras.statistics.draws import Draws
from gastric_keras.statistics.drift import ScoreDrift, Shift, score_drift, shift_of
from gastric_keras.statistics.independent import (
    change_of,
    changes_of,
    class_changes_of,
)
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
    facts = _facts(name, found, records, manifests)
    return CohortScores(
        **vars(facts),
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
        warnings=tuple(
            _warnings(facts, scores.unfitted, "threshold 0.5 and temperature 1 were")
        ),
    )


def score_class_cohort(
    name: str,
    found: Predictions,
    *,
    records: str,
    manifests: tuple[Manifest, Manifest],
    run: tuple[ClassScores, Predictions],
    appearances: tuple[SetAppearance, SetAppearance],
    shared: Sequence[SharedWithRun] = (),
) -> ClassCohortScores:
    """The same of a run of more than two classes, at its own temperature.

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
    report = score_class_part(
        found,
        is_ordered=scores.ordered,
        temperature=scores.temperature,
        draws=internal.draws,
    )
    units = {
        "patch": (internal.patch, report.patch),
        "case": (internal.case, report.case),
    }
    facts = _facts(name, found, records, manifests)
    return ClassCohortScores(
        **vars(facts),
        temperature=scores.temperature,
        report=report,
        changes={unit: class_changes_of(*pair) for unit, pair in units.items()},
        class_changes={
            unit: {
                each: change_of(before.by_class[each]["auc"], scored["auc"])
                for each, scored in after.by_class.items()
            }
            for unit, (before, after) in units.items()
        },
        drift=tuple(_drift(test, found, None, internal.draws)),
        shifts=tuple(_shifts(appearances[1], appearances[0], internal.confidence)),
        shared=tuple(shared),
        warnings=tuple(_warnings(facts, scores.unfitted, "temperature 1 was")),
    )


def _facts(
    name: str,
    found: Predictions,
    records: str,
    manifests: tuple[Manifest, Manifest],
) -> CohortFacts:
    treatment, target_treatment = map(treatment_of, manifests)
    return CohortFacts(
        name=name,
        records=records,
        manifest_sha256=sha256_of(Path(records) / MANIFEST_NAME),
        treatment=treatment,
        target_treatment=target_treatment,
        splits=tuple(s for s in manifests[0].counts if manifests[0].count(s)),
        is_grouped=manifests[0].is_grouped,
        counts=tuple(_counts(found)),
    )


def _counts(found: Predictions) -> Iterator[ClassCount]:
    for index, name in enumerate(found.classes):
        mine = found.label == index
        cases = np.unique(found.case_id[mine]).size
        yield ClassCount(name, int(mine.sum()), int(cases))


def _warnings(facts: CohortFacts, unfitted: str | None, left: str) -> Iterator[str]:
    """What is doubtful of a cohort, ``left`` being what validation did not choose."""
    yield from meeting_warnings(
        {f"cohort {facts.name}": facts.treatment, "target set": facts.target_treatment}
    )
    few = [each for each in facts.counts if each.cases < FEW_CASES]
    if few:
        spelled = ", ".join(f"{each.name}: {each.cases}" for each in few)
        yield f"few cases of a class ({spelled}): every interval is wide or missing."
    if not facts.is_grouped:
        yield "its patients are not known: each image counts as a case of its own."
    if unfitted:
        yield f"{left} not chosen. {unfitted}"


def _drift(
    test: Predictions, found: Predictions, positive: str | None, draws: Draws
) -> Iterator[ScoreDrift]:
    """By true class, of the probability of the positive one, or of each its own; none
    where probabilities are not numbers."""
    if not_numbers(test.probability) or not_numbers(found.probability):
        return

    def side(part: Predictions, label: int) -> tuple[np.ndarray, np.ndarray]:
        mine = part.label == label
        index = label if positive is None else part.classes.index(positive)
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
