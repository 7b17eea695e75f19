"""Runs benchmarks and puts the tables of all results into pages of docs/.

`python -m benchmarks` runs all but those that need other software (convolutions, peers, yolo);
`python -m benchmarks chaos rates` runs some, and
`python -m benchmarks --render` runs none and only renders the documents from the last results.
"""

import argparse
import re
import subprocess
import sys
from importlib import import_module
from typing import Any

from benchmarks import harness
from ssdcore.core.files import read_json, write_text

NAMES = (
    "accelerator", "chaos", "coco_at_size", "inference", "label_errors", "photos", "rates",
    "serving", "start_up", "tracking_faults",
)  # fmt: skip
PEERS = "convolutions", "peers", "yolo"
DOCUMENTS = sorted((harness.ROOT / "docs").glob("*.md"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES + PEERS))
    parser.add_argument("--render", action="store_true", help="run none")
    arguments = parser.parse_args()
    names = arguments.names or (() if arguments.render else NAMES)
    if unknown := set(names) - {*NAMES, *PEERS}:
        known = ", ".join(NAMES + PEERS)
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; choose from {known}")
    failed = []
    for number, name in enumerate(names, start=1):
        print(f"== {number}/{len(names)} benchmarks.{name}", flush=True)
        line = [sys.executable, "-m", f"benchmarks.{name}"]
        if subprocess.run(line, check=False).returncode:
            failed.append(name)
    found = sections()
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        if (new := rendered(text, found)) != text:
            write_text(path, new)
            print(f"→ {path}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def sections() -> dict[str, str]:
    """Returns, by benchmark, its tables and the line that says where they were measured."""
    found = {}
    for path in sorted(harness.RESULTS.glob("*.json")):
        content = read_json(path)
        text = import_module(f"benchmarks.{path.stem}").as_table(content)
        source = f"`python -m benchmarks.{path.stem}`: {in_words(content['machine'])}"
        found[path.stem] = f"{text}\n\n{source}"
    return found


def rendered(document: str, found: dict[str, str]) -> str:
    """Returns the document with each text between its markers `<!-- NAME -->`, `<!-- /NAME -->`."""
    for name, text in found.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        section = f"{begin}\n\n{text}\n\n{end}".replace("\\", r"\\")
        document = re.sub(f"{begin}.*?{end}", section, document, flags=re.S)
    return document


def in_words(machine: dict[str, Any]) -> str:
    """Returns a result's circumstances as one line."""
    changed = " with changes" if machine.get("code_changed") else ""
    others = {k: v for k, v in machine.items() if k not in ("commit", "code_changed")}
    words = [f"{name.replace('_', ' ')} {value}" for name, value in others.items()]
    return ", ".join([f"commit {machine['commit']}{changed}", *words])


if __name__ == "__main__":
    main()
