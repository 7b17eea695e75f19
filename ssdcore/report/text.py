"""The page's figures for a terminal: report/report.txt, at most 100 columns wide."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from ssdcore.core.nested import leaves
from ssdcore.report import words
from ssdcore.report.content import ReportContent
from ssdcore.report.labels import one_line, shortened, visible
from ssdcore.report.verdict import verdict

WIDTH = 100
NAME_WIDTH = 20  # of the first column; longer names end in an ellipsis


def as_text(content: ReportContent) -> str:
    """Returns the report as plain text, a heading and a table for each part of the page."""
    parts = [
        ("", _verdict(content)),
        ("COCO figures", _coco(content)),
        ("Classes", _classes(content)),
        ("Errors", _errors(content)),
        ("Sizes", _sizes(content)),
        ("Training", _training(content)),
        ("Data set", _data(content)),
        ("Parameters", _facts((key, words.setting(v)) for key, v in leaves(content.params))),
        ("How to reproduce", [*content.commands, "", *_facts(content.environment.items())]),
    ]
    title = shortened(one_line(content.title), WIDTH)
    lines = [title, "=" * len(title)]
    for heading, body in parts:
        shown = list(body)
        if shown and heading:
            lines += ["", heading, "-" * len(heading)]
        lines += shown
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _verdict(content: ReportContent) -> Iterator[str]:
    said = verdict(content.metrics, content.analysis, content.history, content.splits)
    headings = ("How good it is", "Where it fails", "What to do next")
    for heading, sentences in zip(headings, said, strict=True):
        if sentences:
            yield from ("", heading)
        for sentence in sentences:
            yield from _wrapped("  - ", sentence)


def _coco(content: ReportContent) -> Iterator[str]:
    figures = content.metrics.get("bbox", {})
    names = list(words.COCO_FIGURES)
    for row in (names[:6], names[6:]):
        yield "".join(f"{name:>6} {words.score(figures.get(name)):<7}" for name in row)


def _classes(content: ReportContent) -> list[str]:
    threshold = words.score(content.analysis.threshold)
    head = ("class", "objects", "AP", "AP50", "AR100", f"found@{threshold}", "not", "wrong",
            "score", "F1")  # fmt: skip
    rows = [
        (one.name, words.count(one.objects), *map(words.score, (one.AP, one.AP50, one.AR100)),
         *map(words.count, (one.correct, one.missed, one.invented)),
         *map(words.score, (one.threshold, one.f1)))
        for one in content.analysis.classes
    ]  # fmt: skip
    return _table(head, rows)


def _errors(content: ReportContent) -> list[str]:
    ranked = sorted(content.analysis.errors, key=lambda one: -one.AP50_cost)
    rows = [
        (words.KIND_NAMES[one.kind], words.score(one.AP50_cost), words.count(one.count))
        for one in ranked
    ]
    return _table(("error", "costs AP50", "times"), rows)


def _sizes(content: ReportContent) -> list[str]:
    analysis = content.analysis
    labels = [*words.sizes(analysis.sizes), *words.shares(analysis.shares)]
    rows = [
        (label, words.count(one.objects), *map(words.score, (one.AP, one.AP50, one.recall)))
        for label, one in zip(labels, [*analysis.sizes, *analysis.shares], strict=True)
        if one.objects
    ]
    return _table(("size", "objects", "AP", "AP50", "recall"), rows)


def _training(content: ReportContent) -> Iterator[str]:
    history = content.history
    if history.step:
        epochs = f"{round(history.epoch[-1], 2):g}"
        yield f"{words.count(history.step[-1])} steps, {epochs} epochs, loss {history.loss[-1]:.3f}"
    rows = [
        (words.count(step), f"{epoch:.2f}", words.score(ap), words.score(ap50))
        for step, epoch, ap, ap50 in zip(
            history.step, history.epoch, history.val_ap, history.val_ap50, strict=True
        )
        if ap is not None
    ]
    yield from _table(("step", "epoch", "AP", "AP50"), rows)


def _data(content: ReportContent) -> list[str]:
    rows = [
        (split.name, words.count(split.images), words.count(sum(split.objects_by_class.values())),
         words.count(split.crowd), words.count(sum(split.skipped.values())),
         words.count(sum(split.dropped.values())), words.percent(split.fitted))
        for split in content.splits
    ]  # fmt: skip
    head = ("split", "images", "objects", "crowds", "skipped", "dropped boxes", "fitted")
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns lines with the first column on the left and the others under their headings."""
    if not rows:
        return []
    names = [shortened(one_line(visible(row[0])), NAME_WIDTH) for row in rows]
    first = max(map(len, (head[0], *names)))
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][1:]
    return [
        "  ".join(
            [f"{name:<{first}}", *(f"{cell:>{w}}" for cell, w in zip(cells, widths, strict=True))]
        )
        for name, cells in (
            (head[0], head[1:]),
            *zip(names, (row[1:] for row in rows), strict=True),
        )
    ]


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    for key, value in facts:
        yield from _wrapped(f"{shortened(one_line(key), 34):<35}", value)


def _wrapped(start: str, text: str) -> list[str]:
    """Returns the text in lines, each as far to the right as `start` ends in the first."""
    indent = " " * len(start)
    lines = textwrap.wrap(
        one_line(text),
        WIDTH,
        initial_indent=start,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return lines or [start]
