"""The report on one run: its content, charts and template made one HTML file."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ssdcore.nested import leaves
from ssdcore.report import charts, curves, words
from ssdcore.report.content import ReportContent
from ssdcore.report.document import render_document
from ssdcore.report.plotting import fragment


def render(content: ReportContent) -> str:
    """Returns the report as one HTML document, the same text for the same content.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    return render_document(
        "report",
        content=content,
        figures=content.metrics.get("bbox", {}),
        verdict=words.verdict(content.metrics, content.per_class),
        ranked=sorted(content.per_class, key=lambda one: -one.ap),
        unjudged=[one.name for one in content.per_class if not words.defined(one.ap)],
        meanings=words.COCO_FIGURES,
        variations=words.variations(content.strengths),
        params=_sections(content.params),
        charts=_charts(content),
    )


def _charts(content: ReportContent) -> dict[str, Markup]:
    """Returns the page's charts by name, without those that have nothing to show."""
    history, splits = content.history, content.splits
    judged = [one for one in content.per_class if words.defined(one.ap)]
    names = {name for split in splits for name in split.objects_by_class}
    found: dict[str, Markup] = {}
    if judged:
        drawing = charts.ap_by_class(judged)
        height = charts.rows_height_px(len(judged))
        found["ap_by_class"] = fragment(drawing, "AP and AP50 of each class", height)
    if history.step:
        found["loss"] = fragment(curves.loss(history), "training loss over steps", 360)
        found["learning_rate"] = fragment(curves.learning_rate(history), "learning rate", 240)
        found["speed"] = fragment(curves.speed(history), "training speed over steps", 240)
    if any(value is not None for value in history.val_ap):
        found["validation"] = fragment(curves.validation(history), "validation AP over steps")
    if names:
        drawing = charts.objects_by_class(splits)
        height = charts.rows_height_px(len(names))
        found["objects"] = fragment(drawing, "number of objects by class and split", height)
    if any(len(split.box_sizes) for split in splits):
        drawing = charts.box_sizes(splits, content.default_box_scales)
        found["box_sizes"] = fragment(drawing, "sizes of boxes by split", 360)
    return found


def _sections(params: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Returns (dotted key, value) pairs by section; values outside a section come first."""
    loose = {key: value for key, value in params.items() if not isinstance(value, Mapping)}
    sections: dict[str, Mapping[str, Any]] = {"": loose} if loose else {}
    sections |= {key: value for key, value in params.items() if isinstance(value, Mapping)}
    return {
        name: [(key, words.setting(value)) for key, value in leaves(section)]
        for name, section in sections.items()
    }
