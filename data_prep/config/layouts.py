"""How public data sets lie in their folders, and what their class names mean.

Each is read from its unpacked archive, with no index to write. Of the entries below
the folder names of NCT-CRC-HE-100K, Kather 2016, EBHI-Seg, LC25000 and HMU-GC-HE-30K
were checked against descriptions and code of others that read them, and the file names
of Kather 2016 and of EBHI-Seg against files of both. Not checked: the folder 80 of
GasHisSDB (120 and 160 were), and what the file names of HMU-GC-HE-30K tell. Which
folders count as epithelium, stroma, benign or malignant is our choice.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from gastric_keras.support.errors import InputError
from gastric_keras.support.strict_yaml import snippet

#: The sets whose classes a layout explains.
Kind = Literal["tissue", "target"]


@dataclass(frozen=True)
class Layout:
    """The folders of one data set.

    Attributes:
        citation: paper and its DOI, or the address of the data.
        folder: what ``images`` must name, in words.
        picture: regular expression with the group ``label``, matched with the whole
            path below ``images``.
        tissue: folder -> background, epithelium, stroma or ignore; empty where the
            data do not tell tissues apart.
        target: folder -> benign, malignant or ignore.
        case_pattern: regular expression whose first group is the case, searched in
            the path; None where the names do not tell, so that --allow-ungrouped
            must be typed, at the risk of one patient in two splits.
        mpp: µm per px as published; None is not published.
        beside: regular expression of files that are no pictures of the set.
        mask_folder: (folder of the pictures, folder of their region maps), of
            equal file names; None where each picture has one label instead.
        mask_values: value of the region map -> class of a tissue set.
        unmasked: number of pictures that were published without a region map.
    """

    citation: str
    folder: str
    picture: str
    tissue: Mapping[str, str]
    target: Mapping[str, str]
    case_pattern: str | None = None
    mpp: float | None = None
    beside: str | None = None
    mask_folder: tuple[str, str] | None = None
    mask_values: Mapping[int, str] = field(default_factory=dict)
    unmasked: int = 0


@dataclass(frozen=True)
class LaidOut:
    """One picture of a layout.

    Attributes:
        path: below ``images``, with slashes.
        folder: name of its class as the data spell it.
        annotation: its region map, below ``images``; "" where there is none.
    """

    path: str
    folder: str
    annotation: str = ""


_IGNORED_TISSUE = ("ADI", "DEB", "LYM", "MUC")

LAYOUTS: dict[str, Layout] = {
    # 224 px patches; their names are random letters and tell no patient. CRC-VAL-HE-7K
    # and the -NONORM archive lie alike.
    "NCT-CRC-HE-100K": Layout(
        citation="Kather et al., PLoS Med. 16:e1002730 (2019), "
        "doi 10.1371/journal.pmed.1002730; data doi 10.5281/zenodo.1214456",
        folder="the folder that holds ADI, BACK, …, TUM",
        picture=r"(?P<label>[^/]+)/[^/]+",
        # Kather 2016 counts smooth muscle as stroma.
        tissue={
            **dict.fromkeys(_IGNORED_TISSUE, "ignore"),
            **{"BACK": "background", "MUS": "stroma", "STR": "stroma"},
            **{"NORM": "epithelium", "TUM": "epithelium"},
        },
        target={
            **dict.fromkeys((*_IGNORED_TISSUE, "BACK", "MUS", "STR"), "ignore"),
            **{"NORM": "benign", "TUM": "malignant"},
        },
        mpp=0.5,
    ),
    # 150 px patches of 74 µm, of ten slides, which the names tell.
    "Kather-2016": Layout(
        citation="Kather et al., Sci. Rep. 6:27988 (2016), doi 10.1038/srep27988; "
        "data doi 10.5281/zenodo.53169",
        folder="the folder that holds 01_TUMOR, …, 08_EMPTY",
        picture=r"(?P<label>[^/]+)/[^/]+",
        tissue={
            **{"01_TUMOR": "epithelium", "02_STROMA": "stroma"},
            # Single tumor cells and immune cells within stroma.
            "03_COMPLEX": "ignore",
            **{"04_LYMPHO": "ignore", "05_DEBRIS": "ignore"},
            **{"06_MUCOSA": "epithelium", "07_ADIPOSE": "ignore"},
            "08_EMPTY": "background",
        },
        target={
            **{"01_TUMOR": "malignant", "02_STROMA": "ignore"},
            **{"03_COMPLEX": "ignore", "04_LYMPHO": "ignore"},
            **{"05_DEBRIS": "ignore", "06_MUCOSA": "benign"},
            **{"07_ADIPOSE": "ignore", "08_EMPTY": "ignore"},
        },
        case_pattern=r"(CRC-Prim-HE-\d+)",
        mpp=0.495,
    ),
    # The three sizes are cut from the same pictures: take one of them only. Names such
    # as Abnormal-04038.png tell no patient; µm per px not found published.
    "GasHisSDB": Layout(
        citation="Hu et al., arXiv:2106.02473 (2021); "
        "data doi 10.6084/m9.figshare.15066147",
        folder="one of the folders 160, 120 and 80, which holds Abnormal and Normal",
        picture=r"(?P<label>[^/]+)/[^/]+",
        tissue={},
        target={"Normal": "benign", "Abnormal": "malignant"},
    ),
    # 224 px patches. No background class: join a source that has one. Their µm per px
    # could not be checked, nor whether their names tell the slide.
    "HMU-GC-HE-30K": Layout(
        citation="Lou et al., Sci. Data 12 (2025), doi 10.1038/s41597-025-04489-9; "
        "data doi 10.6084/m9.figshare.25954813",
        folder="HMU-GC-HE-30K or its all_image, which holds ADI, …, TUM",
        picture=r"(all_image/)?(?P<label>[^/]+)/[^/]+",
        tissue={
            **dict.fromkeys(_IGNORED_TISSUE, "ignore"),
            **{"MUS": "stroma", "STR": "stroma"},
            **{"NOR": "epithelium", "TUM": "epithelium"},
        },
        target={
            **dict.fromkeys((*_IGNORED_TISSUE, "MUS", "STR"), "ignore"),
            **{"NOR": "benign", "TUM": "malignant"},
        },
    ),
    # 224 px pictures at ×400, µm per px not published. The digits of a name such as
    # GT2012149-1-400-001.png are the case; GTXC2012436 is GT2012436. The masks know
    # epithelium only: let a white rule find the background in the stroma.
    "EBHI-Seg": Layout(
        citation="Shi et al., Front. Med. 10:1114673 (2023), "
        "doi 10.3389/fmed.2023.1114673; data doi 10.6084/m9.figshare.21540159",
        folder="the folder that holds Adenocarcinoma, …, Serrated adenoma",
        picture=r"(?P<label>[^/]+)/image/[^/]+",
        tissue={},
        target={
            **{"Normal": "benign", "Polyp": "benign", "Serrated adenoma": "benign"},
            **{"Low-grade IN": "benign", "High-grade IN": "malignant"},
            "Adenocarcinoma": "malignant",
        },
        case_pattern=r"(?i)/GT[A-Z]*(\d+)-[^/]*$",
        beside=r"[^/]+/label/[^/]+",
        mask_folder=("image", "label"),
        mask_values={0: "stroma", 255: "epithelium"},
        unmasked=2,
    ),
    # 768 px pictures, 250 of each class turned and flipped into 5,000: copies of one
    # picture are sure to fall into two splits, so that no score on it means anything.
    "LC25000": Layout(
        citation="Borkowski et al., arXiv:1912.12142 (2019)",
        folder="lung_colon_image_set or its colon_image_sets",
        picture=r"((colon|lung)_image_sets/)?(?P<label>[^/]+)/[^/]+",
        tissue={},
        target={
            **{"colon_n": "benign", "colon_aca": "malignant"},
            **dict.fromkeys(("lung_n", "lung_aca", "lung_scc"), "ignore"),
        },
    ),
}


def find_layout(name: str) -> Layout:
    """The layout of a name.

    Raises:
        InputError: unknown; the message lists the known ones.
    """
    if name not in LAYOUTS:
        known = {entry.lower(): entry for entry in LAYOUTS}
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        hint = f"Did you mean {known[near[0]]}? " if near else ""
        raise InputError(
            f"layout must be one of {', '.join(LAYOUTS)}, got {name!r}. {hint}For "
            "other folders, give an index (--cases index.csv), or one folder per class "
            "and case_pattern."
        )
    return LAYOUTS[name]


def lay_out(name: str, root: Path | str, paths: Iterable[str]) -> Iterator[LaidOut]:
    """Tell what the files of a data set are, in their order.

    Args:
        name: of a layout.
        root: where its archive was unpacked.
        paths: of the pictures below it, with slashes.

    Raises:
        InputError: an unknown layout, or a picture in a folder that it does not know.
    """
    layout = find_layout(name)
    known = layout.target
    for relative in paths:
        if layout.beside and re.fullmatch(layout.beside, relative):
            continue
        match = re.fullmatch(layout.picture, relative)
        if match is None or match["label"] not in known:
            raise InputError(
                f"The pictures of {name} must lie in folders among {', '.join(known)}, "
                f"got images={root}, picture={relative}. Set images to "
                f"{layout.folder}, and leave nothing else in it."
            )
        annotation = _map_of(layout, relative)
        if not (Path(root) / annotation).is_file():
            annotation = ""
        yield LaidOut(relative, match["label"], annotation)


def class_of(name: str, folder: str, kind: Kind) -> str:
    """What a folder of a layout means for a kind of set: a class or ``ignore``.

    Raises:
        InputError: the data do not tell the classes of this kind of set.
    """
    layout = find_layout(name)
    classes = layout.tissue if kind == "tissue" else layout.target
    if not classes:
        example = dict.fromkeys(layout.target, "ignore")
        raise InputError(
            f"The folders of a layout must tell the classes of a {kind} set, got "
            f"layout={name}. Use "
            + ", ".join(key for key, entry in LAYOUTS.items() if entry.tissue)
            + f", or map its folders yourself: {snippet(labels=example)}"
        )
    return classes[folder]


def _map_of(layout: Layout, relative: str) -> str:
    if layout.mask_folder is None:
        return ""
    pictures, masks = layout.mask_folder
    path = PurePosixPath(relative)
    assert path.parent.name == pictures
    return (path.parent.with_name(masks) / path.name).as_posix()
