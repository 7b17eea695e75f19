"""Training and inference as a whole: the network must learn a few images by heart.

This fails if anything between pixels, targets, loss, update and decoding is wrong.
"""

from pathlib import Path

import pytest
from mindspore import nn

from ssdcore.coco.metrics import evaluate
from ssdcore.core.signals import Signals
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector, predict_split
from ssdcore.models.layers import ConvBlock
from ssdcore.models.losses import make_class_loss
from ssdcore.models.ssd import SSD
from ssdcore.params.reader import read_params
from ssdcore.training.loop import train
from ssdcore.training.setup import prepare_training
from tests.augment_params import augment_params
from tests.network_fixtures import SSD512, ImageFiles

ACTIVE = read_params(Path(__file__).parents[2] / "params.yaml")
MODEL = {
    **SSD512,
    "width": 0.0625,
    "head": "separable",
    "normalisation": "imagenet",
    "pretrained": None,
}
TRAIN = {
    "init_from": None,
    "epochs": 40,
    "validate_every": 40,
    "batch_size": 4,
    "accumulate": 1,
    "loss": "focal",
    "optimizer": "adam",
    "lr_init": 1e-4,
    "lr_max": 0.015,
    "lr_end": 1e-5,
    "auto_lr": False,
    "warmup_epochs": 5.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "clip_norm": 10.0,
    "max_step": 0.0,
    "loss_scale": 1.0,
    "ema_decay": 0.0,
    "patience": 0,
    "augment": augment_params(),
}
RUNTIME = {"amp": "O0", "seed": 1, "workers": 1}


class SmallBackbone(nn.Cell):
    """Five plain convolutions with the first three maps of SSD512: 64, 32 and 16 cells wide."""

    out_channels = (16, 24, 32)
    feature_sizes = (64, 32, 16)

    def __init__(self):
        super().__init__()

        def down(channels_in, channels_out):
            return ConvBlock(
                channels_in, channels_out, 3, stride=2, padding=1, bias=True, batch_norm=True
            )

        self.stem = nn.SequentialCell(down(3, 8), down(8, 16))
        self.to_64, self.to_32, self.to_16 = down(16, 16), down(16, 24), down(24, 32)

    def construct(self, x):
        fine = self.to_64(self.stem(x))
        middle = self.to_32(fine)
        return fine, middle, self.to_16(middle)


def test_ssd512_with_another_backbone_learns_four_images_by_heart(tmp_path):
    """With separable heads and focal loss; test_evaluate_stage.py has SSD300 with the others."""

    def build(model, num_foreground, loss):
        num_classes = num_foreground + 1
        bias = make_class_loss(loss).initial_bias(num_classes)
        return SSD(
            num_classes, model.width, model.head, class_bias=bias, backbone=SmallBackbone(),
            input_size=model.input_size,
        )  # fmt: skip

    images = ImageFiles(tmp_path, 4)
    params = ACTIVE.train.model_copy(update=TRAIN)
    training = prepare_training(
        ACTIVE.model.model_copy(update=MODEL),
        params,
        ACTIVE.runtime.model_copy(update=RUNTIME),
        images.split.classes,
        images.shards,
        build=build,
    )

    def measure():
        detector = Detector(training.network, training.metadata, batch_size=4)
        results = predict_split(
            detector, images.shards, images.split, Thresholds(), 1, images.split.classes
        )
        return evaluate(images.annotations, results)

    with Signals() as signals:
        first, *_, last, end = train(training, params, measure, signals)
    assert last.loss < first.loss / 8
    assert end.figures["AP50"] >= 0.9
    # AP50 alone tolerates offsets that are read in the wrong order
    assert end.figures["AP75"] >= 0.8


def test_a_backbone_with_other_maps_is_refused():
    backbone = SmallBackbone()
    backbone.feature_sizes = (64, 32, 10)
    with pytest.raises(ValueError, match=r"sizes \(64, 32, 10\), expected the first of \(64, 32"):
        SSD(3, backbone=backbone, input_size=512)
