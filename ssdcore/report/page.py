"""The report on one run: its content, charts and template made one HTML file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ssdcore.core.nested import leaves
from ssdcore.evaluation.analysis import Analysis
from ssdcore.report import charts, curves, evaluation_charts, words
from ssdcore.report.content import GalleryImage, ReportContent
from ssdcore.report.document import render_document
from ssdcore.report.gallery import FAINTEST
from ssdcore.report.plotting import fragment
from ssdcore.report.verdict import verdict

SHOWN_WIDTH, SHOWN_HEIGHT = 420, 330  # CSS pixels that an image of the gallery fills at most


def render(content: ReportContent) -> str:
    """Returns the report as one HTML document, the same text for the same content.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    analysis = content.analysis
    return render_document(
        "report",
        content=content,
        analysis=analysis,
        figures=content.metrics.get("bbox", {}),
        verdict=verdict(content.metrics, analysis, content.history, content.splits),
        unjudged=[one.name for one in analysis.classes if not words.defined(one.AP)],
        meanings=words.COCO_FIGURES,
        variations=words.variations(content.strengths),
        params=_sections(content.params),
        charts=_charts(content),
        kinds=_kinds_shown(content.gallery),
        kind_names=words.KIND_NAMES,
        kind_meanings=words.KIND_MEANINGS,
        glyphs=words.GLYPHS,
        galleries=_galleries_shown(content.gallery),
        score_curves=_score_curves(analysis) if content.gallery else None,
        faintest=min(FAINTEST, content.score_threshold),
        sizes=[*zip(words.sizes(analysis.sizes), analysis.sizes, strict=True)],
        shares=[*zip(words.shares(analysis.shares), analysis.shares, strict=True)],
        shown_size=_shown_size,
        outcome_counts=_outcome_counts,
    )


def _charts(content: ReportContent) -> dict[str, Markup]:
    """Returns the page's charts by name, without those that have nothing to show."""
    return {
        **_charts_of_classes(content),
        **_charts_of_judgement(content.analysis),
        **_charts_of_training(content),
        **_charts_of_data(content),
    }


def _charts_of_classes(content: ReportContent) -> dict[str, Markup]:
    judged = [one for one in content.analysis.classes if words.defined(one.AP)]
    if not judged:
        return {}
    height = charts.rows_height_px(len(judged))
    return {
        "ap_by_class": fragment(charts.ap_by_class(judged), "AP and AP50 of each class", height)
    }


def _charts_of_judgement(analysis: Analysis) -> dict[str, Markup]:
    found: dict[str, Markup] = {}
    if any(one.count for one in analysis.errors):
        drawing = evaluation_charts.error_costs(analysis)
        found["errors"] = fragment(drawing, "what each kind of error costs in AP50", 260)
    if any(any(row) for row in analysis.confusion.counts):
        drawing = evaluation_charts.confusion(analysis.confusion)
        rows = len(analysis.confusion.counts)
        height = min(760, 200 + 36 * rows)
        found["confusion"] = fragment(drawing, "what objects are against what was said", height)
    if any(words.defined(one.AP) for one in analysis.classes):
        drawing = evaluation_charts.precision_over_recall(analysis)
        found["precision_recall"] = fragment(drawing, "precision over recall by class", 360)
        drawing = evaluation_charts.f1_over_score(analysis)
        found["f1"] = fragment(drawing, "F1 over the score threshold by class", 360)
    if any(one.detections for one in analysis.calibration.bins):
        drawing = evaluation_charts.calibration(analysis.calibration)
        found["calibration"] = fragment(drawing, "share of correct detections over scores", 300)
    for key, bins, labels in (
        ("sizes", analysis.sizes, words.sizes(analysis.sizes)),
        ("shares", analysis.shares, words.shares(analysis.shares)),
    ):
        if any(one.objects for one in bins):
            drawing = evaluation_charts.figures_by_size(bins, labels)
            found[key] = fragment(drawing, "AP and AP50 by size of the object", 280)
    return found


def _charts_of_training(content: ReportContent) -> dict[str, Markup]:
    history = content.history
    found: dict[str, Markup] = {}
    if history.step:
        found["loss"] = fragment(curves.loss(history), "training loss over steps", 360)
        found["learning_rate"] = fragment(curves.learning_rate(history), "learning rate", 240)
        found["speed"] = fragment(curves.speed(history), "training speed over steps", 240)
    if any(value is not None for value in history.val_ap):
        found["validation"] = fragment(curves.validation(history), "validation AP over steps")
    return found


def _charts_of_data(content: ReportContent) -> dict[str, Markup]:
    splits = content.splits
    names = {name for split in splits for name in split.objects_by_class}
    found: dict[str, Markup] = {}
    if names:
        drawing = charts.objects_by_class(splits)
        height = charts.rows_height_px(len(names))
        found["objects"] = fragment(drawing, "number of objects by class and split", height)
    if any(len(split.box_sizes) for split in splits):
        drawing = charts.box_sizes(splits, content.default_box_scales)
        found["box_sizes"] = fragment(drawing, "sizes of boxes by split", 360)
    return found


def _kinds_shown(gallery: Sequence[GalleryImage]) -> dict[str, str]:
    """Returns the kinds of boxes that can be filtered by, with their names."""
    ignored = any(one.kind == "ignored" for image in gallery for one in image.detections)
    return {key: name for key, name in words.KIND_NAMES.items() if key != "ignored" or ignored}


def _galleries_shown(gallery: Sequence[GalleryImage]) -> dict[str, str]:
    """Returns the galleries that have an image, with their names."""
    present = {key for image in gallery for key in image.galleries}
    return {key: name for key, name in words.GALLERY_NAMES.items() if key in present}


def _score_curves(analysis: Analysis) -> Markup:
    """Returns precision, recall and F1 at 101 thresholds by label, all classes under ""."""
    labels = {one.name: str(label) for label, one in enumerate(analysis.classes, start=1)}
    data = {
        "" if curve.name is None else labels[curve.name]: [
            [None if value is None else round(value, 3) for value in values]
            for values in (curve.precision, curve.recall, curve.f1)
        ]
        for curve in analysis.score_curves
    }
    return Markup(htmlsafe_json_dumps(data))


def _shown_size(image: GalleryImage) -> tuple[int, int]:
    """Returns the width and height in CSS pixels at which an image shows, if there is room."""
    scale = min(SHOWN_WIDTH / image.width, SHOWN_HEIGHT / image.height)
    return max(1, round(scale * image.width)), max(1, round(scale * image.height))


def _outcome_counts(image: GalleryImage, score_threshold: float) -> str:
    """Says what became of an image's objects and detections: 3 correct · 1 missed."""
    counts = Counter(one.kind for one in image.detections if one.score >= score_threshold)
    counts["missed"] = sum(one.missed for one in image.objects)
    return " · ".join(
        f"{counts[kind]} {name}" for kind, name in words.KIND_NAMES.items() if counts[kind]
    )


def _sections(params: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Returns (dotted key, value) pairs by section; values outside a section come first."""
    loose = {key: value for key, value in params.items() if not isinstance(value, Mapping)}
    sections: dict[str, Mapping[str, Any]] = {"": loose} if loose else {}
    sections |= {key: value for key, value in params.items() if isinstance(value, Mapping)}
    return {
        name: [(key, words.setting(value)) for key, value in leaves(section)]
        for name, section in sections.items()
    }
