"""The documents name files, parameters and tests that are there."""

import re
from pathlib import Path

import pytest

from ssdcore.core.nested import leaves
from ssdcore.params.reader import read_params

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PARAMS = dict(leaves(read_params(ROOT / "params.yaml").model_dump()))
KEYS = set(PARAMS)
SECTIONS = {key.split(".")[0] for key in KEYS}


def code_spans(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_are_there(document):
    spans = [s.partition("::")[0] for s in code_spans(document)]
    files = [
        s
        for s in spans
        if re.fullmatch(r"(ssdcore|stages|tests|presets|docs|benchmarks)/[\w/.-]+", s)
    ]
    assert not [file for file in files if not (ROOT / file).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_parameters_are_there(document):
    named = {re.split(r"[:=]", span)[0] for span in code_spans(document)}
    dotted = {n for n in named if re.fullmatch(r"\w+(\.\w+)+", n) and n.split(".")[0] in SECTIONS}
    keys = {name for name in dotted if not re.search(r"\.(yaml|json|txt|csv|html)$", name)}
    unknown = {key for key in keys if not any(k == key or k.startswith(key + ".") for k in KEYS)}
    assert unknown == set()


@pytest.mark.parametrize(("name", "least"), [("detector", 42), ("data", 55), ("evaluation", 7)])
def test_the_tests_that_prove_it_are_there(name, least):
    text = (ROOT / f"docs/{name}.md").read_text(encoding="utf-8")
    proofs = 0
    for row in re.findall(r"^\|.*\|$", text, re.M):
        file = None
        for span in re.findall(r"`([^`]+)`", row.rstrip("|").rpartition("|")[2]):
            path, _, test = span.rpartition("::")
            file = path or file
            assert f"def {test}(" in (ROOT / str(file)).read_text(encoding="utf-8"), span
            proofs += 1
    assert proofs >= least
