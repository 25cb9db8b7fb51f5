"""What a client of an exported model must know: ``assets/metadata.json``."""

from __future__ import annotations

from dataclasses import dataclass

from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.records.manifest import read_manifest
from gastric_keras.records.treatment import Treatment, treatment_of
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.runs.shapes import read_provenance
from gastric_keras.serving.class_point import ClassPoint
from gastric_keras.serving.operating_point import OperatingPoint
from gastric_keras.statistics.case_rules import CaseCalls
from gastric_keras.support.files import sha256_of


@dataclass(frozen=True)
class TrainedOn:
    """A set of records.

    Attributes:
        folder: its path.
        manifest_sha256: of its manifest when the run was made; None: not known.
        treatment: what was done to its pixels; None: not known.
    """

    folder: str
    manifest_sha256: str | None
    treatment: Treatment | None


@dataclass(frozen=True)
class EnsembleMember:
    """A run whose network is one of an ensemble's.

    Attributes:
        name: of the run.
        seed: of its training.
        subset_seed: of the draw of its labels.
        weights_sha256: of its checkpoint.
    """

    name: str
    seed: int
    subset_seed: int
    weights_sha256: str


@dataclass(frozen=True)
class FoldMember(EnsembleMember):
    """A run of one fold whose network is one of an ensemble's.

    Attributes:
        fold: its number, from 1.
        records: folder of its set.
        manifest_sha256: of that set when the run was made; None: not known.
    """

    fold: int
    records: str
    manifest_sha256: str | None


@dataclass(frozen=True)
class ExportMetadata:
    """The file, key by key.

    Attributes:
        name: of the run.
        version: of the export.
        classes: in label order.
        positive: one of them; null, as threshold, raw_threshold and case_calls are:
            more than two, called by their highest probability.
        threshold: for calibrated probabilities.
        raw_threshold: for those of the network.
        temperature: between them.
        mpp: µm/px of the training patches; 0.0: not known.
        normalization: of the stain of the training patches, reinhard or macenko; null:
            none. ``serving_default`` and ``features`` do it, each picture fitted by
            itself; whoever asks ``predict_array`` or the ONNX file does it before.
        patch_size: side of the records, px.
        image_size: side that the network takes, px.
        case_calls: how the patches of a case become one call; of raw probabilities.
        backbone: network.
        weights: that it began with.
        precision: of its arithmetic.
        seed: of training.
        commit: of the checkout that trained it; None: not known.
        weights_sha256: of the checkpoint.
        records: stage -> set that it was trained on; of an ensemble of folds the set
            of the first.
        members: of an ensemble, whose seed is that of the first, and weights_sha256
            the SHA-256 of the members' joined; empty: one network.
    """

    name: str
    version: int
    classes: tuple[str, ...]
    positive: str | None
    threshold: float | None
    raw_threshold: float | None
    temperature: float
    mpp: float
    normalization: str | None
    patch_size: int
    image_size: int
    case_calls: CaseCalls | None
    backbone: str
    weights: str
    precision: str
    seed: int
    commit: str | None
    weights_sha256: str
    records: dict[str, TrainedOn]
    members: tuple[EnsembleMember, ...] = ()


def collect_metadata(
    config: ExperimentConfig,
    run_dir: RunDir,
    *,
    version: int,
    point: OperatingPoint | ClassPoint,
    case_calls: CaseCalls | None,
) -> ExportMetadata:
    """Collect the metadata of a run that is exported.

    Args:
        config: of the run.
        run_dir: of the run.
        version: of the export.
        point: of the run.
        case_calls: of the run.

    Raises:
        InputError: the target set or the provenance is missing.
    """
    two = point if isinstance(point, OperatingPoint) else None
    provenance = read_provenance(run_dir.provenance)
    now = treatment_of(read_manifest(config.target.records))
    # What the run was trained on, though the set may have been made again since.
    made = provenance.treatments.get(config.target.records, now)
    stages = {"target": config.target.records}
    if config.mid is not None:
        stages = dict(zip(("mid", "mid.second"), config.mid.sets.values())) | stages
    return ExportMetadata(
        name=config.name,
        version=version,
        classes=point.classes,
        positive=two.positive if two else None,
        threshold=two.threshold if two else None,
        raw_threshold=two.raw_threshold if two else None,
        temperature=point.temperature,
        mpp=made.mpp,
        normalization=made.normalization,
        patch_size=made.patch_size,
        image_size=config.backbone.image_size,
        case_calls=case_calls,
        backbone=config.backbone.name,
        weights=config.backbone.weights,
        precision=config.runtime.precision,
        seed=config.seed,
        commit=provenance.commit,
        weights_sha256=sha256_of(run_dir.weights("target")),
        records={
            stage: TrainedOn(
                folder,
                provenance.manifest_sha256(folder),
                made if stage == "target" else provenance.treatments.get(folder),
            )
            for stage, folder in stages.items()
        },
    )
