"""The parameters: one frozen model for each section of params.yaml.

Types are strict (no "2" for 2), unknown keys are refused, and ranges are checked in this package
and nowhere else. `ssdcore.params.reader` reads a file.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from ssdcore.geometry.feature_maps import IMAGE_SIZE, LAYOUTS, MapLayout
from ssdcore.params.dataset import DatasetParams
from ssdcore.params.types import (
    Address,
    Count,
    Device,
    Formats,
    Fraction,
    Freeze,
    Head,
    InputSize,
    LossName,
    LossScale,
    Matching,
    NonNegative,
    Normalisation,
    OnNonFinite,
    OptimizerName,
    Positive,
    PretrainedFc,
    Ratios,
    Reference,
    Resize,
    Scales,
    Schedule,
    Section,
    Tile,
    relation,
)


class ConvertParams(Section):
    """Conversion settings."""

    shards: Annotated[int, Field(ge=1, le=1000)]
    strict: bool
    max_side: Count | None = None  # files of earlier versions lack it


class ModelParams(Section):
    """Network parameters; see `ssdcore.models.ssd.SSD`.

    Checkpoints of earlier versions have no `input_size`, no `resize` and no `aspect_ratios`; they
    are of SSD300 on stretched images with the paper's ratios, which None means.
    """

    input_size: InputSize = IMAGE_SIZE
    resize: Resize = "stretch"
    width: Annotated[float, Field(gt=0, le=4)]
    head: Head
    batch_norm: bool
    extra_relu: bool
    l2_norm: bool
    conv_bias: bool
    dropout: Annotated[float, Field(ge=0, lt=1)]
    default_box_scales: Scales
    aspect_ratios: Ratios | None = None
    normalisation: Normalisation
    pretrained: Reference | None

    @property
    def layout(self) -> MapLayout:
        """The network's feature maps."""
        return LAYOUTS[self.input_size].with_aspect_ratios(self.aspect_ratios)

    @model_validator(mode="after")
    def _boxes_fit(self) -> Self:
        scales, layout = list(self.default_box_scales), LAYOUTS[self.input_size]
        size = f"with input_size {self.input_size}"
        if len(scales) != layout.num_scales:
            example = ", ".join(map(str, layout.coco_scales))
            expected = f"{layout.num_scales} values {size}, such as {example}"
            raise relation("default_box_scales", scales, expected)
        if scales != sorted(set(scales)):
            raise relation("default_box_scales", scales, "values that grow from each to the next")
        if (ratios := self.aspect_ratios) is not None:
            if len(ratios) != len(layout.maps):
                paper = [list(feature_map.aspect_ratios) for feature_map in layout.maps]
                expected = f"{len(paper)} lists {size}, such as {paper}"
                raise relation("aspect_ratios", [list(own) for own in ratios], expected)
            for own in ratios:
                if len(set(own)) < len(own):
                    raise relation("aspect_ratios", list(own), "different ratios on each map")
        return self


class AugmentParams(Section):
    """Probability or strength of each augmentation; 0 disables it."""

    crop: Fraction
    zoom_out: Fraction
    flip: Fraction
    flip_vertical: Fraction = 0.0  # files of earlier versions lack it
    colours: Fraction
    brightness: Fraction
    contrast: Fraction
    saturation: Fraction
    hue: Annotated[float, Field(ge=0, le=0.5)]
    channels: Fraction


