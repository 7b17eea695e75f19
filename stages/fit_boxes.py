"""Fits the default boxes to the training objects. A command for people, not a pipeline stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from ssdcore.data.preprocess import NetworkInput
    from ssdcore.geometry.boxes import Boxes

REMEDY = "Run dvc repro convert first"


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Propose default boxes that fit the objects of the converted training split.

    Prints the share of objects with a default box of IoU 0.5 or more, now and with the proposal,
    and the options that set the proposed scales and aspect ratios. Changes no file.
    """
    from ssdcore.params.reader import read_params

    model = read_params(params).model
    if not layout.CONVERSION.is_file():
        raise InputError(str(layout.CONVERSION), "no file", "the converted data set", REMEDY)

    from ssdcore.coco.metrics import SIZES_PX
    from ssdcore.data.preprocess import NetworkInput
    from ssdcore.geometry.fit import BoxShapes, best_overlaps, fit_boxes
    from ssdcore.geometry.matching import POSITIVE_IOU

    boxes_yxyx, sides_px = _training_objects(NetworkInput.of(model))
    layout_now, scales = model.layout, model.default_box_scales
    proposed = fit_boxes(boxes_yxyx, layout_now, scales)
    now = best_overlaps(boxes_yxyx, layout_now, scales) >= POSITIVE_IOU
    layout_then = layout_now.with_aspect_ratios(proposed.ratios)
    then = best_overlaps(boxes_yxyx, layout_then, proposed.scales) >= POSITIVE_IOU
    say("Training objects with a default box of IoU 0.5 or more:")
    say(f"{'':8}{'objects':>9}{'now':>9}{'proposed':>10}")
    for name, (low, high) in {**SIZES_PX, "all": (0, float("inf"))}.items():
        own = (low <= sides_px) & (sides_px < high)
        shares = f"{now[own].mean():9.1%}{then[own].mean():10.1%}" if own.any() else ""
        say(f"{name:8}{own.sum():9}{shares}")
    if proposed == BoxShapes.of(layout_now, scales):
        say("No better scales or aspect ratios were found.")
        return
    say("To train with the proposal:")
    say(
        f"dvc exp run -S 'model.default_box_scales={_listed(proposed.scales)}'"
        f" -S 'model.aspect_ratios={_listed(proposed.ratios)}'"
    )


def _training_objects(network_input: NetworkInput) -> tuple[Boxes, NDArray[Any]]:
    """Returns the boxes (N, 4) that training uses, and √area (N,) in pixels of their images.

    Boxes are in fractions of the network's input.
    """
    import numpy as np

    from ssdcore.coco.annotations import read_coco
    from ssdcore.coco.ground_truth import read_skipped

    split = read_coco(layout.ground_truth("train"))
    used = split.training_rows(read_skipped("train"))
    return network_input.training_boxes(split, used), np.sqrt(split.annotations.areas_px[used])


def _listed(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"))


app = command(main)

if __name__ == "__main__":
    run(app)
