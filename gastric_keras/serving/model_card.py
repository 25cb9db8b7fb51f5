"""The model card of an export: a page of Markdown, from the files of the run."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gastric_keras.config.backbones import BACKBONES
from gastric_keras.runs.rows import score_rows
from gastric_keras.runs.sets import set_card


def write_model_card(metadata: dict[str, Any], scores: dict[str, Any]) -> str:
    """The text of ``model_card.md``.

    Args:
        metadata: that of the export, see ``export.collect_metadata``.
        scores: the content of report.json.
    """
    environment = Environment(
        loader=PackageLoader("gastric_keras"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    titles = {"mid": "Mid-level set, t=1", "target": "Target set, t=2"}
    return environment.get_template("model_card.md").render(
        **metadata,
        network=BACKBONES[metadata["backbone"]].title,
        subset=scores["subset"],
        confidence=scores["test"]["confidence"],
        sets=[
            set_card(titles[stage], record["folder"], record["manifest_sha256"])
            for stage, record in metadata["records"].items()
        ],
        units=[
            {
                "name": name,
                **scores["test"][name],
                "rows": score_rows(scores["test"][name]),
            }
            for name in ("patch", "case")
        ],
    )
