"""What can happen to the files of a finished run, one fault at a time."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.mutations import JUNK, nested, spoil_bytes, spoil_tree

#: (generator, folder of the run, stage that reads, whether the run has no checksums)
#: to the end: "right", "refused", "either", where an answer must be the right one, or
#: "any", where nothing can know.
Fault = Callable[[random.Random, Path, str, bool], str]
_Rows = list[list[str]]
#: Names that come from outside and would like to be more.
NAMES = "names with markup and controls"
_HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "<b>bold</b> | cell",
    "{{ 7 * 7 }}{% raw %}",
    "</style></pre><svg onload=alert(1)>",
    "\u202egnp.exe\u2066",
    "a\x00b\x1b[31m\x7f",
    "line\u2028end\u0085",
    "$\\frac{1}{$ $x_$",
    "&lt;script&gt;",
    "<!-- <iframe src=//x>",
)


def _predictions(rng: random.Random, run: Path, way: str) -> Path:
    # Compare reads those of the test split alone.
    splits = ("test",) if way == "compare" else ("test", "validation")
    return run / "evaluate" / f"predictions_{rng.choice(splits)}.csv"


def _read(path: Path) -> _Rows:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def _save(path: Path, rows: _Rows, encoding: str = "utf-8") -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


def _none(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    return "right"


def _bytes(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = _predictions(rng, run, way)
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return "any" if is_old else "either"


def _columns(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = _predictions(rng, run, way)
    rows = _read(path)
    column = rng.randrange(len(rows[0]))
    kind = rng.choice(("gone", "renamed", "doubled", "swapped", "added"))
    if kind == "renamed":
        rows[0][column] = rng.choice(("", "p_", "p_x", rows[0][column] + " ", "label2"))
    elif kind == "swapped":
        other = (column + 1) % len(rows[0])
        for row in rows:
            row[column], row[other] = row[other], row[column]
    else:
        for row in rows:
            if kind == "gone":
                del row[column]
            else:
                row.insert(column, row[column] if kind == "doubled" else "0")
    _save(path, rows)
    return "refused"


def _values(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = _predictions(rng, run, way)
    rows = _read(path)
    column = rng.randrange(2, 7)
    odd = ("", "x", "1.7", "-0.2", "nan", "inf", "1e400", "9" * 30, "0,5", "١", "\0")
    rows[rng.randrange(1, len(rows))][column] = rng.choice(odd)
    _save(path, rows)
    # An Arabic one is a whole number to Python, of x or y nothing says which.
    return "either" if not is_old else "any" if column < 4 else "refused"


def _rows(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = _predictions(rng, run, way)
    head, *rows = _read(path)
    place = rng.randrange(len(rows))
    kind = rng.choice(("gone", "doubled", "instead", "shuffled", "none", "ragged"))
    if kind == "gone":
        del rows[place : place + rng.randint(1, 9)]
    elif kind == "doubled":
        rows.insert(rng.randrange(len(rows)), rows[place])
    elif kind == "instead":
        rows[place - 1] = rows[place]
    elif kind == "shuffled":
        rng.shuffle(rows)
    elif kind == "ragged":
        rows[place] = rows[place] + ["1"] if rng.random() < 0.5 else rows[place][:-1]
    _save(path, [head, *([] if kind == "none" else rows)])
    return "either" if kind == "shuffled" else "refused"


def _labels(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    """Another class than the scores are of."""
    path = _predictions(rng, run, way)
    head, *rows = _read(path)
    kind = rng.choice(("one", "all", "names", "third", "negative"))
    if kind == "names":
        head[5:] = rng.choice((head[:4:-1], ["p_a", "p_b"], [head[5], "p_b"]))
    elif kind == "third":
        rows[0][4] = rng.choice(("2", "99"))
    elif kind == "negative":
        rows[0][4] = "-1"
    else:
        for row in rows if kind == "all" else rows[:1]:
            row[4] = str(1 - int(row[4]))
    _save(path, [head, *rows])
    # Evaluate knows the patches of a set by their number alone.
    knows = way != "evaluate" or not is_old or kind not in ("one", "all")
    return "refused" if knows else "any"


def _encoding(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = _predictions(rng, run, way)
    kind = rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037"))
    _save(path, _read(path), kind)
    return "refused"


def _gone(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    """A file that is not there, empty, or something else."""
    names = ["report.json", _predictions(rng, run, way).name, "done.json"]
    path = run / "evaluate" / rng.choice(names)
    kind = rng.choice(("gone", "empty", "folder", "other"))
    if kind in ("gone", "folder"):
        path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind != "gone":
        path.write_bytes(b"" if kind == "empty" else b"\x89PNG\r\n\x1a\n\0\0")
    return "either"


def _report_tree(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = run / "evaluate" / "report.json"
    tree = spoil_tree(rng, json.loads(path.read_text()))
    path.write_text(json.dumps(tree))
    return "any" if is_old else "either"


def _report_junk(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    _junk(rng, run / "evaluate" / "report.json")
    return "either"


def _junk(rng: random.Random, path: Path) -> None:
    """JSON altogether of another kind."""
    odd: tuple[Any, ...] = (*JUNK, nested(900), nested(900, dict), "\ud800", [1], "{}")
    texts = [json.dumps(value) for value in odd if value != 10**400]
    texts += ["[" * 100_000, "9" * 5000, "NaN", "{", '{"a": 1, "a": 2}', "\ufeff{}"]
    path.write_text(rng.choice(texts), encoding="utf-8")


def _spoil_json(rng: random.Random, path: Path) -> None:
    kind = rng.randrange(3)
    if kind == 0:
        _junk(rng, path)
    elif kind == 1:
        path.write_text(json.dumps(spoil_tree(rng, json.loads(path.read_text()))))
    else:
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))


def _report_bytes(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = run / "evaluate" / "report.json"
    path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return "any" if is_old else "either"


def _done(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    _spoil_json(rng, run / "evaluate" / "done.json")
    return "either"


def _fit_done(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    _spoil_json(rng, run / "target" / "done.json")
    return "any" if way == "report" else "right"


def _history(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = run / "target" / "history.csv"
    head, *rows = _read(path)
    kind = rng.choice(("bytes", "row", "doubled", "columns", "cell", "encoding"))
    if kind == "bytes":
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))
        return "any" if way == "report" else "right"
    if kind == "row":
        del rows[rng.randrange(len(rows))]
    elif kind == "doubled":
        rows.insert(1, rows[0])
    elif kind == "columns":
        head[0] = rng.choice(("", "epochs", head[1]))
    elif kind == "cell":
        rows[rng.randrange(len(rows))][rng.randrange(3)] = rng.choice(("x", "0x1"))
    _save(path, [head, *rows], "utf-16" if kind == "encoding" else "utf-8")
    return "refused" if way == "report" else "right"


def _beside(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    """The small files that the page shows, and a picture that is not the run's."""
    from gastric_keras.runs.run_dir import RunDir
    from tests.helpers.fake_runs import add_pictures

    run_dir = RunDir(run)
    add_pictures(run_dir, kinds=("error",))
    transfer = run_dir.transfer_report("target")
    path = rng.choice((run_dir.provenance, run_dir.pictures, transfer))
    if path == run_dir.pictures and rng.random() < 0.5:
        pictures = json.loads(path.read_text())
        odd = ("../../one/config.yaml", "/etc/hostname", "..", ".", "a\0b", "none", "")
        pictures[0]["file"] = rng.choice(odd)
        path.write_text(json.dumps(pictures))
        return "refused" if way == "report" else "right"
    _spoil_json(rng, path)
    return "any" if way == "report" else "right"


