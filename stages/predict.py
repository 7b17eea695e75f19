"""Detects objects in photos and videos. A command for users; not a stage of the DVC pipeline.

Exit status: 0 success; 1 some inputs can't be used, and are named; 2 there is no input, or an
argument names nothing; 75 stopped by a signal.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError
from ssdcore.core.messages import counted, say

if TYPE_CHECKING:
    from ssdcore.params.schema import Params

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE_OR_FOLDER…", help="Images, folders of them, videos, or patterns."
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="A checkpoint, an exported .onnx file, REVISION:model/best.ckpt, models:/NAME@ALIAS "
        "or runs:/RUN/model/best.ckpt.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="Folder for images, videos and predictions.json.")]
Score = Annotated[
    float | None,
    typer.Option(
        "--score",
        help="Minimum score of a box, from 0 to 1 "
        "[report.score_threshold or the model's, of its best F1].",
    ),
]
Classes = Annotated[
    list[str] | None, typer.Option("--classes", help="A class to keep; may be repeated [all].")
]
Tile = Annotated[
    int | None,
    typer.Option(
        "--tile",
        metavar="SIDE",
        min=0,
        help="Cut larger images into overlapping tiles of so many pixels a side; 0: don't "
        "[evaluate.tile].",
    ),
]
DeviceName = Annotated[
    str | None, typer.Option("--device", help="auto, Ascend, GPU or CPU [runtime.device].")
]
Csv = Annotated[bool, typer.Option("--csv", help="Also write predictions.csv.")]
AllowUrl = Annotated[bool, typer.Option("--allow-url", help="Allow web addresses of images.")]
Camera = Annotated[
    int | None, typer.Option("--camera", min=0, help="Number of a camera; stops at Ctrl-C.")
]
Seconds = Annotated[
    float | None, typer.Option("--seconds", help="Stop the camera after this many seconds.")
]


def main(
    inputs: Inputs = None,
    model: Model = str(layout.BEST_CHECKPOINT),
    out: Out = Path("predictions"),
    score: Score = None,
    classes: Classes = None,
    tile: Tile = None,
    device: DeviceName = None,
    csv: Csv = False,
    allow_url: AllowUrl = False,
    camera: Camera = None,
    seconds: Seconds = None,
    params: ParamsOption = DEFAULT_PARAMS,
) -> None:
    """Detect objects in images: draw them, and write predictions.json in COCO's format.

    Without a params.yaml, default thresholds apply.

    Exit status: 0 success, 1 some inputs are unreadable, 2 no input, 75 stopped by a signal.
    """
    from ssdcore.params.reader import read_params
    from ssdcore.params.types import MIN_TILE, Device

    is_there = params.exists() or params != DEFAULT_PARAMS
    settings = read_params(params) if is_there else _defaults()
    wanted, runtime = settings.evaluate, settings.runtime
    if device not in (None, *get_args(Device)):
        raise InputError("--device", device, ", ".join(get_args(Device)))
    if score is not None and not 0 <= score <= 1:  # NaN, too
        raise InputError("--score", score, "a number from 0 to 1")
    if tile and tile < MIN_TILE:
        raise InputError("--tile", tile, f"0, or {MIN_TILE} or more")
    if seconds is not None and camera is None:
        raise InputError("--seconds", seconds, "--camera as well")
    if seconds is not None and not seconds > 0:
        raise InputError("--seconds", seconds, "a number greater than 0")

    from ssdcore.prediction.inputs import find_inputs

    found = find_inputs(inputs or [], out, allow_url=allow_url, camera=camera)

    from ssdcore.coco.operating_point import UNMEASURED_SCORE
    from ssdcore.core.files import require_writable
    from ssdcore.core.signals import Signals
    from ssdcore.inference.decode import Thresholds
    from ssdcore.prediction.model_source import load_detector, model_file
    from ssdcore.prediction.predictor import Predictor
    from ssdcore.prediction.results import writing_results

    with model_file(model) as file:
        detector = load_detector(
            file,
            wanted.batch_size,
            runtime.workers,
            cast(Device, device or runtime.device),
            device_is_required=device is not None,
        )
    names = [one.name for one in detector.classes]
    if unknown := [name for name in classes or () if name not in names]:
        remedy = "Repeat the option for each class" if "," in unknown[0] else ""
        raise InputError("--classes", unknown[0], f"one of {', '.join(names)}", remedy)
    labels = [names.index(name) + 1 for name in classes or names]
    least = detector.least_score if score is None else 0  # --score is refused, not raised
    if score is None:
        score = settings.report.score_threshold
    if score is None and detector.score_threshold:
        score = detector.score_threshold.score
    if score is None:
        score = max(UNMEASURED_SCORE, least)
        say(f"{model} carries no score threshold: boxes from {score} on are shown; see --score")
    elif score < least:
        score = least
        say(f"{model} has no boxes below a score of {score:g}: boxes from there on are shown")
    thresholds = Thresholds.of(wanted, score)

    require_writable(out, "--out")
    with writing_results(out, detector.classes, table=csv) as results, Signals() as signals:
        predictor = Predictor(
            detector, thresholds, labels, out, results, runtime.workers, signals,
            wanted.tile if tile is None else tile or None,
        )  # fmt: skip
        predictor.predict_photos([one for one in found if not one.is_video])
        for video in found:
            if video.is_video:
                predictor.predict_video(video)
        if camera is not None:
            predictor.predict_camera(camera, seconds)
    has_none = results.photos and not results.boxes
    say(
        f"{counted(results.boxes, 'box', 'boxes')} in {counted(results.photos, 'image')} → {out}"
        + (f"; none has a score of {score:.3g} or more, see --score" if has_none else "")
        + (f"; {len(results.broken)} can't be used" if results.broken else "")
    )
    if results.broken:
        sys.exit(1)


def _defaults() -> Params:
    """Returns the parameters where there is no params.yaml."""
    from ssdcore.params.schema import EvaluateParams, Params, ReportParams, RuntimeParams

    return Params.model_construct(
        evaluate=EvaluateParams.model_construct(
            batch_size=4, score_threshold=0.01, nms_iou=0.45, max_detections=100,
            max_per_class=None, max_candidates=None, tile=None,
        ),
        report=ReportParams.model_construct(score_threshold=None),
        runtime=RuntimeParams.model_construct(device="auto", workers=2),
    )  # fmt: skip


app = command(main)

if __name__ == "__main__":
    run(app)
