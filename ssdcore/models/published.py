"""Detectors that others published, as networks of this project.

One converter reads the layouts of all projects. A converted network computes the same outputs from
the same input, except that logits differ by the mean's rounding (0.001 levels for torchvision).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor
from mindspore.nn.utils import no_init_parameters
from numpy.typing import NDArray

from ssdcore.coco.annotations import CocoClass
from ssdcore.coco.classes import coco_classes, coco_ids_as_columns, voc_classes
from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import DEVIATION_RGB
from ssdcore.geometry.box_coder import SIZE_VARIANCE
from ssdcore.geometry.feature_maps import LAYOUTS, MapLayout
from ssdcore.models.checkpoint import build_network
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.published_layouts import PROJECTS, Layout
from ssdcore.models.ssd import SSD
from ssdcore.models.weight_files import Arrays, LoadReport, read_arrays, shortened, some_arrays

CLASSES = {len(table): table for table in (coco_classes(), coco_ids_as_columns(), voc_classes())}
"""Published classes by their number."""


class Published(NamedTuple):
    """A published detector."""

    network: SSD  # holds its weights
    metadata: ModelMetadata
    thresholds: Mapping[str, float]  # of its published figures, by the parameters `evaluate`
    lines: list[str]  # for the log: the used arrays with their layers, and the others

    def parameters(self, checkpoint: Path) -> list[str]:
        """Returns the lines of params.yaml that measure it, in a file, as it was published."""
        sections = {
            "model": self.metadata.model.model_dump(mode="json"),
            "train": {"init_from": str(checkpoint), "epochs": 0, "loss": self.metadata.loss},
            "evaluate": {
                **self.thresholds,
                "max_candidates": self.thresholds.get("max_candidates"),
            },
        }
        lines = ["to measure it, or with epochs to fine-tune it, set in params.yaml:"]
        for section, values in sections.items():
            lines.append(f"{section}:")
            for key, value in values.items():
                lines.append(f"  {key}: {json.dumps(value, ensure_ascii=False)}")
        return lines


def read_published(path: Path, classes: Sequence[CocoClass] | None = None) -> Published:
    """Reads a published detector of `PROJECTS`, in a format of `ssdcore.models.weight_files`.

    The classes are in the order of its outputs, without the background; None takes the published
    ones of this number: COCO's 80, also as torchvision's 90 columns, or VOC's 20.

    Raises:
        InputError: the file is damaged, is of another network, lacks an array, has one of another
            shape or with values that are not finite, or is of another number of classes.
    """
    return from_arrays(read_arrays(path), str(path), classes)


def from_arrays(
    arrays: Arrays, where: str, classes: Sequence[CocoClass] | None = None
) -> Published:
    """Converts the arrays of a file that messages call `where`; see `read_published`."""
    layout, prefix = _recognise(arrays, where)
    own = {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}
    maps = _maps(layout, own, where)
    found = _classes(layout, maps, own, classes, where)
    model = layout.model(maps, len(found))
    metadata = ModelMetadata(model, found, "multibox" if layout.is_paper else "focal", step=0)
    with no_init_parameters():
        network = build_network(model, len(found), metadata.loss)
    modules = layout.modules(len(maps.maps))
    values, loaded = {}, {}
    for parameter in network.get_parameters():
        name = parameter.name
        module = next(m for m in modules if name == m or name.startswith(f"{m}."))
        loaded[name] = modules[module] + name.removeprefix(module)
        shape = tuple(parameter.shape)
        in_file = (shape[1],) if name == "l2_norm.scale" else shape  # a vector there
        array = _taken(own, loaded[name], in_file, layout, where)
        value = _converted(name, array, layout, metadata).reshape(shape)
        values[name] = Parameter(Tensor(np.ascontiguousarray(value, np.float32)), name=name)
    ms.load_param_into_net(network, values, strict_load=True)
    used = {prefix + name for name in loaded.values()}
    unused = dict.fromkeys((n for n in arrays if n not in used), "not a weight of the network")
    for name in unused:
        if name.endswith(tuple(loaded.values())):
            unused[name] = "another copy of the weights"
    title = f"{layout.project}'s SSD{maps.input_size} of {len(found)} classes"
    lines = [title, *_where(modules), *LoadReport(loaded, unused, ()).unused_lines()]
    return Published(network, metadata, layout.thresholds, lines)


def _recognise(arrays: Arrays, where: str) -> tuple[Layout, str]:
    """Returns the layout of a file, and the prefix of its names.

    Of several copies the one without "ema" in its prefix counts: trainings that average their
    weights (mmdetection's, for example) save the average under the plain names.
    """
    for layout in PROJECTS:
        mark = f"{layout.heads(0)[0]}{layout.predictor}.bias"
        prefixes = [n.removesuffix(mark) for n in arrays if f".{n}".endswith(f".{mark}")]
        if prefixes:
            return layout, min(prefixes, key=lambda prefix: ("ema" in prefix, len(prefix)))
    raise InputError(
        where, some_arrays(arrays),
        "SSD with VGG16 of " + ", ".join(dict.fromkeys(one.project for one in PROJECTS)),
        "Take another file. A VGG16 alone is for model.pretrained, and this project's checkpoints "
        "need no import",
    )  # fmt: skip


def _maps(layout: Layout, arrays: Arrays, where: str) -> MapLayout:
    heads = (f"{layout.heads(n)[0]}{layout.predictor}.bias" for n in range(len(arrays)))
    count = sum(head in arrays for head in heads)
    for maps in LAYOUTS.values():
        if len(maps.maps) == count:
            return maps
    sizes = " or ".join(f"{len(maps.maps)} (SSD{size})" for size, maps in LAYOUTS.items())
    raise InputError(where, f"{count} maps with heads", sizes, "Take another file")


def _classes(
    layout: Layout, maps: MapLayout, arrays: Arrays, classes: Sequence[CocoClass] | None, where: str
) -> tuple[CocoClass, ...]:
    name = f"{layout.heads(0)[1]}{layout.predictor}.bias"
    boxes = maps.maps[0].boxes_per_cell
    rows = arrays[name].size if name in arrays else 0
    if not rows or rows % boxes:
        found = arrays[name].shape if name in arrays else "no such array"
        expected = f"(C · {boxes},), {boxes} default boxes in a cell of the first map"
        raise InputError(f"{where}: {name}", found, expected, "Take another file")
    number = rows // boxes - 1
    if classes is None and number in CLASSES:
        return CLASSES[number]
    if classes is None or len(classes) != number:
        found = f"{number} classes" + (f", {len(classes)} names" if classes else "")
        raise InputError(
            where, found, "a name for each class",
            "Run python -m stages.import_weights FILE --classes NAMES, a text file with a name "
            "in each line, in the order of the outputs, without the background",
        )  # fmt: skip
    return tuple(classes)


def _taken(
    arrays: Arrays, name: str, shape: tuple[int, ...], layout: Layout, where: str
) -> NDArray[Any]:
    """Returns an array of a shape; raises InputError if it is not there or not finite."""
    found: object = "no such array"
    if name in arrays:
        array = arrays[name]
        if array.shape == shape and np.isfinite(array).all():
            return array
        found = array.shape if array.shape != shape else "values that are not finite"
    expected = f"{shape}, as {layout.project}'s network has it"
    raise InputError(f"{where}: {name}", found, expected, "Take another file")


def _converted(
    name: str, array: NDArray[Any], layout: Layout, metadata: ModelMetadata
) -> NDArray[Any]:
    """Returns an array in this project's order and scale."""
    if name == "backbone.conv1.0.conv.weight" and layout.keeps_deviation:
        return array * DEVIATION_RGB[:, None, None]
    kind, number = name.split(".")[:2]
    if not layout.is_paper or kind not in ("box_heads", "class_heads"):
        return array
    maps = metadata.model.layout.maps
    boxes = maps[int(number)].boxes_per_cell
    by_box = array.reshape(boxes, -1, *array.shape[1:])
    by_box = by_box[[0, *range(2, boxes), 1]]  # here the second square comes last
    if kind == "class_heads":
        return np.roll(by_box, 1, axis=1) if layout.background_last else by_box
    by_box = by_box[:, [1, 0, 3, 2]].astype(np.float64)  # y x h w
    if layout.clips:
        first = sum(one.num_boxes for one in maps[: int(number)])
        sides = metadata.default_boxes[first : first + boxes, 2:].astype(np.float64)
        shrink = np.minimum(sides, 1) / sides
        shaped = shrink.reshape(boxes, 2, *[1] * (by_box.ndim - 2))
        by_box[:, :2] *= shaped  # a shift in a larger box's sides
        if name.endswith(".bias"):
            by_box[:, 2:] += np.log(shaped) / SIZE_VARIANCE
    return by_box


def _where(modules: Mapping[str, str]) -> list[str]:
    """Lists the parts of the network with the modules of the file that became them."""
    parts: dict[str, list[str]] = {}
    for ours, theirs in modules.items():
        parts.setdefault(ours.split(".")[0], []).append(theirs)
    return [f"{part} ← {shortened(theirs)}" for part, theirs in parts.items()]
