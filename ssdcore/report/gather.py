"""Gathers the report's content from the files of the stages before it."""

from datetime import datetime

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import read_results
from ssdcore.core import layout
from ssdcore.core.files import read_json
from ssdcore.core.nested import in_use
from ssdcore.data.manifest import image_folder
from ssdcore.data.preprocess import NetworkInput
from ssdcore.evaluation.label_errors import NAME as LABEL_ERRORS
from ssdcore.evaluation.tables import read_tables
from ssdcore.params.schema import Params
from ssdcore.report.content import ReportContent
from ssdcore.report.environment import commands_to_repeat, describe_environment
from ssdcore.report.examples import (
    Example,
    draw_examples,
    draw_same_images,
    draw_suspects,
    draw_variations,
)
from ssdcore.report.gallery import gallery_images
from ssdcore.report.split_images import SplitImages
from ssdcore.report.tables import (
    REMARK,
    SAME_IMAGES,
    SplitData,
    data_tables,
    loss_rise,
    training_tables,
)

FIGURES = {SAME_IMAGES: draw_same_images, LABEL_ERRORS: draw_suspects}
"""What draws the images of a table, by its name."""


def gather(settings: Params) -> tuple[ReportContent, list[Example]]:
    """Reads the files of data, training and evaluation, and draws the images.

    Returns:
        The content of the page, and the images of report/gallery with their boxes drawn.

    Raises:
        InputError: a file has another format than its stage writes, or an image has changed since
            convert.
    """
    wanted = settings.report
    names = layout.splits()
    truth = {name: read_coco(layout.ground_truth(name)) for name in names}
    conversion = {name: read_json(layout.conversion(name))[name] for name in names}
    sources = {name: read_json(layout.source(name))["splits"][name] for name in names}
    metrics, validation = map(read_json, (layout.EVALUATE_METRICS, layout.VALIDATION_METRICS))
    environment = describe_environment(metrics["device"], sources)
    model, network_input = settings.model, NetworkInput.of(settings.model)
    splits = {name: SplitData(truth[name], conversion[name]) for name in names}
    history = layout.HISTORY.read_text(encoding="utf-8")
    tables = [
        *read_tables().values(),
        *training_tables(history, metrics.get(REMARK, "")),
        *data_tables(splits, model.layout, model.default_box_scales, network_input),
    ]
    by_name = {table.name: table for table in tables}
    chosen = wanted.score_threshold
    threshold = metrics["threshold"] if chosen is None else chosen
    results = read_results(layout.PREDICTIONS)
    images = {
        name: SplitImages(
            truth[name],
            image_folder(layout.source(name), name),
            {file["file_name"] for file in conversion[name]["skipped_files"]},
        )
        for name in names
    }
    evaluated = images[metrics.get("split", "val")]
    strengths = settings.train.augment
    content = ReportContent(
        title=f"SSD{model.input_size} on {settings.dataset.name}",
        made=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        params=in_use(settings.model_dump(mode="json")),
        environment=environment,
        metrics=metrics,
        validation=validation,
        tables=by_name,
        gallery=gallery_images(evaluated, results, wanted.images, threshold),
        score_threshold=threshold,
        strengths=strengths,
        variations=list(draw_variations(images["train"], strengths, network_input)),
        commands=commands_to_repeat(environment),
        rise=loss_rise(history),
        figures={
            name: list(draw(images, by_name[name]))
            for name, draw in FIGURES.items()
            if name in by_name
        },
    )
    examples = draw_examples(evaluated, results, wanted.images, threshold)
    return content, list(examples)
