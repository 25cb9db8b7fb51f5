"""What was done to the pixels of a set, and whether two sets can meet in one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gastric_keras.records.manifest import Manifest
from gastric_keras.support.errors import require

#: Ratio of the widths of tissue that patches of two sets show beyond which one network
#: should not see both: the next objective, ×40 for ×20, is 2.
MOST_RATIO = 1.8
#: Ratio that no choice of objectives explains as well as a factor of ten does.
REFUSED_RATIO = 5.0


@dataclass(frozen=True)
class Treatment:
    """How the patches of a set came to look as they do.

    Attributes:
        normalization: of their stain: reinhard, macenko; None: as they were scanned.
        mpp: µm per px of the patches as stored; 0.0: not known, or it differs.
        patch_size: their side, px; 0: it differs, or they are not square.
        not_normalized: pictures whose stain could not be told, so that they stayed as
            they were.
        not_square: patches whose sides differ: the network sees them squeezed.
    """

    normalization: str | None = None
    mpp: float = 0.0
    patch_size: int = 0
    not_normalized: int = 0
    not_square: int = 0

    @property
    def width_um(self) -> float:
        """Tissue that a patch shows from side to side, µm; 0.0: not known."""
        return self.mpp * self.patch_size

    @property
    def words(self) -> str:
        """Of the stain, for a reader."""
        if self.normalization is None:
            return "stain as scanned"
        left = ""
        if self.not_normalized:
            pictures = "picture" if self.not_normalized == 1 else "pictures"
            left = (
                f" ({self.not_normalized} {pictures} could not be fitted and kept "
                "the stain as scanned)"
            )
        return f"stain normalized by {self.normalization}{left}"


def treatment_of(manifest: Manifest) -> Treatment:
    """Read from a manifest what was done to the pixels of its set.

    Args:
        manifest: of the set; its config is that of data_prep, or empty.
    """
    held = manifest.config
    method = held.get("normalization")
    left, oblong = held.get("not_normalized"), held.get("not_square")
    return Treatment(
        normalization=None if method is None else str(method),
        mpp=manifest.mpp,
        patch_size=manifest.patch_size,
        not_normalized=len(left) if isinstance(left, list) else 0,
        not_square=oblong if isinstance(oblong, int) else 0,
    )


def check_equal_stains(
    one: Treatment, target: Treatment, *, name: str = "mid-level", key: str = "mid"
) -> None:
    """Refuse two sets of which one was normalized, or both by different methods.

    Args:
        one: of the set that meets the target set.
        target: of the target set.
        name: of the first set, for the message.
        key: of its section in the config, for the way out.

    Raises:
        InputError: their normalizations differ.
    """
    require(
        one.normalization == target.normalization,
        f"normalization must be the same in the {name} and the target set",
        "Make one of the sets again with the normalization of the other (--set "
        "normalization=macenko), or accept the difference with --set "
        f"{key}.allow_unequal_normalization=true.",
        **{key: one.normalization, "target": target.normalization},
    )


def check_equal_scales(
    one: Treatment, target: Treatment, *, name: str = "mid-level", key: str = "mid"
) -> None:
    """Refuse two sets whose patches show areas of tissue beyond compare.

    Args:
        one: of the set that meets the target set.
        target: of the target set.
        name: of the first set, for the message.
        key: of its section in the config, for the way out.

    Raises:
        InputError: both widths are known, and one is REFUSED_RATIO times the other.
    """
    widths = sorted((one.width_um, target.width_um))
    require(
        not widths[0] or widths[1] < REFUSED_RATIO * widths[0],
        f"Patches of the {name} and the target set must show like widths of tissue, µm",
        "Compare the mpp of their data_prep configs with the scanners, a factor of ten "
        "is easily lost; or accept the difference with --set "
        f"{key}.allow_unequal_scale=true.",
        **{key: round(one.width_um, 3), "target": round(target.width_um, 3)},
    )


def meeting_warnings(sets: Mapping[str, Treatment]) -> Iterator[str]:
    """What is doubtful of the scale and the stain of sets that one network will see.

    Args:
        sets: name of a set, for the words -> what was done to its pixels.
    """
    yield from scale_warnings(sets)
    if len({made.normalization for made in sets.values()}) > 1:
        words = "; ".join(f"{name}: {made.words}" for name, made in sets.items())
        yield f"the sets differ in their stain ({words})."


def scale_warnings(sets: Mapping[str, Treatment]) -> Iterator[str]:
    """What is doubtful of the scale of sets that one network will see.

    Args:
        sets: name of a set, for the words -> what was done to its pixels.

    Yields:
        One sentence or two for each doubt.
    """
    for name, treatment in sets.items():
        if treatment.not_square:
            yield (
                f"{treatment.not_square} patches of the {name} are not square: the "
                "network sees them squeezed to squares. Make the set with a patch_size."
            )
    known = {name: made.width_um for name, made in sets.items() if made.width_um > 0}
    if known and len(known) < len(sets):
        unknown = ", ".join(name for name in sets if name not in known)
        yield (
            f"how much tissue a patch shows is not known of the {unknown}, so that it "
            "cannot be compared. Set mpp in the data_prep config."
        )
    if len(known) < 2:
        return
    narrow, *_, wide = sorted(known, key=lambda name: known[name])
    if known[wide] > MOST_RATIO * known[narrow]:
        yield (
            f"a patch of the {wide} shows {known[wide]:.4g} µm of tissue and one of "
            f"the {narrow} {known[narrow]:.4g} µm, a factor of "
            f"{known[wide] / known[narrow]:.3g}, and the network sees both at one "
            "size. Compare the mpp of their data_prep configs with the scanners."
        )
