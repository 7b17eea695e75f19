"""The report on one run: content, charts and template as one HTML file."""

import re
from collections import Counter
from collections.abc import Sequence

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ssdcore.core.nested import leaves
from ssdcore.evaluation import outcomes
from ssdcore.evaluation.named_table import Table
from ssdcore.report import words
from ssdcore.report.charts import chart
from ssdcore.report.content import GalleryImage, ReportContent
from ssdcore.report.document import render_document
from ssdcore.report.gallery import FAINTEST, GALLERIES
from ssdcore.report.tables import DATA, TRAINING
from ssdcore.report.verdict import HEADINGS, Verdict, verdict

GLYPHS = {
    "correct": "✓",
    "class": "≠",
    "localisation": "≈",
    "both": "≉",
    "duplicate": "2×",
    "background": "✗",
    "ignored": "∘",
    "missed": "?",
    "truth": "·",
}
"""Glyphs before the label of a box, which distinguish kinds without colours."""
CURVES = ("precision", "recall", "f1")


def render(content: ReportContent) -> str:
    """Returns the report as one HTML document, the same text for the same content.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    return render_document(
        "report",
        content=content,
        sections=_sections([*content.tables.values()]),
        chart=chart,
        groups=_groups,
        verdict=zip(HEADINGS, _below_the_figures(content), strict=True),
        params={
            name: {key: words.setting(value) for key, value in leaves(section)}
            for name, section in content.params.items()
        },
        kinds=_kinds_shown(content.gallery),
        meanings=outcomes.MEANINGS,
        glyphs=GLYPHS,
        galleries=_galleries_shown(content.gallery),
        score_curves=_score_curves(content),
        faintest=min(FAINTEST, content.score_threshold),
        outcome_counts=_outcome_counts,
    )


def _sections(tables: Sequence[Table]) -> dict[str, tuple[str, list[Table]]]:
    """Returns the sections by id, with heading and tables; the template fills the others."""
    headings = dict.fromkeys(table.section for table in tables)
    of_evaluation = [heading for heading in headings if heading not in (TRAINING, DATA)]
    order = [
        "Result", "Images", *of_evaluation, TRAINING, "What training sees", DATA, "Parameters",
        "Reproduce",
    ]  # fmt: skip
    return {
        re.sub(r"[^a-z0-9]+", "-", heading.lower()): (
            heading,
            [table for table in tables if table.section == heading],
        )
        for heading in order
    }


def _below_the_figures(content: ReportContent) -> Verdict:
    """Returns the verdict without its first sentence, which repeats the figures above it."""
    found = verdict(content)
    return found._replace(good=found.good[1:]) if len(found.good) > 1 else found


def _groups(table: Table) -> list[str]:
    """Returns the lines of a chart that a reader can pick, by their index."""
    if not (table.chart and table.chart.by):
        return []
    groups = dict.fromkeys(table.values(table.chart.by))
    return [group for group in groups if group != table.chart.main]


def _kinds_shown(gallery: Sequence[GalleryImage]) -> dict[str, str]:
    """Returns the kinds of boxes to filter by, with their names."""
    ignored = any(box.kind == "ignored" for image in gallery for box in image.boxes)
    return {key: name for key, name in outcomes.NAMES.items() if key != "ignored" or ignored}


def _galleries_shown(gallery: Sequence[GalleryImage]) -> dict[str, str]:
    """Returns the galleries that have an image, with their names."""
    present = {key for image in gallery for key in image.galleries}
    return {key: name for key, name in GALLERIES.items() if key in present}


def _score_curves(content: ReportContent) -> Markup:
    """Returns the thresholds, and precision, recall and F1 there by label, of all under "".

    The verdict has those of all classes at the threshold `said`.
    """
    labels = {name: str(label) for label, name in enumerate(content.classes, start=1)}
    table = content.tables["score_curves"]
    curves: dict[str, list[list[float | None]]] = {}
    for row in table.records():
        figures = (None if row[name] is None else round(row[name], 3) for name in CURVES)
        curves.setdefault(labels.get(row["class"], ""), []).append([*figures])
    scores = [*dict.fromkeys(table.values("score"))]
    said = content.metrics.get("threshold")
    return Markup(htmlsafe_json_dumps({"scores": scores, "curves": curves, "said": said}))


def _outcome_counts(image: GalleryImage, score_threshold: float) -> str:
    """Counts the outcomes of an image: 3 correct · 1 missed."""
    counts = Counter(
        box.kind for box in image.boxes if box.score is None or box.score >= score_threshold
    )
    return " · ".join(
        f"{counts[kind]} {name}" for kind, name in outcomes.NAMES.items() if counts[kind]
    )
