"""The file of a bundle of cut patches: written by a worker, read by the writer."""

from __future__ import annotations

import dataclasses
import json
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.sets.patches import PatchRef, cut_patch
from data_prep.sets.plan import PlannedImage
from data_prep.sets.twins import Twins, digest_of
from gastric_keras.imaging import images
from gastric_keras.imaging.normalization import StainFit, fit_picture
from gastric_keras.imaging.slides import Picture, open_picture
from gastric_keras.records.schema import PatchRecord

#: Position in the set, lengths of the fields and of the image that follow.
_HEAD = struct.Struct("<QQQ")
#: Side and scale of a patch as stored; the first head counts how many follow it.
_SIZE = struct.Struct("<Qd")


@dataclasses.dataclass(frozen=True)
class CutPatches:
    """Reads planned pictures once and cuts their patches; picklable for the workers.

    Attributes:
        stored_size: side in px that patches are resized to; None keeps them.
        max_pixels: most pixels of a picture.
        normalization: of the stain, ``reinhard``, ``macenko`` or None.
    """

    stored_size: int | None
    max_pixels: int
    normalization: str | None = None

    def __call__(self, planned: Sequence[PlannedImage]) -> bytes:
        """The records of some pictures, each after its head, in the set's order.

        Not serialized yet: a worker need not load TensorFlow for it.
        """
        records: dict[int, PatchRecord] = {}
        digests: dict[int, int] = {}
        sizes: set[tuple[int, float]] = set()
        for image in planned:
            for position, cut in zip(image.positions, self.cut(image)):
                record, side, digests[position] = cut
                records[position] = record
                sizes.add((side, record.mpp))
        content = [_HEAD.pack(len(sizes), 0, 0)]
        content += [_SIZE.pack(side, mpp) for side, mpp in sorted(sizes)]
        for position in sorted(records):
            fields = vars(records[position]) | {"digest": digests[position]}
            data = fields.pop("image")
            text = json.dumps(fields).encode()
            content += [_HEAD.pack(position, len(text), len(data)), text, data]
        # Joined once: a growing buffer would hold the patches three times over.
        return b"".join(content)

    def cut(self, image: PlannedImage) -> Iterator[tuple[PatchRecord, int, int]]:
        """Each patch as it is stored, its side (0 if not square), and its digest."""
        with open_picture(image.path, max_pixels=self.max_pixels) as picture:
            fit = None
            if self.normalization is not None:
                fit = fit_picture(picture, self.normalization)
            for ref in image.refs:
                yield self._cut(image, ref, picture, fit)

    def _cut(
        self,
        image: PlannedImage,
        ref: PatchRef,
        picture: Picture,
        fit: StainFit | None,
    ) -> tuple[PatchRecord, int, int]:
        patch = cut_patch(picture, ref, image.patch_size, self.stored_size, fit=fit)
        mpp = image.mpp
        if self.stored_size is not None:
            mpp *= (image.patch_size or picture.shape[0]) / self.stored_size
        data = picture.data
        if (
            data is None
            or fit is not None
            or patch.shape[:2] != picture.shape
            or not images.is_stored_as_is(data)
        ):
            data = images.encode_png(patch)
        record = PatchRecord(
            image=data,
            label=ref.label,
            case_id=image.case_id,
            image_id=image.image_id,
            x=ref.x,
            y=ref.y,
            mpp=mpp,
            quantities=ref.quantities,
        )
        height, width = patch.shape[:2]
        return record, height if height == width else 0, digest_of(patch)


class Spool:
    """A bundle's file, read once from front to back, a few records at a time.

    Args:
        path: the file.
        twins: is shown every record that is read.

    Attributes:
        sizes: (side, mpp) of its patches as stored.
    """

    def __init__(self, path: Path, twins: Twins) -> None:
        self._path = path
        self._twins = twins
        with open(path, "rb") as stream:
            number, *_ = _HEAD.unpack(stream.read(_HEAD.size))
            self.sizes: set[tuple[int, float]] = {
                _SIZE.unpack(stream.read(_SIZE.size)) for _ in range(number)
            }
            self._offset = stream.tell()
        self._position = 0

    def take(self, end: int) -> dict[int, PatchRecord]:
        """The records before position ``end`` that were not taken yet, by position."""
        # A file with nothing for a shard is not opened: a large set has as many
        # files as shards, and time would grow with the square of it.
        return self._read(end) if self._position < end else {}

    def _read(self, end: int) -> dict[int, PatchRecord]:
        records: dict[int, PatchRecord] = {}
        with open(self._path, "rb") as stream:
            stream.seek(self._offset)
            while head := stream.read(_HEAD.size):
                self._position, text, data = _HEAD.unpack(head)
                if self._position >= end:
                    return records
                fields = json.loads(stream.read(text))
                digest = fields.pop("digest")
                fields["quantities"] = tuple(fields["quantities"])
                record = PatchRecord(image=stream.read(data), **fields)
                self._twins.add(record, digest)
                records[self._position] = record
                self._offset += _HEAD.size + text + data
        self._position = sys.maxsize
        return records
