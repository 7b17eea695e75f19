"""Renders the page on data, training and results: report/."""

import json

from ssdcore import layout
from ssdcore.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.params_file import read_params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Render one HTML page on the data, the training and the results."""
    settings = read_params(params)
    wanted = settings.report

    from ssdcore.data.augment import Strengths
    from ssdcore.data.coco import read_coco
    from ssdcore.data.sources.record import image_folder
    from ssdcore.files import replacing_folder, sha256_of_file, write_text
    from ssdcore.geometry.default_boxes import default_boxes
    from ssdcore.report.content import History, ReportContent
    from ssdcore.report.page import render
    from ssdcore.report.pictures import draw_gallery, encoded
    from ssdcore.report.summaries import (
        commands_to_repeat,
        describe_environment,
        read_per_class,
        summarise_split,
    )
    from ssdcore.report.variations import draw_variations
    from ssdcore.tracking import tracked

    splits = {name: read_coco(layout.annotations(name)) for name in layout.SPLITS}
    conversion = json.loads(layout.CONVERSION.read_text(encoding="utf-8"))
    skipped = {
        name: {file["file_name"] for file in conversion[name]["skipped_files"]}
        for name in layout.SPLITS
    }
    drawn = list(
        draw_gallery(
            splits["val"],
            json.loads(layout.PREDICTIONS.read_text(encoding="utf-8")),
            image_folder(layout.SOURCE, "val"),
            skipped["val"],
            wanted.pictures,
            wanted.score_threshold,
        )
    )
    pictures = [encoded(one) for one in drawn]
    strengths = Strengths(**settings.train.augment.model_dump())
    folder = image_folder(layout.SOURCE, "train")
    variations = list(draw_variations(splits["train"], folder, skipped["train"], strengths))
    metrics = json.loads(layout.EVALUATE_METRICS.read_text(encoding="utf-8"))
    scales = settings.model.default_box_scales
    environment = describe_environment(metrics["device"])
    content = ReportContent(
        title=f"SSD300 on {settings.dataset.name}",
        params=settings.model_dump(mode="json"),
        environment=environment,
        history=History.read_csv(layout.HISTORY),
        metrics=metrics,
        per_class=read_per_class(layout.PER_CLASS),
        splits=[
            summarise_split(name, splits[name], conversion[name], default_boxes(scales))
            for name in layout.SPLITS
        ],
        default_box_scales=scales,
        gallery=pictures,
        strengths=strengths,
        variations=variations,
        commands=commands_to_repeat(environment),
    )
    with replacing_folder(layout.GALLERY) as gallery:
        for number, picture in enumerate(pictures):
            (gallery / f"{number:02}.jpg").write_bytes(picture.jpeg)
    write_text(layout.REPORT_PAGE, render(content))
    with tracked(
        "report",
        params=settings.model_dump(mode="json"),
        experiment=settings.tracking.experiment,
        model_sha256=sha256_of_file(layout.BEST_CHECKPOINT),
        enabled=settings.tracking.enabled,
    ) as tracker:
        tracker.log_artifact(layout.REPORT_PAGE)
        for number, one in enumerate(drawn):
            tracker.log_image(one.rgb, f"gallery/{number:02}")
    print(f"report → {layout.REPORT_PAGE.resolve()}")


if __name__ == "__main__":
    run(main)
