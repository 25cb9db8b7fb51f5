"""The classical methods by number of labels: every subset, every draw, one table.

    python -m benchmarks.evidence.baselines [--subsets n20 small n100 n200] \\
        [--seeds 0 1 2 3 4]

Runs ``--stage baselines`` for each subset and draw (a finished one is skipped) and for
all labels once, and prints test AUC, mean ± standard deviation over the draws.
``--networks DIR DIR…`` (finished runs of the same test split) adds, for each subset,
each method's AUC less that of the one-stage runs with the same draw: mean over the
draws, with an interval by case. ``--out FILE`` keeps all of it as JSON.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gastric_keras import run
from gastric_keras.comparison.finished_runs import FinishedRun, read_runs
from gastric_keras.config.experiment import ExperimentConfig
from gastric_keras.runs.baselines import Baseline, read_baselines
from gastric_keras.statistics.bootstrap import auc_draws
from gastric_keras.statistics.scores import ranking_scores
from gastric_keras.support import config_io
from gastric_keras.support.files import write_json
from gastric_keras.support.text import text_table


def main() -> int:
    """Run what is not finished, print the table."""
    options = _parse()
    cells = {
        subset: [_run(options, subset, seed) for seed in options.seeds]
        for subset in options.subsets
    }
    # All labels: there is one draw, and nothing else in these methods is random.
    cells["all"] = [_run(options, None, 0)]
    parts = ("all", *cells["all"][0][0].scores.subgroups)
    for part in parts:
        print(f"\ntest AUC, patches: {part}")
        print(text_table(["method", *cells], _rows(cells, part)))
    gains: list[list[str]] = []
    if options.networks:
        gains = _gains(cells, options.networks)
        print("\ntest AUC less that of the one-stage network (95 % interval by case)")
        print(text_table(["method", *cells], gains))
    if options.out is not None:
        write_json(options.out, _tree(cells, parts, gains))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/baselines.yaml")
    parser.add_argument("--output", default="tensorboard_logs")
    parser.add_argument(
        "--subsets", nargs="*", default=["n20", "small", "n100", "n200"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--networks", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, help="JSON")
    return parser.parse_args()


def _run(
    options: argparse.Namespace, subset: str | None, seed: int
) -> Sequence[Baseline]:
    name = config_io.load(ExperimentConfig, options.config).name
    overrides = [f"runtime.output={options.output}"]
    if subset is not None:
        name += f"-{subset}-s{seed}"
        overrides += [f"target.subset={subset}", f"target.subset_seed={seed}"]
        # The spread over the draws is shown, not the interval of each.
        overrides += ["evaluate.bootstrap=100"]
    arguments = ["--stage", "baselines", "--config", options.config]
    for override in [*overrides, f"name={name}"]:
        arguments += ["--set", override]
    if run.main(arguments):
        sys.exit(2)
    return read_baselines(Path(options.output) / name)


def _rows(cells: dict[str, list[Sequence[Baseline]]], part: str) -> list[list[str]]:
    methods = cells["all"][0]
    return [
        [method.title]
        + [
            _spell([_auc(draw[place], part) for draw in draws])
            for draws in cells.values()
        ]
        for place, method in enumerate(methods)
    ]


def _tree(
    cells: dict[str, list[Sequence[Baseline]]],
    parts: Sequence[str],
    gains: list[list[str]],
) -> dict[str, object]:
    """AUC of every draw, by part, method and subset; the differences as printed."""
    methods = cells["all"][0]
    return {
        "commit": methods[-1].scores.commit,
        "test_auc": {
            part: {
                method.name: {
                    subset: [round(_auc(draw[place], part), 5) for draw in draws]
                    for subset, draws in cells.items()
                }
                for place, method in enumerate(methods)
            }
            for part in parts
        },
        "chosen_with_all_labels": {
            method.name: method.parameters
            | {"validation_auc": round(method.scores.validation_auc, 5)}
            for method in methods
        },
        "less_network": {
            method.name: dict(zip(cells, row[1:], strict=True))
            for method, row in zip(methods, gains)
        },
    }


def _gains(
    cells: dict[str, list[Sequence[Baseline]]], folders: Sequence[Path]
) -> list[list[str]]:
    networks = [run for run in read_runs(folders) if run.mid is None]
    columns = [
        _column(draws, [run for run in networks if run.cell[1] == subset])
        for subset, draws in cells.items()
    ]
    titles = [method.title for method in cells["all"][0]]
    return [list(row) for row in zip(titles, *columns, strict=True)]


def _column(
    draws: Sequence[Sequence[Baseline]], networks: Sequence[FinishedRun]
) -> list[str]:
    """A difference for each method, averaged over the networks' draws of the labels."""
    by_draw = {draw[0].scores.subset_seed: draw for draw in draws}
    # All labels are the same whatever the draw.
    only = draws[0] if len(draws) == 1 else None
    pairs = [(n, only or by_draw.get(n.config.target.subset_seed)) for n in networks]
    pairs = [(network, draw) for network, draw in pairs if draw is not None]
    if not pairs:
        return ["—"] * len(draws[0])
    if any(draw[0].rows != network.rows for network, draw in pairs):
        sys.exit("error: the networks were scored on other test rows")
    label, case_id = pairs[0][0].label, np.array([r[0] for r in pairs[0][0].rows])
    methods = range(len(draws[0]))
    scores = [network.score for network, _ in pairs]
    scores += [draw[place].score for place in methods for _, draw in pairs]
    once = np.ones((1, label.size))
    whole = [ranking_scores(label, score, once)["auc"] for score in scores]
    drawn = auc_draws(label, np.stack(scores), case_id)
    # First the networks, then method after method, each averaged over the pairs: the
    # value from every patch once, then the draws of cases.
    means = np.hstack([whole, drawn]).reshape(1 + len(methods), len(pairs), -1).mean(1)
    spelled = []
    for value, *others in means[1:] - means[0]:
        low, high = np.quantile(others, [0.025, 0.975])
        spelled.append(f"{value:+.3f} ({low:+.3f} to {high:+.3f})")
    return spelled


def _auc(baseline: Baseline, part: str) -> float:
    scores = baseline.scores
    test = scores.test if part == "all" else scores.subgroups[part].test
    return test.patch.scores["auc"].value


def _spell(values: Sequence[float]) -> str:
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


if __name__ == "__main__":
    sys.exit(main())
