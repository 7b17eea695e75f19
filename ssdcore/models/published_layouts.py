"""Layouts of published SSD detectors: how projects name, order and scale their weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ssdcore.coco.classes import voc_classes
from ssdcore.geometry.default_boxes import TUTORIAL_SCALES
from ssdcore.geometry.feature_maps import MapLayout
from ssdcore.models.pretrained import BLOCKS
from ssdcore.params.schema import ModelParams
from ssdcore.params.types import Resize

VGG = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33)
"""Numbers of conv1_1 … conv5_3, fc6 and fc7 where ReLUs and pools are numbered, too."""


class Layout(NamedTuple):
    """A project's names, order and scale of the weights of SSD with VGG16.

    The paper's network has convolutions with biases and ReLUs, and softmax; a cell's boxes are both
    squares, then the ratios, and offsets are x y w h. Its input is less Caffe's mean, or, where it
    keeps the deviation, less ImageNet's. Without `is_paper` the network is the tutorial's.
    """

    project: str  # its name, for people
    backbone: tuple[str, ...]  # modules of `BLOCKS`
    extra: Callable[[int], tuple[str, str]]  # number of an extra block → its two modules
    heads: Callable[[int], tuple[str, str]]  # number of a map → modules of its boxes and classes
    norm: str  # the array of the L2 normalisation's scales
    thresholds: Mapping[str, float]  # of the published figures, by the parameters `evaluate`
    is_paper: bool = True
    keeps_deviation: bool = False  # the input is not divided by ImageNet's deviation
    background_last: bool = False  # the background is the last class, not the first
    clips: bool = True  # sides of default boxes over the image's are cut to it
    whole_pixels: bool = False  # sides of default boxes are rounded down to pixels
    resize: Resize = "stretch"  # how its evaluation makes an image the network's input

    @property
    def predictor(self) -> str:
        """The last module of a head."""
        return "" if self.is_paper else ".3"

    def modules(self, maps: int) -> dict[str, str]:
        """Returns the project's module by ours, for a network of this many maps."""
        found = {
            f"backbone.{ours}.conv": theirs
            for ours, theirs in zip(BLOCKS, self.backbone, strict=True)
        }
        if self.norm:
            found["l2_norm.scale"] = self.norm
        for n in range(maps - 2):
            reduce, expand = self.extra(n)
            found |= {f"extras.{n}.reduce.conv": reduce, f"extras.{n}.expand.conv": expand}
        for n in range(maps):
            found[f"box_heads.{n}"], found[f"class_heads.{n}"] = self.heads(n)
        return found

    def model(self, maps: MapLayout, num_foreground: int) -> ModelParams:
        """Returns the parameters of a network with these maps and classes."""
        size = maps.input_size
        scales: Sequence[float] = TUTORIAL_SCALES
        if self.is_paper:
            of_voc = num_foreground == len(voc_classes())
            scales = maps.voc_scales if of_voc else maps.coco_scales
        if self.whole_pixels:  # of products such as 206.99999999999997
            scales = [int(round(scale * size, 3)) / size for scale in scales]
        return ModelParams(
            input_size=size,
            resize=self.resize,
            width=1.0,
            head="conv" if self.is_paper else "separable",
            batch_norm=False,
            extra_relu=self.is_paper,
            l2_norm=self.is_paper,
            conv_bias=self.is_paper,
            dropout=0.0,
            default_box_scales=tuple(scales),
            normalisation="caffe" if self.is_paper and not self.keeps_deviation else "imagenet",
            pretrained=None,
        )


def _numbered(prefix: str, *numbers: int | str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{number}" for number in numbers)


TORCHVISION = Layout(
    "torchvision",
    _numbered("backbone.features", *VGG[:10])
    + _numbered("backbone.extra.0", 1, 3, 5, "7.1", "7.3"),
    lambda n: (f"backbone.extra.{n + 1}.0", f"backbone.extra.{n + 1}.2"),
    lambda n: (
        f"head.regression_head.module_list.{n}",
        f"head.classification_head.module_list.{n}",
    ),
    "backbone.scale_weight",
    {"score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 200, "max_candidates": 400},
    resize="stretch_float",
)
MMDETECTION = Layout(
    "mmdetection",
    _numbered("backbone.features", *VGG),
    lambda n: (f"neck.extra_layers.{n}.0.conv", f"neck.extra_layers.{n}.1.conv"),
    lambda n: (f"bbox_head.reg_convs.{n}.0", f"bbox_head.cls_convs.{n}.0"),
    "neck.l2_norm.weight",
    {"score_threshold": 0.02, "nms_iou": 0.45, "max_detections": 200},
    keeps_deviation=True,
    background_last=True,
    clips=False,
    whole_pixels=True,
)
MMDETECTION_BEFORE_2_14 = MMDETECTION._replace(
    extra=lambda n: (f"backbone.extra.{2 * n}", f"backbone.extra.{2 * n + 1}"),
    heads=lambda n: (f"bbox_head.reg_convs.{n}", f"bbox_head.cls_convs.{n}"),
    norm="backbone.l2_norm.weight",
)
SSD_PYTORCH = Layout(
    "ssd.pytorch",
    _numbered("vgg", *VGG),
    lambda n: (f"extras.{2 * n}", f"extras.{2 * n + 1}"),
    lambda n: (f"loc.{n}", f"conf.{n}"),
    "L2Norm.weight",
    {"score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 200, "max_candidates": 200},
)
LUFFICC = Layout(
    "lufficc/SSD",
    _numbered("backbone.vgg", *VGG),
    lambda n: (f"backbone.extras.{2 * n}", f"backbone.extras.{2 * n + 1}"),
    lambda n: (f"box_head.predictor.reg_headers.{n}", f"box_head.predictor.cls_headers.{n}"),
    "backbone.l2_norm.weight",
    {"score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 100},
)
MINDSPORE = Layout(
    "MindSpore's model zoo",
    (
        *_numbered("backbone.b1", 0, 2),
        *_numbered("backbone.b2", 0, 2),
        *(name for stage in (3, 4, 5) for name in _numbered(f"backbone.b{stage}", 0, 2, 4)),
        "b6_1",
        "b7_1",
    ),
    lambda n: (f"b{n + 8}_1", f"b{n + 8}_2"),
    lambda n: (f"multi_box.multi_loc_layers.{n}", f"multi_box.multi_cls_layers.{n}"),
    "",
    {"score_threshold": 0.1, "nms_iou": 0.6, "max_detections": 100},
    is_paper=False,
    clips=False,
)
PROJECTS = (TORCHVISION, MMDETECTION, MMDETECTION_BEFORE_2_14, SSD_PYTORCH, LUFFICC, MINDSPORE)
