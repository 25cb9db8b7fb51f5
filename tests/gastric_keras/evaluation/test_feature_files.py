"""Files of vectors: both forms of both kinds, matched by key, and what is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from gastric_keras.config.baselines import (
    BaselinesConfig,
    FeaturesFileConfig,
    SavedModelConfig,
)
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.evaluation.baselines import feature_files, sources
from gastric_keras.evaluation.baselines.feature_files import (
    count_unused,
    match_table,
    read_vectors,
)
from gastric_keras.evaluation.baselines.stage import run_baselines
from gastric_keras.records.schema import read_records, record_key
from gastric_keras.runs.baselines import read_baselines
from gastric_keras.runs.run_dir import RunDir
from gastric_keras.support.errors import InputError
from tests.gastric_keras.evaluation.test_baselines import draw_tint, make, place_of
from tests.helpers.small_embeddings import write_embedding

Vectors = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ExperimentConfig:
    """A run on patches whose classes differ in their tint."""
    return make(tmp_path_factory.mktemp("tint"), draw_tint)


def vectors_of(config: ExperimentConfig, *, by_picture: bool = False) -> Vectors:
    """Five numbers a patch, of which the second tells the label."""
    rng, found = np.random.default_rng(0), {}
    for split in ("train", "validation", "test"):
        for record in read_records(config.target.records, split):
            vector = rng.normal(size=5).astype(np.float32)
            vector[1] += 6 * record.label
            key = record_key(record.image_id, record.x, record.y)
            found[record.image_id if by_picture else key] = vector
    return found


def save_npz(path: Path, vectors: Vectors) -> None:
    np.savez(path, **vectors)


def save_npz_pair(path: Path, vectors: Vectors) -> None:
    np.savez(path, keys=list(vectors), features=np.stack(list(vectors.values())))


def save_h5(path: Path, vectors: Vectors) -> None:
    with h5py.File(path, "w") as file:
        for key, vector in vectors.items():
            # "a/b@0,0" lands in a group of its own.
            file[key] = vector.astype(np.float16)


def save_h5_pair(path: Path, vectors: Vectors) -> None:
    with h5py.File(path, "w") as file:
        file["keys"] = list(vectors)
        file["features"] = np.stack(list(vectors.values()))


@pytest.mark.parametrize("by_picture", [False, True])
@pytest.mark.parametrize(
    "save, suffix",
    [
        (save_npz, ".npz"),
        (save_npz_pair, ".npz"),
        (save_h5, ".h5"),
        (save_h5_pair, ".h5"),
    ],
)
def test_every_form_is_read_and_matched(
    tmp_path: Path,
    config: ExperimentConfig,
    save: Callable[[Path, Vectors], None],
    suffix: str,
    by_picture: bool,
) -> None:
    vectors, path = vectors_of(config, by_picture=by_picture), tmp_path / f"f{suffix}"
    # Another order than the records', and keys of no patch.
    extra = {"group/other@0,0": np.ones(5, np.float32)}
    save(path, extra | dict(reversed(vectors.items())))
    held = read_vectors(path)
    table = match_table(held, "uni", config.target.records, "test")
    records = list(read_records(config.target.records, "test"))
    assert [r.image_id for r in records] == table.image_id.tolist()
    assert [r.label for r in records] == table.label.tolist()
    keys = [
        r.image_id if by_picture else record_key(r.image_id, r.x, r.y) for r in records
    ]
    np.testing.assert_allclose(
        table.features["uni"], [vectors[key] for key in keys], rtol=1e-2, atol=1e-2
    )
    assert count_unused(held, config.target.records) == 1


def test_both_kinds_stand_in_the_tables_of_the_run(
    tmp_path: Path,
    config: ExperimentConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "uni.npz"
    save_npz(path, vectors_of(config))
    model = str(write_embedding(tmp_path / "model"))
    told = BaselinesConfig(
        {"lab": SavedModelConfig(model, "Lab's network", input_range=(0, 1))},
        {
            "uni": FeaturesFileConfig(str(path)),
            "uni_svm": FeaturesFileConfig(str(path), "UNI", "svm"),
        },
        # The classical ones take seconds and are tested beside.
        methods=(),
    )
    config = replace(config, name="probes", baselines=told)
    run_dir = place_of(config)
    run_baselines(config, run_dir)
    found = {each.name: each for each in read_baselines(run_dir.root)}
    assert list(found) == ["lab", "uni", "uni_svm"]
    assert found["uni_svm"].title == "UNI + SVM"
    assert set(found["uni_svm"].parameters) == {"C", "gamma"}
    assert found["lab"].title == "Lab's network + linear probe"
    for name in found:
        scores = found[name].scores
        assert scores.test.patch.scores["auc"].value > 0.95
        assert scores.train == (12, 12) and scores.backbone == name
        assert "sha256 " in scores.source
    assert found["uni"].rows == found["lab"].rows
    text = (run_dir.baselines / "baselines.md").read_text()
    assert "Lab's network + linear probe" in text and "uni + linear probe" in text

    # The same labels of a subset, out of the vectors that are kept.
    monkeypatch.setattr(sources, "load_embedding", None)
    target = replace(config.target, subset="small", subset_seed=1)
    capsys.readouterr()
    run_baselines(replace(config, target=target), run_dir)
    assert {b.scores.train for b in read_baselines(run_dir.root)} == {(6, 6)}
    # What the config names no more keeps its folder and leaves the table.
    run_baselines(replace(config, baselines=replace(told, embeddings={})), run_dir)
    assert "Lab's" not in (run_dir.baselines / "baselines.md").read_text()
    # Other vectors under the same name are another result.
    save_npz(path, {key: -vector for key, vector in vectors_of(config).items()})
    capsys.readouterr()
    run_baselines(replace(config, baselines=replace(told, embeddings={})), run_dir)
    out = capsys.readouterr().out
    assert "uni + linear probe: validation AUC" in out and "finished" not in out
    assert RunDir(run_dir.root).baseline("lab").done.is_file()


def refused(path: Path, config: ExperimentConfig) -> str:
    with pytest.raises(InputError) as error:
        for split in ("train", "validation", "test"):
            match_table(read_vectors(path), "uni", config.target.records, split)
    return str(error.value)


def test_missing_keys_are_counted_and_named(
    tmp_path: Path, config: ExperimentConfig
) -> None:
    vectors = vectors_of(config)
    gone = [key for key in vectors if key.startswith("test-")][3:8]
    for key in gone:
        del vectors[key]
    save_npz(tmp_path / "f.npz", vectors)
    message = refused(tmp_path / "f.npz", config)
    assert "must have a vector for each of 24 test patches of " in message
    assert f"missing=5, first={gone[:3]!r}" in message
    assert "python -m data_prep patches SET --out DIR lists the keys" in message
    save_npz(tmp_path / "f.npz", {"other": np.ones(5)})
    message = refused(tmp_path / "f.npz", config)
    assert (
        "missing=24, first=['train-0@0,0'," in message
        and "in_file=['other']" in message
    )


@pytest.mark.parametrize(
    "change, words",
    [
        ({"train-0@0,0": np.ones(4)}, "Vectors must have one length, that of "),
        (
            {"train-0@0,0": np.ones((1, 5))},
            "a vector of numbers, shape (length,), got ",
        ),
        (
            {"train-0@0,0": np.array(["a"] * 5)},
            "got 'train-0@0,0' with shape (5,), <U1",
        ),
        (
            {"train-0@0,0": np.full(5, np.nan)},
            "with_nan_or_inf=1, first=['train-0@0,0']",
        ),
        ({"train-0@0,0": np.full(5, 1e300)}, "Vectors must be finite numbers, got "),
        ({"train-0@0,0": np.array([None] * 5)}, "without pickled objects"),
    ],
)
def test_odd_vectors_are_named(
    tmp_path: Path, config: ExperimentConfig, change: Vectors, words: str
) -> None:
    np.savez(tmp_path / "f.npz", **(vectors_of(config) | change))
    assert words in refused(tmp_path / "f.npz", config)


def test_a_key_comes_once(tmp_path: Path, config: ExperimentConfig) -> None:
    vectors = vectors_of(config)
    keys = list(vectors)
    keys[1] = keys[0]
    np.savez(tmp_path / "f.npz", keys=keys, features=np.stack(list(vectors.values())))
    message = refused(tmp_path / "f.npz", config)
    assert (
        f"Each key must come once, got path='{tmp_path / 'f.npz'}', repeated=1"
        in message
    )
    path = tmp_path / "twice.npz"
    save_npz(path, vectors)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(f"{keys[0]}.npy")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(
        path, "a"
    ) as archive:
        archive.writestr(f"{keys[0]}.npy", content)
    assert "Each key must come once, got " in refused(path, config)


def test_files_of_another_kind_are_refused(
    tmp_path: Path, config: ExperimentConfig
) -> None:
    np.save(tmp_path / "f.npy", np.ones(3))
    assert "path must be a .npz or .h5 file, got " in refused(
        tmp_path / "f.npy", config
    )
    for name in ("f.npz", "f.h5"):
        assert "path must be a whole file of numbers" in refused(
            tmp_path / name, config
        )
        (tmp_path / name).write_bytes(b"no features")
        assert "path must be a whole file of numbers" in refused(
            tmp_path / name, config
        )
    np.savez(tmp_path / "f.npz")
    assert "path must hold vectors, got " in refused(tmp_path / "f.npz", config)
    np.savez(tmp_path / "f.npz", keys=["a"], features=np.ones((2, 3)))
    message = refused(tmp_path / "f.npz", config)
    assert "keys must be (n,) and features (n, length), got " in message


def test_a_file_too_large_for_memory_is_named(
    tmp_path: Path, config: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(feature_files, "_read_npz", full)
    save_npz(tmp_path / "f.npz", {"a": np.ones(2)})
    message = refused(tmp_path / "f.npz", config)
    assert "path must hold vectors that fit into memory, got " in message


def test_pictures_with_several_patches_need_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"slide@0,0": (0, "a"), "slide@64,0": (1, "a"), "other@0,0": (0, "b")}
    monkeypatch.setattr(feature_files, "read_rows", lambda folder, split: rows)
    save_npz(tmp_path / "f.npz", {"slide": np.ones(2), "other": np.ones(2)})
    with pytest.raises(InputError) as error:
        match_table(read_vectors(tmp_path / "f.npz"), "uni", "records", "test")
    assert "Keys must name patches, not pictures, where a picture has several" in str(
        error.value
    )
    assert (
        "pictures=2, patches=3. Use image_id@x,y. python -m data_prep patches"
        in str(error.value)
    )
