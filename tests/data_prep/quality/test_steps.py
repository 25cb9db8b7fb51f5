"""The steps of the binarization as a figure."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.__main__ import main
from data_prep.measure.binarization import binarize
from data_prep.quality.measure import nuclei_config, read_sample, sample_records
from gastric_keras.imaging.images import decode_image
from gastric_keras.records.manifest import read_manifest
from tests.data_prep.quality.test_measure import nuclei_set
from tests.helpers.small_sets import write_small_set


def test_a_row_a_cluster_from_the_patch_nearest_its_center(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = nuclei_set(tmp_path / "set"), tmp_path / "steps.png"
    assert main(["steps", str(folder), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    look = read_sample(folder)
    assert look.nuclei is not None
    notes = read_manifest(folder).config["clustering"]
    images = [record.image_id for record in sample_records(folder)]
    for label, name in enumerate(("few", "many")):
        own = np.flatnonzero(look.labels == label)
        gaps = (look.nuclei[own] - notes["centers"][label]) / notes["std"]
        nearest = own[(gaps**2).sum(axis=1).argmin()]
        count, area = look.nuclei[nearest]
        assert lines[label].startswith(f"{name}: {images[nearest]} at x ")
        assert lines[label].endswith(f": {count:.0f} nuclei, {area:,.0f} px²")
    assert lines[2] == f"steps: {out}"
    assert len(out.read_bytes()) < 300_000
    picture = np.asarray(Image.open(io.BytesIO(out.read_bytes())).convert("RGB"))
    # Four pictures in two rows and a plane beside them.
    assert picture.shape[1] > 2 * picture.shape[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_what_each_step_leaves(tmp_path: Path) -> None:
    folder = nuclei_set(tmp_path / "set")
    config = nuclei_config(read_manifest(folder))
    assert config is not None
    record = next(sample_records(folder))
    found = binarize(decode_image(record.image, name="x"), config)
    assert found.light.min() >= 0 and found.light.max() <= 1
    # Nuclei are dark in the light that hematoxylin lets through.
    assert found.light[found.below > 0].max() < found.light[found.below == 0].max()
    assert set(np.unique(found.below)) <= {0, 255}
    assert not (found.labels[found.mask == 0] > 0).any()
    assert found.labels.max() == found.count > 0


def test_a_set_without_clusters_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_small_set(tmp_path / "set", "tissue", ("a", "b"), per_class={"train": 2})
    out = tmp_path / "steps.png"
    assert main(["steps", str(tmp_path / "set"), "--out", str(out)]) == 2
    err = capsys.readouterr().err
    assert "must get a nuclei set with clusters, got dataset=tissue" in err
    assert not out.exists()
