"""What one process of a group does in test_group.py: trains five steps, then detects.

Arguments: folder of the pictures, folder for the results, batch size, width of the network.
"""

import json
import sys
from pathlib import Path

import numpy as np

from ssdcore.data.augment import Strengths
from ssdcore.data.coco import read_coco
from ssdcore.data.mindrecord import find_shards
from ssdcore.detection.decode import Thresholds
from ssdcore.nn.group import join_group
from ssdcore.nn.infer import Detector
from ssdcore.nn.predictions import predict_split
from ssdcore.nn.runtime import configure, seed_all
from ssdcore.nn.training import prepare_training
from ssdcore.params_file import read_params

STEPS = 5
STILL = dict.fromkeys(Strengths._fields, 0.0)


def main() -> None:
    pictures, results, batch_size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    configure("CPU")
    group = join_group()
    seed_all(1)
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    model = params.model.model_copy(update={"width": 0.02, "batch_norm": False})
    train = params.train.model_copy(update={
        "batch_size": batch_size, "epochs": 5, "warmup_epochs": 0.0,
        "augment": params.train.augment.model_copy(update=STILL),
    })  # fmt: skip
    split = read_coco(pictures / "annotations/instances_train.json")
    shards = find_shards(pictures / "train.mindrecord")
    training = prepare_training(model, train, params.runtime, split.classes, shards, group)
    losses = []
    for epoch in range(1, train.epochs + 1):
        for batches in training.loader.epoch(epoch):
            losses.append(training.step(batches)[:2])
    assert len(losses) == STEPS
    weights = {p.name: p.asnumpy() for p in training.network.get_parameters()}
    np.savez(results / f"weights{group.rank}.npz", losses=np.array(losses), **weights)

    seed_all(2)  # for detections, a network that no rounding has touched
    fresh = prepare_training(model, train, params.runtime, split.classes, shards)
    detector = Detector(fresh.network, fresh.card.default_boxes, train.loss, 4)
    found = predict_split(detector, shards, split, Thresholds(0.033), 1, group)
    (results / f"found{group.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
