"""The page that compares candidates: their rows, charts and images in its template."""

from collections.abc import Sequence

from markupsafe import Markup

from ssdcore.report.comparison.candidate import Candidate
from ssdcore.report.comparison.differences import COCO, class_rows, figure_groups, parameter_rows
from ssdcore.report.comparison.images import ComparedImage
from ssdcore.report.comparison.overlays import overlay, style
from ssdcore.report.document import render_document
from ssdcore.report.plotting import fragment
from ssdcore.report.words import COCO_FIGURES

CHARTS = {
    "loss": "training loss over steps, a line a revision",
    "val_AP": "validation AP over steps, a line a revision",
    "precision": "precision over recall, a line a revision",
    "f1": "F1 over the score threshold, a line a revision",
}


def render_comparison(
    candidates: Sequence[Candidate], images: Sequence[ComparedImage], remark: str = ""
) -> str:
    """Returns the comparison as one HTML document, the same text for the same content.

    Args:
        candidates: what is compared, all with the first.
        images: in the order to show.
        remark: why there are none.

    Raises:
        InputError: the page would be too large to open on a phone.
    """
    groups = figure_groups(candidates)
    figures = {row.label: row for row in groups.get(COCO, [])}
    return render_document(
        "compare",
        title=f"{len(candidates)} revisions compared",
        candidates=candidates,
        colours=[style(place)["color"] for place in range(len(candidates))],
        facts={key: [one.facts.get(key, "") for one in candidates] for key in _facts(candidates)},
        same_data=len({one.data for one in candidates}) == 1,
        parameters=parameter_rows(candidates),
        groups=groups,
        ap=figures.get("AP"),
        meanings=COCO_FIGURES,
        classes=class_rows(candidates),
        charts=_charts(candidates),
        images=images,
        remark=remark,
    )


def _facts(candidates: Sequence[Candidate]) -> list[str]:
    """Returns the facts that some candidate knows, in their order."""
    keys = dict.fromkeys(key for one in candidates for key in one.facts)
    return [key for key in keys if any(one.facts.get(key) for one in candidates)]


def _charts(candidates: Sequence[Candidate]) -> dict[str, Markup]:
    """Returns the charts by name, without those that no candidate has a line for."""
    drawings = {key: overlay(candidates, key) for key in CHARTS}
    return {key: fragment(drawn, CHARTS[key]) for key, drawn in drawings.items() if drawn}
