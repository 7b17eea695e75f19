"""Training and inference as a whole: a few images must be learnt by heart.

If anything between pixels, targets, loss, update and decoding is wrong, this fails.
"""

from pathlib import Path

import pytest

from ssdcore.coco.metrics import evaluate
from ssdcore.geometry.default_boxes import TUTORIAL_SCALES
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector
from ssdcore.inference.split import predict_split
from ssdcore.params.reader import read_params
from ssdcore.params.schema import AugmentParams
from ssdcore.training.loop import fit
from ssdcore.training.setup import prepare_training

ROOT = Path(__file__).parents[2]
MODEL = {
    "width": 0.0625,
    "batch_norm": True,
    "extra_relu": True,
    "l2_norm": True,
    "dropout": 0.0,
    "default_box_scales": TUTORIAL_SCALES,
    "normalisation": "imagenet",
    "pretrained": None,
}
TRAIN = {
    "init_from": None,
    "batch_size": 4,
    "accumulate": 1,
    "min_negatives": 40,
    "optimizer": "adam",
    "lr_init": 1e-4,
    "lr_end": 1e-5,
    "auto_lr": False,
    "warmup_epochs": 5.0,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "clip_norm": 10.0,
    "loss_scale": 1.0,
    "ema_decay": 0.0,
}
EPOCHS = {"separable": 50, "conv": 30}
LR_MAX = {"separable": 0.015, "conv": 0.008}  # the former's own batch norm bears a higher one
RUNTIME = {"amp": "O0", "seed": 1, "workers": 1}


@pytest.mark.slow
@pytest.mark.parametrize("head", ["separable", "conv"])
@pytest.mark.parametrize("loss", ["focal", "multibox"])
def test_four_images_are_learnt_by_heart(loss, head, four_images):
    four = four_images
    active = read_params(ROOT / "params.yaml")
    still = active.train.augment.model_copy(update=dict.fromkeys(AugmentParams.model_fields, 0.0))
    training = prepare_training(
        active.model.model_copy(update={**MODEL, "head": head}),
        active.train.model_copy(
            update={
                **TRAIN,
                "epochs": EPOCHS[head],
                "lr_max": LR_MAX[head],
                "loss": loss,
                "augment": still,
            }
        ),
        active.runtime.model_copy(update=RUNTIME),
        four.split.classes,
        four.shards,
    )

    def measure():
        detector = Detector(training.network, training.card.default_boxes, loss, batch_size=4)
        results = predict_split(detector, four.shards, four.split, Thresholds(), workers=1)
        return evaluate(four.annotations, results)

    epochs = EPOCHS[head]
    reports = list(
        fit(training.step, training.loader, training.rates, epochs, measure, epochs, most_bad=0)
    )
    first, last, end = reports[0], reports[-2], reports[-1]
    assert last.loss < first.loss / 10
    assert end.figures["AP50"] >= 0.9
    # AP50 alone forgives offsets that are read in the wrong order
    assert end.figures["AP75"] >= 0.8
