"""The page's figures without the page: report/report.txt, at most 100 columns, and report.json."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from ssdcore.core.nested import leaves
from ssdcore.evaluation.named_table import Table
from ssdcore.report import words
from ssdcore.report.content import ReportContent
from ssdcore.report.labels import one_line, shortened, visible
from ssdcore.report.verdict import HEADINGS, verdict

WIDTH = 100
PROSE_WIDTH = 80
"""Width of sentences, which `make demo` prints on terminals of any width."""
NAME_WIDTH = 20
"""Width of the first column; longer names end in an ellipsis."""


def as_text(content: ReportContent) -> str:
    """Returns the report as plain text, a heading and a table for each listed table."""
    parts = [
        ("", _verdict(content)),
        *((table.title, _table(table)) for table in content.listed if table.rows),
        ("Parameters", _facts((key, words.setting(v)) for key, v in leaves(content.params))),
        ("How to reproduce", [*content.commands, "", *_facts(content.environment.items())]),
    ]
    title = shortened(one_line(content.title), WIDTH)
    lines = [title, "=" * len(title), *_wrapped("", " · ".join(content.about))]
    for heading, body in parts:
        if heading:
            lines += ["", heading, "-" * len(heading)]
        lines += body
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def as_data(content: ReportContent) -> dict[str, Any]:
    """Returns the page's content in plain JSON types, without images and long curves."""
    return {
        "title": content.title,
        "made": content.made,
        "verdict": {
            part: [one_line(sentence) for sentence in sentences]
            for part, sentences in verdict(content)._asdict().items()
        },
        "metrics": content.metrics,
        "tables": {table.name: table.records() for table in content.listed},
        "params": content.params,
        "environment": content.environment,
        "commands": list(content.commands),
    }


def _verdict(content: ReportContent) -> Iterator[str]:
    for heading, sentences in zip(HEADINGS, verdict(content), strict=True):
        if sentences:
            yield from ("", heading)
        for sentence in sentences:
            yield from _wrapped("  - ", sentence)


def _table(table: Table) -> list[str]:
    """Returns the note and as many columns as fit, text on the left and numbers on the right."""
    lines = _wrapped("", table.note) if table.note else []
    cells: list[list[str]] = []
    for column, values in zip(table.columns, zip(*table.rows, strict=True), strict=True):
        if not column.listed:
            continue
        texts = [column.heading, *(words.cell(column, value) for value in values)]
        texts = [one_line(visible(text)) for text in texts]
        if not cells:
            texts = [shortened(text, NAME_WIDTH) for text in texts]
        width = max(map(len, texts))
        left = column.format in ("text", "outcome")
        texts = [text.ljust(width) if left else text.rjust(width) for text in texts]
        if sum(len(one[0]) + 2 for one in cells) + width > WIDTH:
            break
        cells.append(texts)
    return [*lines, *("  ".join(row) for row in zip(*cells, strict=True))]


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for key, value in facts:
        yield from _wrapped(f"{shortened(one_line(key), 34):<35}", value)


def _wrapped(start: str, text: str) -> list[str]:
    """Returns the text after `start` in lines, the further ones indented as far."""
    lines = textwrap.wrap(
        one_line(text),
        PROSE_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )
    return lines or [start]
