"""python -m data_prep: parse and dispatch; no logic."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

# Everything heavier is imported by the command that needs it: --help stays quick.
from data_prep.options import add_build_arguments, add_config_arguments, add_workers
from gastric_keras.support.commands import run_command
from gastric_keras.support.errors import require
from gastric_keras.support.streams import warn

if TYPE_CHECKING:
    from data_prep.engine import Engine

# TensorFlow is used for its record format only; its start-up notes help nobody here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_SETS = {
    "tissue": "mid-level set: background / epithelium / stroma out of region maps",
    "nuclei": "mid-level set: patches clustered by their nuclei, no labels needed",
    "target": "target set: benign / malignant, from a CSV or a folder of classes",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: the command line; None takes the process's own.

    Returns:
        0; 1 when ``check`` finds a leak; 2 for an input that must be fixed; 130 after
        Ctrl-C.
    """
    return run_command(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parsed, surplus = _parser().parse_known_args(arguments)
    if surplus:
        # Its usage lists what the command does take.
        parsed.parser.error(f"unrecognized arguments: {' '.join(surplus)}")
    status: int = parsed.run(parsed)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_prep",
        description="Images to records: the mid-level and target sets, made offline.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in _SETS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        add_build_arguments(command, has_annotations=name == "tissue")
        command.set_defaults(run=_build, dataset=name)
    command = commands.add_parser("phantom", help="synthetic H&E with known truth")
    command.add_argument("--out", required=True, metavar="DIR")
    add_config_arguments(command)
    command.set_defaults(run=_phantom)
    command = commands.add_parser("inspect", help="the card of a set")
    command.add_argument("folder", metavar="DIR")
    command.set_defaults(run=_inspect)
    command = commands.add_parser(
        "patches", help="a set's patches as pictures, and their keys as a CSV"
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--out", required=True, metavar="DIR")
    command.add_argument("--keys-only", action="store_true", help="only the CSV")
    command.set_defaults(run=_patches)
    command = commands.add_parser(
        "measure", help="nuclei of a set's patches as a file for --stage baselines"
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--out", required=True, metavar="FILE", help=".npz")
    command.add_argument(
        "--mpp", type=float, metavar="X", help="µm per px of the patches as stored"
    )
    command.set_defaults(run=_measure)
    command = commands.add_parser(
        "steps", help="how a nuclei set found its nuclei, as a picture"
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--out", required=True, metavar="FILE", help=".png")
    command.set_defaults(run=_steps)
    command = commands.add_parser(
        "folds", help="a finished target set to the k sets of a cross-validation"
    )
    command.add_argument("folder", metavar="DIR", help="of the target set")
    command.add_argument("--folds", type=int, default=5, metavar="K", help="default: 5")
    command.add_argument(
        "--seed", type=int, default=0, help="of the deal; another is a repetition"
    )
    command.add_argument("--out", required=True, metavar="DIR", help="of the k sets")
    command.set_defaults(run=_folds)
    command = commands.add_parser("quality", help="figures and pictures of a set")
    command.add_argument("folder", metavar="DIR")
    command.set_defaults(run=_quality)
    command = commands.add_parser(
        "check", help="leaks; exit status 1 when there is one"
    )
    command.add_argument("folders", metavar="DIR", nargs="+")
    command.add_argument(
        "--page", metavar="FILE", help="write an HTML page that shows the pairs"
    )
    command.add_argument("--csv", metavar="FILE", help="write every pair as a CSV")
    add_workers(command)
    command.set_defaults(run=_check)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _build(parsed: argparse.Namespace) -> int:
    from data_prep.config.sets import with_source
    from data_prep.sets.build import BuildOptions, build_set
    from data_prep.sets.card import describe
    from data_prep.sets.kinds import KINDS
    from gastric_keras.support import config_io

    kind = KINDS[parsed.dataset]
    config = with_source(
        config_io.load(kind.schema, parsed.config, parsed.overrides),
        images=parsed.images,
        annotations=getattr(parsed, "annotations", None),
        index=parsed.cases,
    )
    manifest = build_set(
        kind,
        config,
        parsed.out,
        options=BuildOptions(
            engine=_engine(parsed),
            strict=parsed.strict,
            force=parsed.force,
            allow_ungrouped=parsed.allow_ungrouped,
        ),
    )
    print(f"{parsed.out}\n{describe(manifest)}")
    return 0


def _engine(parsed: argparse.Namespace) -> Engine:
    from data_prep.engine import Engine

    require(
        parsed.runner is not None or not parsed.runner_options,
        "--runner-option needs --runner",
        "Name the runner, or leave the option out.",
        runner=parsed.runner,
        runner_option=parsed.runner_options,
    )
    require(
        parsed.runner is None or parsed.workers is None,
        "--workers is for local processes and excludes --runner",
        "Give the runner its own number of workers with --runner-option.",
        workers=parsed.workers,
        runner=parsed.runner,
    )
    return Engine(parsed.workers, parsed.runner, tuple(parsed.runner_options))


def _phantom(parsed: argparse.Namespace) -> int:
    from data_prep.phantom.config import PhantomConfig
    from data_prep.phantom.write import write_phantom
    from gastric_keras.support import config_io

    config = config_io.load(PhantomConfig, parsed.config, parsed.overrides)
    write_phantom(parsed.out, config)
    print(f"{parsed.out}: regions/ and target/ written")
    return 0


def _inspect(parsed: argparse.Namespace) -> int:
    from data_prep.sets.card import card_of

    print(card_of(parsed.folder))
    return 0


def _patches(parsed: argparse.Namespace) -> int:
    from data_prep.sets.patch_files import KEYS_NAME, write_patch_files

    count = write_patch_files(
        parsed.folder, parsed.out, has_pictures=not parsed.keys_only
    )
    print(f"patches: {count} in {parsed.out}/{KEYS_NAME}")
    return 0


def _measure(parsed: argparse.Namespace) -> int:
    from data_prep.sets.nuclear_features import write_nuclear_features

    count = write_nuclear_features(parsed.folder, parsed.out, mpp=parsed.mpp)
    print(f"measure: {count} patches in {parsed.out}")
    return 0


def _steps(parsed: argparse.Namespace) -> int:
    from data_prep.quality.steps import write_steps

    for line in write_steps(parsed.folder, parsed.out):
        print(line)
    print(f"steps: {parsed.out}")
    return 0


def _folds(parsed: argparse.Namespace) -> int:
    from data_prep.sets.card import describe
    from data_prep.sets.folds import write_folds
    from gastric_keras.records.manifest import read_manifest

    for folder in write_folds(
        parsed.folder, parsed.out, folds=parsed.folds, seed=parsed.seed
    ):
        print(f"{folder}\n{describe(read_manifest(folder))}")
    return 0


def _quality(parsed: argparse.Namespace) -> int:
    from data_prep.quality.page import PAGE_NAME, write_quality

    for warning in write_quality(parsed.folder):
        warn(warning)
    print(f"page: {parsed.folder}/{PAGE_NAME}")
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from data_prep.leaks.contents import read_contents
    from data_prep.leaks.doubts import find_doubts
    from data_prep.leaks.find import find_leaks
    from data_prep.leaks.page import write_page
    from data_prep.leaks.text import (
        check_file,
        describe_contents,
        describe_leaks,
        write_pairs,
    )
    from data_prep.sets.scale import doubts_where_sets_meet

    for option, suffix in (("page", ".html"), ("csv", ".csv")):
        if getattr(parsed, option) is not None:
            check_file(getattr(parsed, option), option, suffix)
    contents = [
        side
        for folder in parsed.folders
        for side in read_contents(folder, workers=parsed.workers)
    ]
    leaks, doubts = find_leaks(contents), find_doubts(contents)
    print(f"{describe_contents(contents)}\n{describe_leaks(leaks)}")
    meeting = doubts_where_sets_meet(parsed.folders)
    for doubt in (*doubts, *meeting):
        warn(str(doubt))
    if parsed.csv is not None:
        print(f"csv: {write_pairs(parsed.csv, leaks, doubts)}")
    if parsed.page is not None:
        page = write_page(parsed.page, leaks, contents, doubts=doubts, meeting=meeting)
        print(f"page: {page}")
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
