"""The name of every file that a run writes, and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

from gastric_keras.support import files

FitStage = Literal["mid", "target"]

#: Of ``--stage all``, in order; a later one builds on the earlier ones.
RUN_STAGES = ("mid", "target", "evaluate", "visualize", "export", "report")


#: Splits that are predicted and scored.
SCORED_SPLITS = ("validation", "test")


class Place:
    """A file or folder at a fixed place below a root."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    @overload
    def __get__(self, owner: None, kind: type) -> Place: ...

    @overload
    def __get__(self, owner: Folder, kind: type) -> Path: ...

    def __get__(self, owner: Folder | None, kind: type) -> Place | Path:
        """Its path below one root."""
        return self if owner is None else owner.root.joinpath(*self.parts)


@dataclass(frozen=True)
class BaselineDir:
    """The folder of one classical method: ``<output>/<name>/baselines/<method>/``."""

    root: Path

    done = Place("done.json")
    """Written last: a method with this file is finished. JSON."""
    report_json = Place("report.json")
    """The scores, as of stage evaluate, and the parameters chosen, JSON."""

    def predictions(self, split: str) -> Path:
        """Probabilities of each patch of a target split, CSV."""
        return self.root / f"predictions_{split}.csv"


@dataclass(frozen=True)
class CohortDir:
    """What stage evaluate writes of one external cohort:
    ``<output>/<name>/external/<cohort>/``."""

    root: Path

    done = Place("done.json")
    """Written last: a cohort with this file is scored. JSON."""
    predictions = Place("predictions.csv")
    """Probabilities of each patch, of all splits, CSV."""
    appearance = Place("appearance.json")
    """Stain and scale of each case, JSON."""
    scores = Place("scores.json")
    """Scores, changes against the internal test, and drift, JSON."""


@dataclass(frozen=True)
class RunDir:
    """The folder of one run: ``<output>/<name>/``.

    Attributes:
        root: the folder; TensorBoard's ``--logdir`` may point at it or its parent.
    """

    root: Path

    @classmethod
    def of_weights(cls, path: Path) -> tuple[RunDir, str]:
        """The run and the stage that weights belong to, by where they lie; what their
        fit wrote beside them is found by both, whatever the folders are called."""
        return cls(path.parent.parent), path.parent.name

    @classmethod
    def of_export(cls, version: Path) -> RunDir:
        """The run that an exported version lies in."""
        return cls(version.parent.parent)

    config = Place("config.yaml")
    """The resolved config, YAML."""
    provenance = Place("provenance.json")
    """Versions, commit and data checksums, JSON."""
    lock = Place(".lock")
    """Held by the process that works in this folder."""

    def stage(self, stage: str) -> Path:
        """Folder of a stage; its TensorBoard event files lie in it."""
        return self.root / stage

    def weights(self, stage: FitStage) -> Path:
        """Weights of the epoch with the best validation AUC."""
        return self.stage(stage) / "best.weights.h5"

    def snapshots(self, stage: FitStage) -> Path:
        """What an interrupted fit resumes from; gone when the stage is finished."""
        return self.stage(stage) / "snapshots"

    def history(self, stage: str) -> Path:
        """One row an epoch, CSV: epoch, loss, val_loss, val_auc, …"""
        return self.stage(stage) / "history.csv"

    def transfer_report(self, stage: FitStage) -> Path:
        """Names of the weights copied, initialised and unused, JSON."""
        return self.stage(stage) / "transfer_report.json"

    def done(self, stage: str) -> Path:
        """Written last in a stage: a stage with this file is finished. JSON."""
        return self.stage(stage) / "done.json"

    def reopen(self, stage: str) -> None:
        """Take back that a stage and those after it are finished: it is done again.

        Predictions go with the weights that made them."""
        for later in RUN_STAGES[RUN_STAGES.index(stage) :]:
            self.done(later).unlink(missing_ok=True)
        if stage in ("mid", "target"):
            self.done("probe").unlink(missing_ok=True)
            for split in SCORED_SPLITS:
                self.predictions(split).unlink(missing_ok=True)
            for done in self.external.glob(f"*/{CohortDir.done.parts[-1]}"):
                done.unlink()

    def predictions(self, split: str) -> Path:
        """Probabilities of each patch of a target split, CSV."""
        return self.stage("evaluate") / f"predictions_{split}.csv"

    report_json = Place("evaluate", "report.json")
    """The scores, JSON."""
    layer_scores = Place("probe", "layers.csv")
    """Linear-probe AUC of each layer and stage, CSV."""
    layer_picture = Place("probe", "layers.png")
    """The same as a plot, PNG."""
    baselines = Place("baselines")
    """Folder of the classical methods' tables; each method has its own in it."""
    baselines_csv = Place("baselines", "baselines.csv")
    """Every classical method and every score, CSV."""
    baselines_md = Place("baselines", "baselines.md")
    """The same for a reader, Markdown."""

    def baseline(self, method: str) -> BaselineDir:
        """What one classical method wrote."""
        return BaselineDir(self.baselines / method)

    external = Place("external")
    """Folder of the external cohorts; each has its own in it."""
    internal_appearance = Place("external", "internal_test.json")
    """Stain and scale of each case of the internal test split, JSON."""

    def cohort(self, name: str) -> CohortDir:
        """What was written of one external cohort."""
        return CohortDir(self.external / name)

    figures = Place("figures")
    """Folder of PNG pictures."""
    pictures = Place("figures", "pictures.json")
    """What each picture of stage visualize shows, in words, JSON."""
    projector = Place("projector")
    """Folder of TensorBoard's embedding projector."""
    export = Place("export")
    """Folder of numbered SavedModels, as TF Serving wants it."""

    def heatmap(self, slide: str) -> Path:
        """Folder of one slide's heatmap, by the slide's file name."""
        return self.root / "heatmaps" / slide

    report_html = Place("report.html")
    """The one page to send."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the folder for this process; a second process is refused.

        Raises:
            InputError: another process works in this folder, or it cannot be made.
        """
        return files.locked(
            self.lock,
            folder="run folder",
            way_out="Wait for the other run, or give this one another name.",
        )


#: A folder whose files have fixed names.
Folder = RunDir | BaselineDir | CohortDir
