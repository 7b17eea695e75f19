"""Gathers what the report shows from the files that the stages before it left."""

import json
from typing import NamedTuple

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import read_results
from ssdcore.core import layout
from ssdcore.data.manifest import image_folder
from ssdcore.evaluation.analysis import Analysis
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.params.schema import Params
from ssdcore.report.content import History, ReportContent
from ssdcore.report.examples import Example, draw_examples, draw_variations
from ssdcore.report.gallery import at_a_step, gallery_images
from ssdcore.report.split_images import SplitImages
from ssdcore.report.summaries import commands_to_repeat, describe_environment, summarise_split


class Gathered(NamedTuple):
    """All that the page says, and the images that go beside it."""

    content: ReportContent
    examples: list[Example]


def gather(settings: Params) -> Gathered:
    """Reads the data's, the training's and the evaluation's files, and draws the images.

    Raises:
        InputError: a file is not what its stage writes, or an image not what convert found.
    """
    wanted = settings.report
    splits = {name: read_coco(layout.annotations(name)) for name in layout.SPLITS}
    conversion = json.loads(layout.CONVERSION.read_text(encoding="utf-8"))
    skipped = {
        name: {file["file_name"] for file in conversion[name]["skipped_files"]}
        for name in layout.SPLITS
    }
    analysis = Analysis.read_json(layout.ANALYSIS)
    chosen = wanted.score_threshold
    threshold = at_a_step(analysis.threshold if chosen is None else chosen)
    results = read_results(layout.PREDICTIONS)
    images = {
        name: SplitImages(splits[name], image_folder(layout.SOURCE, name), skipped[name])
        for name in layout.SPLITS
    }
    strengths = settings.train.augment
    metrics = json.loads(layout.EVALUATE_METRICS.read_text(encoding="utf-8"))
    source = json.loads(layout.SOURCE.read_text(encoding="utf-8"))
    environment = describe_environment(metrics["device"], source)
    scales = settings.model.default_box_scales
    content = ReportContent(
        title=f"SSD300 on {settings.dataset.name}",
        params=settings.model_dump(mode="json"),
        environment=environment,
        history=History.read_csv(layout.HISTORY),
        metrics=metrics,
        analysis=analysis,
        splits=[
            summarise_split(name, splits[name], conversion[name], default_boxes(scales))
            for name in layout.SPLITS
        ],
        default_box_scales=scales,
        gallery=gallery_images(images["val"], results, wanted.images, threshold),
        score_threshold=threshold,
        strengths=strengths,
        variations=list(draw_variations(images["train"], strengths)),
        commands=commands_to_repeat(environment),
    )
    examples = draw_examples(images["val"], results, wanted.images, threshold)
    return Gathered(content, list(examples))
