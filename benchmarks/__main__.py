"""Runs benchmarks and puts the tables of all results into pages of docs/.

`python -m benchmarks` runs all, `python -m benchmarks shares growth` runs some, and
`python -m benchmarks --render` runs none and only renders the document from the last results.
"""

import argparse
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import harness
from ssdcore.core.files import write_text

NAMES = (
    "ablation", "accelerator", "chaos", "coco_at_size", "growth", "inference", "label_errors",
    "large_photos", "mutations", "peers", "photos", "rates", "serving", "shares", "start_up",
    "tiles", "tracking_faults", "yolo",
)  # fmt: skip
DOCUMENT = harness.ROOT / "docs/performance.md"
DOCUMENTS = {
    "ablation": harness.ROOT / "docs/detector.md",
    "accelerator": harness.ROOT / "docs/devices.md",
    "label_errors": harness.ROOT / "docs/evaluation.md",
    "rates": harness.ROOT / "docs/tuning.md",
    "serving": harness.ROOT / "docs/serving.md",
    "yolo": harness.ROOT / "docs/results.md",
}
"""Where a benchmark's table stands, if not in `DOCUMENT`."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--render", action="store_true", help="run none")
    arguments = parser.parse_args()
    names = arguments.names or (() if arguments.render else NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; choose from {', '.join(NAMES)}")
    for number, name in enumerate(names, start=1):
        print(f"== {number}/{len(names)} benchmarks.{name}", flush=True)
        line = [sys.executable, "-m", f"benchmarks.{name}"]
        if status := subprocess.run(line, check=False).returncode:
            sys.exit(status)
    for path, found in by_document(sections()).items():
        write_text(path, rendered(path.read_text(encoding="utf-8"), found))
        print(f"→ {path}")


def sections(results: Path = harness.RESULTS) -> dict[str, str]:
    """Returns, by benchmark, its tables and the line that says where they were measured."""
    found = {}
    for path in sorted(results.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        text = import_module(f"benchmarks.{path.stem}").as_table(content)
        source = f"`python -m benchmarks.{path.stem}`: {in_words(content['machine'])}"
        found[path.stem] = f"{text}\n\n{source}"
    return found


def by_document(found: dict[str, str]) -> dict[Path, dict[str, str]]:
    """Returns the sections of each document."""
    paths = (DOCUMENT, *DOCUMENTS.values())
    return {
        path: {name: text for name, text in found.items() if DOCUMENTS.get(name, DOCUMENT) == path}
        for path in paths
    }


def rendered(document: str, found: dict[str, str]) -> str:
    """Returns the document with each text between its markers `<!-- NAME -->`, `<!-- /NAME -->`.

    Raises:
        SystemExit: the document has no markers for a benchmark.
    """
    for name, text in found.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin not in document or end not in document:
            raise SystemExit(
                f"no document has the lines {begin} and {end} for this benchmark; add them"
            )
        section = f"{begin}\n\n{text}\n\n{end}"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        document = re.sub(pattern, section.replace("\\", r"\\"), document, flags=re.S)
    return document


def in_words(machine: dict[str, Any] | str) -> str:
    """Returns a result's circumstances as one line; old results have a text instead."""
    if isinstance(machine, str):
        return machine
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items())


if __name__ == "__main__":
    main()