def _config(rng: random.Random, run: Path, way: str, is_old: bool) -> str:
    path = run / "config.yaml"
    if rng.random() < 0.5:
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))
        return "right" if way == "evaluate" else "any"
    text = path.read_text(encoding="utf-8")
    changes = (
        ("name: alexnet", "name: vgg16"),
        ("\nseed: 0", "\nseed: 3"),
        ("subset: null", "subset: 90"),
        ("positive: malignant", "positive: benign"),
        ("- benign\n  - malignant", "- malignant\n  - benign"),
    )
    path.write_text(text.replace(*rng.choice(changes)), encoding="utf-8")
    return {"evaluate": "right", "compare": "refused", "report": "any"}[way]


def write_names(rng: random.Random, folder: Path) -> str:
    """A run whose every name is hostile; returns the stage that is to read it."""
    from tests.helpers.fake_runs import add_pictures, make_run

    hostile = iter(rng.sample(_HOSTILE, 6))
    classes = (next(hostile), next(hostile))
    make_run(
        folder,
        "hostile",
        classes=classes,
        case=next(hostile),
        subgroups={next(hostile): "image0"},
        mid="tissue",
    )
    run = folder / "runs" / "hostile"
    way = rng.choice(("report", "compare", "compare"))
    if way == "compare":
        # A folder can have any name but for what parts a path or ends it.
        name = rng.choice(_HOSTILE).replace("/", "").replace("\0", "")
        run.rename(run.with_name(name))
        return way
    from gastric_keras.runs.run_dir import RunDir

    add_pictures(RunDir(run), kinds=("error",))
    pictures = json.loads((run / "figures" / "pictures.json").read_text())
    pictures[0]["text"] = next(hostile)
    (run / "figures" / "pictures.json").write_text(json.dumps(pictures))
    provenance = json.loads((run / "provenance.json").read_text())
    provenance |= {"command": next(hostile), "commit": rng.choice(_HOSTILE)}
    (run / "provenance.json").write_text(json.dumps(provenance))
    return way


FAULTS: dict[str, Fault] = {
    "none: sound runs": _none,
    "bytes of predictions spoilt": _bytes,
    "columns of predictions": _columns,
    "cells of predictions": _values,
    "rows of predictions": _rows,
    "other classes or labels": _labels,
    "other encoding": _encoding,
    "a file gone, empty, or another": _gone,
    "nodes of report.json replaced": _report_tree,
    "another report.json altogether": _report_junk,
    "bytes of report.json spoilt": _report_bytes,
    "done.json of evaluate": _done,
    "done.json of a fit": _fit_done,
    "history.csv": _history,
    "files beside the scores": _beside,
    "config.yaml": _config,
}
