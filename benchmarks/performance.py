"""Puts the benchmarks' last tables into docs/performance.md, each between its two markers.

`python -m benchmarks.performance` needs no measurement. What stands around the markers is written
by hand; a benchmark without markers gets a section at the end of the document.
"""

import json
import re
from importlib import import_module
from pathlib import Path

from benchmarks.__main__ import names
from benchmarks.frame import RESULTS, ROOT, in_words
from ssdcore.core.files import write_text

DOCUMENT = ROOT / "docs/performance.md"


def main() -> None:
    write_text(DOCUMENT, rendered(DOCUMENT.read_text(encoding="utf-8"), sections()))
    print(f"→ {DOCUMENT}")


def sections(results: Path = RESULTS) -> dict[str, tuple[str, str]]:
    """Returns title and text of each benchmark that was measured and has a table, by its name."""
    found = {}
    for name in names():
        path = results / f"{name}.json"
        module = import_module(f"benchmarks.{name}")
        if path.exists() and hasattr(module, "as_table"):
            content = json.loads(path.read_text(encoding="utf-8"))
            title = (module.__doc__ or name).partition("\n")[0]
            source = f"`python -m benchmarks.{name}`: {in_words(content['machine'])}"
            found[name] = (title, f"{module.as_table(content)}\n\n{source}")
    return found


def rendered(document: str, found: dict[str, tuple[str, str]]) -> str:
    """Returns the document with each text between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, (title, text) in found.items():
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        section = f"{begin}\n\n{text}\n\n{end}"
        pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
        if re.search(pattern, document, re.S):
            document = re.sub(pattern, lambda _, section=section: section, document, flags=re.S)
        else:
            document = f"{document.rstrip()}\n\n## {title}\n\n{section}\n"
    return document


if __name__ == "__main__":
    main()
