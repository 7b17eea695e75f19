"""The page: one HTML file that needs no network.

Three things keep hostile names (of classes, files, parameters) harmless: Jinja escapes every
text, charts get theirs through `chart_text` and escaped JSON, and a content security policy
lets the browser run only the two scripts whose hashes it names and load nothing at all.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ssdcore.errors import InputError
from ssdcore.nested import leaves
from ssdcore.report import charts, curves, words
from ssdcore.report.content import ReportContent
from ssdcore.report.plotting import fragment, plotly_js

HERE = Path(__file__).parent
LARGEST_BYTES = 10_000_000  # what mail and code hosts still take, and a phone opens at once


def render(content: ReportContent) -> str:
    """Returns the report as one HTML document, the same text for the same content.

    Raises:
        InputError: the page would be larger than `LARGEST_BYTES`.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "score": words.score, "count": words.count, "percent": words.percent,
    }  # fmt: skip
    environment.tests["defined_figure"] = words.defined
    scripts = [plotly_js(), Markup((HERE / "page.js").read_text(encoding="utf-8"))]
    page = environment.get_template("page.html.jinja").render(
        content=content,
        figures=content.metrics.get("bbox", {}),
        verdict=words.verdict(content.metrics, content.per_class),
        ranked=sorted(content.per_class, key=lambda one: -one.ap),
        unjudged=[one.name for one in content.per_class if not words.defined(one.ap)],
        meanings=words.COCO_FIGURES,
        variations=words.variations(content.strengths),
        params=_sections(content.params),
        charts=_charts(content),
        base64=lambda data: base64.b64encode(data).decode("ascii"),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        scripts=scripts,
        policy=_policy(scripts),
    )
    page = page.encode("utf-8", "backslashreplace").decode("utf-8")  # file names may hold bytes
    if (size := len(page.encode("utf-8"))) > LARGEST_BYTES:
        raise InputError(
            "the report's size",
            f"{size / 1e6:.1f} MB, {len(content.gallery)} gallery pictures",
            f"at most {LARGEST_BYTES / 1e6:g} MB",
            "Show fewer or smaller pictures",
        )
    return page


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


def _policy(scripts: list[Markup]) -> str:
    """Returns the content security policy: nothing is fetched, only these scripts run."""
    digests = (hashlib.sha256(script.encode("utf-8")).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {hashes}"
    )
