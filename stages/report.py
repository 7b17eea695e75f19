"""Renders the page on data, training and results, or on several revisions: report/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from ssdcore.params.schema import Params, ReportParams

Compare = Annotated[
    list[str] | None,
    typer.Option(
        metavar="REV...",
        help="Render report/compare.html instead, on these revisions: experiments, "
        "tags, branches, commits or `workspace`. A single one is compared with the workspace.",
    ),
]
Further = Annotated[
    list[str] | None, typer.Argument(metavar="REV", help="More revisions for --compare.")
]


def main(
    params: ParamsOption = DEFAULT_PARAMS, compare: Compare = None, further: Further = None
) -> None:
    """Render one HTML page on the data, the training and the results."""
    from ssdcore.params.reader import read_params

    settings = read_params(params)
    if compare or further:
        _compare(compare, further or [], settings.report)
        return
    with writing_outs("report"):
        _report(settings)


def _report(settings: Params) -> None:
    from ssdcore.core.files import replacing_folder, sha256_of_file, write_json, write_text
    from ssdcore.report.drawing import encode_jpeg
    from ssdcore.report.gather import gather
    from ssdcore.report.page import render
    from ssdcore.report.text import as_data, as_text
    from ssdcore.tracking import tracked

    content, examples = gather(settings)
    with replacing_folder(layout.GALLERY) as gallery:
        for image_id, rgb in examples:
            (gallery / f"{image_id:06}.jpg").write_bytes(encode_jpeg(rgb))
    write_text(layout.REPORT_PAGE, render(content))
    write_json(layout.REPORT_JSON, as_data(content))
    write_text(layout.REPORT_TEXT, as_text(content))
    with tracked(
        "report",
        params=settings.model_dump(mode="json"),
        experiment=settings.tracking.experiment,
        model_sha256=sha256_of_file(layout.BEST_CHECKPOINT),
        enabled=settings.tracking.enabled,
    ) as tracker:
        for file in (layout.REPORT_PAGE, layout.REPORT_JSON, layout.REPORT_TEXT):
            tracker.log_artifact(file)
    say(f"report → {layout.REPORT_PAGE.resolve()}")


def _compare(compare: list[str] | None, further: list[str], wanted: ReportParams) -> None:
    if not compare:
        raise InputError("the command line", " ".join(further), "options", "Put --compare first")

    from ssdcore.core.files import write_text
    from ssdcore.report.comparison.compare import compare_revisions

    names = [*compare, *further]
    page = compare_revisions(names, wanted.images, wanted.score_threshold)
    write_text(layout.COMPARISON_PAGE, page)
    say(f"{', '.join(names)} → {layout.COMPARISON_PAGE.resolve()}")


app = command(main)

if __name__ == "__main__":
    run(app)
