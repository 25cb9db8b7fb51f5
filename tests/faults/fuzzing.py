"""Coverage-guided fuzzing of the parsers, with atheris.

    python -m tests.faults.fuzzing --seconds 60

Each parser gets bytes that atheris grows towards code that was not reached before. An
InputError in the house's form is a good end, everything else stops the parser's turn,
and the bytes are kept. Where atheris is not installed it says so and ends well: it is
in the extra ``faults``, and has wheels for Linux only.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from gastric_keras.support.errors import InputError
from tests.faults import outlines, weights_files
from tests.faults.kinds import find_bad_form

#: Whose branches guide the fuzzing.
_PARSERS = (
    "data_prep.sources.region_maps",
    "gastric_keras.records.manifest",
    "gastric_keras.records.schema",
    "gastric_keras.models.torch_files",
)
#: The file that a parser gets, by its suffix, and the parser.
_Target = tuple[str, Callable[[Path], object]]


def _read_record(path: Path) -> object:
    from gastric_keras.records.schema import deserialize

    return deserialize(path.read_bytes(), where=path)


def _read_manifest(path: Path) -> object:
    from gastric_keras.records.manifest import read_manifest

    path.rename(path.with_name("manifest.json"))
    return read_manifest(path.parent)


def _read_regions(path: Path) -> object:
    from data_prep.sources.region_maps import read_class_map

    return read_class_map(path, outlines.SHAPE, classes=outlines.CLASSES)


def _read_weights(path: Path) -> object:
    from gastric_keras.models.torch_files import read_torch_state

    return read_torch_state(path)


TARGETS: dict[str, _Target] = {
    "record": (".record", _read_record),
    "manifest": (".json", _read_manifest),
    "geojson": (".geojson", _read_regions),
    "xml": (".xml", _read_regions),
    "weights": (".pth", _read_weights),
}


def write_seeds(name: str, folder: Path) -> None:
    """Some sound files to start from, and some that are spoilt."""
    rng = random.Random(0)
    suffix = TARGETS[name][0]
    if name == "manifest":
        tree = '{"schema_version": 1, "dataset": "target", "classes": ["a", "b"]'
        rest = ', "counts": {}, "cases": {}, "patch_size": 1, "mpp": 0, "dropped": {}'
        (folder / "seed").write_text(tree + rest + ', "config": {}, "shards": []}')
        return
    if name == "record":
        from gastric_keras.records.schema import PatchRecord, serialize

        record = PatchRecord(b"image", 1, "case", "image.png", 1, 2, 0.5)
        (folder / "seed").write_bytes(serialize(record))
        return
    module = weights_files if name == "weights" else outlines
    for number in range(300):
        with tempfile.TemporaryDirectory() as place:
            module.KIND.write(rng, Path(place))
            for path in Path(place).glob(f"*{suffix}"):
                if path.stat().st_size < 20_000:
                    (folder / f"seed-{number}").write_bytes(path.read_bytes())


def fuzz(name: str, arguments: list[str]) -> None:
    """Let atheris loose on one parser; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["gastric_keras", "data_prep"]):
        for module in _PARSERS:
            importlib.import_module(module)
    suffix, read = TARGETS[name]

    def try_bytes(data: bytes) -> None:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            path = Path(folder) / f"input{suffix}"
            path.write_bytes(data)
            try:
                read(path)
            except InputError as error:
                problem = find_bad_form(str(error))
                if problem:
                    raise RuntimeError(problem) from error

    atheris.Setup([sys.argv[0], *arguments], try_bytes)
    atheris.Fuzz()


def main() -> int:
    """Fuzz each parser in a process of its own; 0 when none was brought down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60, help="of each parser")
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--keep", type=Path, default=Path("faults"), metavar="DIR")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("fuzzing: atheris is not installed here, nothing was fuzzed")
        return 0
    return max(_run(name, options.seconds, options.keep) for name in options.targets)


def _run(name: str, seconds: int, keep: Path) -> int:
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        write_seeds(name, Path(corpus))
        code = (
            "import sys; from tests.faults.fuzzing import fuzz; "
            "fuzz(sys.argv[1], sys.argv[2:])"
        )
        limits = [f"-max_total_time={seconds}", "-rss_limit_mb=3000", "-timeout=60"]
        limits += [f"-artifact_prefix={keep}/{name}-", "-print_final_stats=1", corpus]
        done = subprocess.run(
            [sys.executable, "-c", code, name, *limits], capture_output=True, text=True
        )
    found = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    tried = int(found[1]) if found else 0
    covered = re.findall(r"cov: (\d+)", done.stderr)
    print(
        f"fuzzing {name}: {tried} inputs, {covered[-1] if covered else 0} places "
        f"reached, {'brought down' if done.returncode else 'never brought down'}",
        flush=True,
    )
    if done.returncode:
        print(done.stdout[-3000:] + done.stderr[-1500:])
    return int(done.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
