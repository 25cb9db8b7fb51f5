"""Snapshots that an interrupted fit resumes from: the state after each epoch.

keras.callbacks.BackupAndRestore writes its two files in place: a kill between them
repeats an epoch with other weights, and a damaged file goes unnoticed.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import keras

from gastric_keras.models.weights import save_file
from gastric_keras.support.files import sha256_of, write_atomic

#: Group of the weights file for the state of random generators.
_RANDOM = "random_state"
#: The last one, and the one before in case the last one is damaged.
KEPT = 2


class Snapshots(keras.callbacks.Callback):
    """Saves weights, optimizer state and random state at the end of each epoch.

    The weights file is written first, then its checksum: a snapshot without a matching
    checksum is ignored. Must be the last callback: its snapshot marks the epoch as
    done.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Save the state; remove what is older than the one before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = _weights_path(self.folder, epoch + 1)
        partial = path.with_name("partial.weights.h5")
        save_file(self.model, partial)
        # Keras does not save the state of dropout's generators: a resumed fit would
        # drop other units than an uninterrupted one.
        with h5py.File(partial, "a") as stream:
            for name, variable in _random_state(self.model).items():
                stream[f"{_RANDOM}/{name}"] = variable.numpy()
        digest = sha256_of(partial)
        os.replace(partial, path)
        write_atomic(_seal_path(path), digest)
        for old in _saved_epochs(self.folder)[KEPT:]:
            _remove(self.folder, old)


def restore(model: keras.Model, folder: Path, *, stage: str) -> int:
    """Bring a compiled model back to the newest whole snapshot.

    Args:
        model: compiled as it was when the snapshot was made, its optimizer built.
        folder: of the snapshots; may be missing.
        stage: for the message about a damaged one.

    Returns:
        Number of epochs that are done; 0 where there is no whole snapshot.
    """
    for epoch in _saved_epochs(folder):
        path = _weights_path(folder, epoch)
        seal = _seal_path(path).read_text(encoding="utf-8", errors="replace")
        if path.is_file() and sha256_of(path) == seal:
            model.load_weights(path)
            with h5py.File(path) as stream:
                for name, variable in _random_state(model).items():
                    variable.assign(stream[f"{_RANDOM}/{name}"][()])
            return epoch
        print(
            f"{stage}: the snapshot of epoch {epoch} in {folder} is damaged; trying "
            "the one before",
            flush=True,
        )
        _remove(folder, epoch)
    return 0


def _random_state(model: keras.Model) -> dict[str, keras.Variable]:
    return {
        f"{place}": variable
        for place, variable in enumerate(model.variables)
        if "seed_generator" in variable.path
    }


def _saved_epochs(folder: Path) -> list[int]:
    """Newest first."""
    return sorted((int(p.stem.split("-")[1]) for p in folder.glob("epoch-*.sha256")))[
        ::-1
    ]


def _weights_path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:05d}.weights.h5"


def _seal_path(weights: Path) -> Path:
    return weights.with_name(weights.name.removesuffix(".weights.h5") + ".sha256")


def _remove(folder: Path, epoch: int) -> None:
    path = _weights_path(folder, epoch)
    _seal_path(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
