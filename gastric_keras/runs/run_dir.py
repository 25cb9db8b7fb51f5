"""The name of every file that a run writes, and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gastric_keras.support import files

FitStage = Literal["mid", "target"]

#: Of ``--stage all``, in order; a later one builds on the earlier ones.
RUN_STAGES = ("mid", "target", "evaluate", "visualize", "export", "report")


#: Splits that are predicted and scored.
SCORED_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class BaselineDir:
    """The folder of one classical method: ``<output>/<name>/baselines/<method>/``."""

    root: Path

    @property
    def done(self) -> Path:
        """Written last: a method with this file is finished. JSON."""
        return self.root / "done.json"

    @property
    def report_json(self) -> Path:
        """The scores, as of stage evaluate, and the parameters chosen, JSON."""
        return self.root / "report.json"

    def predictions(self, split: str) -> Path:
        """Probabilities of each patch of a target split, CSV."""
        return self.root / f"predictions_{split}.csv"


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

    @property
    def config(self) -> Path:
        """The resolved config, YAML."""
        return self.root / "config.yaml"

    @property
    def provenance(self) -> Path:
        """Versions, commit and data checksums, JSON."""
        return self.root / "provenance.json"

    @property
    def lock(self) -> Path:
        """Held by the process that works in this folder."""
        return self.root / ".lock"

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

    def predictions(self, split: str) -> Path:
        """Probabilities of each patch of a target split, CSV."""
        return self.stage("evaluate") / f"predictions_{split}.csv"

    @property
    def report_json(self) -> Path:
        """The scores, JSON."""
        return self.stage("evaluate") / "report.json"

    @property
    def layer_scores(self) -> Path:
        """Linear-probe AUC of each layer and stage, CSV."""
        return self.stage("probe") / "layers.csv"

    @property
    def layer_picture(self) -> Path:
        """The same as a plot, PNG."""
        return self.stage("probe") / "layers.png"

    @property
    def baselines(self) -> Path:
        """Folder of the classical methods' tables; each method has its own in it."""
        return self.root / "baselines"

    @property
    def baselines_csv(self) -> Path:
        """Every classical method and every score, CSV."""
        return self.baselines / "baselines.csv"

    @property
    def baselines_md(self) -> Path:
        """The same for a reader, Markdown."""
        return self.baselines / "baselines.md"

    def baseline(self, method: str) -> BaselineDir:
        """What one classical method wrote."""
        return BaselineDir(self.baselines / method)

    @property
    def figures(self) -> Path:
        """Folder of PNG pictures."""
        return self.root / "figures"

    @property
    def pictures(self) -> Path:
        """What each picture of stage visualize shows, in words, JSON."""
        return self.figures / "pictures.json"

    @property
    def projector(self) -> Path:
        """Folder of TensorBoard's embedding projector."""
        return self.root / "projector"

    @property
    def export(self) -> Path:
        """Folder of numbered SavedModels, as TF Serving wants it."""
        return self.root / "export"

    def heatmap(self, slide: str) -> Path:
        """Folder of one slide's heatmap, by the slide's file name."""
        return self.root / "heatmaps" / slide

    @property
    def report_html(self) -> Path:
        """The one page to send."""
        return self.root / "report.html"

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
