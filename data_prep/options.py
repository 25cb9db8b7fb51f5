"""Options that several commands of data_prep share."""

from __future__ import annotations

import argparse


def add_config_arguments(command: argparse.ArgumentParser) -> None:
    """``--config`` and ``--set``."""
    command.add_argument("--config", metavar="FILE", help="YAML, see configs/data_prep")
    command.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one value of the config; may be repeated",
    )


def add_workers(command: argparse.ArgumentParser) -> None:
    """``--workers``."""
    command.add_argument("--workers", type=int, metavar="N", help="default: all cores")


def _add_engine_arguments(command: argparse.ArgumentParser) -> None:
    add_workers(command)
    command.add_argument(
        "--runner",
        metavar="NAME",
        help="Apache Beam runner, such as DaskRunner; default: local processes",
    )
    command.add_argument(
        "--runner-option",
        dest="runner_options",
        action="append",
        default=[],
        metavar="--KEY=VALUE",
        help="for the runner, as --runner-option=--KEY=VALUE; may be repeated",
    )


def add_build_arguments(
    command: argparse.ArgumentParser, *, has_annotations: bool
) -> None:
    """Everything that a command which builds a set can be told."""
    command.add_argument("--images", metavar="DIR", help="folder of the pictures")
    if has_annotations:
        command.add_argument("--annotations", metavar="DIR", help="of the region maps")
    command.add_argument("--cases", metavar="CSV", help="index: path, case_id, …")
    command.add_argument("--out", required=True, metavar="DIR", help="of the set")
    add_config_arguments(command)
    _add_engine_arguments(command)
    command.add_argument(
        "--strict", action="store_true", help="an unreadable picture is an error"
    )
    command.add_argument(
        "--force", action="store_true", help="replace the finished set in --out"
    )
    command.add_argument(
        "--allow-ungrouped",
        action="store_true",
        help="count each picture of unknown patient as its own case",
    )