class TrainParams(Section):
    """Training parameters. With 0 epochs, the start is measured and passed on as it is.

    Keys `WITHOUT_EFFECT` may change while a training is interrupted: the steps that are still to
    come do not depend on them.
    """

    WITHOUT_EFFECT: ClassVar = frozenset(
        ("max_minutes", "save_minutes", "patience", "on_nonfinite", "fetch_every", "profile")
    )

    init_from: Reference | None
    pretrained_fc: PretrainedFc = "subsample"  # files of earlier versions lack it
    freeze: Freeze
    epochs: Annotated[int, Field(ge=0)]
    batch_size: Count
    accumulate: Count
    balance: Fraction
    matching: Matching
    loss: LossName
    min_negatives: Annotated[int, Field(ge=0)]
    optimizer: OptimizerName
    schedule: Schedule
    lr_init: NonNegative
    lr_max: Positive
    lr_end: NonNegative
    backbone_lr: Annotated[float, Field(gt=0, le=1)]
    auto_lr: bool
    warmup_epochs: NonNegative
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    clip_norm: Positive
    max_step: NonNegative
    loss_scale: LossScale
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    validate_every: Count
    patience: Annotated[int, Field(ge=0)]
    max_minutes: Positive | None
    save_minutes: Positive
    on_nonfinite: OnNonFinite
    fetch_every: Count | None = None  # files of earlier versions lack it
    jit: bool
    profile: Annotated[int, Field(ge=0)]
    augment: AugmentParams

    @model_validator(mode="after")
    def _schedule_fits(self) -> Self:
        if not self.epochs:
            if self.init_from is None:
                raise relation("epochs", 0, "1 or more, or train.init_from, which 0 epochs pass on")
            return self
        limits = {"warmup_epochs": "epochs", "lr_init": "lr_max", "lr_end": "lr_max"}
        for name, limit in limits.items():
            value, most = getattr(self, name), getattr(self, limit)
            if value > most:
                raise relation(name, value, f"at most {limit} ({most})")
        if self.schedule == "steps" and self.warmup_epochs > self.epochs * 2 / 3:
            expected = f"at most 2/3 of epochs ({self.epochs}), where the schedule steps down"
            raise relation("warmup_epochs", self.warmup_epochs, expected)
        return self


class EvaluateParams(Section):
    """Selection of the detections; see `ssdcore.inference.decode.Thresholds`.

    The table of label errors has at most `review` labels.
    """

    batch_size: Count
    score_threshold: Fraction
    nms_iou: Fraction
    max_detections: Count
    max_per_class: Count | None
    max_candidates: Count | None
    tile: Tile | None = None  # files of earlier versions lack it
    review: Annotated[int, Field(ge=0, le=200)] = 0  # files of earlier versions lack it


class ReportParams(Section):
    """Content of the report page."""

    images: Annotated[int, Field(ge=0, le=200)]
    score_threshold: Fraction | None


class ExportParams(Section):
    """Export formats, and their comparison with the checkpoint."""

    formats: Formats
    calibration_images: Count
    parity_images: Count
    tolerance: Positive


class RuntimeParams(Section):
    """Devices, processes and seed."""

    device: Device
    amp: Literal["O0", "O2", "O3"]
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    workers: Annotated[int, Field(ge=1, le=256)]
    cache_mb: Annotated[int, Field(ge=0)]
    devices: Count
    machines: Count
    master: Address | None

    @model_validator(mode="after")
    def _machines_meet(self) -> Self:
        if self.machines > 1 and self.master is None:
            raise relation("master", None, f"host:port, where {self.machines} machines meet")
        return self


class TrackingParams(Section):
    """Tracking with MLflow."""

    enabled: bool
    experiment: Annotated[str, Field(min_length=1)]
    images: Annotated[int, Field(ge=0, le=50)]


class Params(Section):
    """All of params.yaml."""

    dataset: DatasetParams
    convert: ConvertParams
    model: ModelParams
    train: TrainParams
    evaluate: EvaluateParams
    report: ReportParams
    export: ExportParams
    runtime: RuntimeParams
    tracking: TrackingParams

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        model, train, amp = self.model, self.train, self.runtime.amp
        if model.pretrained is not None and train.init_from is not None:
            expected = "null where model.pretrained is set: a checkpoint brings its own backbone"
            raise relation("train.init_from", train.init_from, expected)
        most = self.convert.max_side
        if most is not None and most < model.input_size:
            expected = f"at least model.input_size ({model.input_size})"
            raise relation("convert.max_side", most, expected)
        if train.min_negatives > (boxes := model.layout.num_default_boxes):
            expected = f"at most {boxes}, the default boxes of an image"
            raise relation("train.min_negatives", train.min_negatives, expected)
        if (model.batch_norm or model.head == "separable") and train.batch_size == 1:
            raise relation(
                "train.batch_size", 1, "2 or more with model.batch_norm or separable heads: the "
                "last map has one cell, and one value of one image has no variance",
            )  # fmt: skip
        if amp != "O0" and train.loss_scale == 1:
            raise relation(
                "train.loss_scale", train.loss_scale, "dynamic, or a factor such as 1024, with "
                f"runtime.amp {amp}: float16 loses small gradients",
            )  # fmt: skip
        return self
