import pytest

from ssdcore.coco.annotations import CocoImage
from ssdcore.coco.results import to_results
from ssdcore.core.errors import InputError
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import Detector
from ssdcore.inference.load import load_photo_detector
from ssdcore.inference.split import predict_split
from ssdcore.models.checkpoint import build_network, load, save
from ssdcore.models.metadata import ModelMetadata

THRESHOLDS = Thresholds(score=0.002, max_detections=5)


@pytest.mark.parametrize("workers", [1, 3])
def test_photos_have_the_detections_of_the_evaluation(model, images, tmp_path, workers):
    classes = images.split.classes
    network = build_network(model, len(classes), "multibox")
    save(tmp_path / "best.ckpt", network, ModelMetadata(model, classes, "multibox", 0))
    network, metadata = load(tmp_path / "best.ckpt")
    evaluated = predict_split(
        Detector(network, metadata.default_boxes, metadata.loss, batch_size=4),
        images.shards, images.split, THRESHOLDS, workers=1,
    )  # fmt: skip
    files = [images.annotations.parents[1] / "train" / i.file_name for i in images.split.images]
    detector = load_photo_detector(tmp_path / "best.ckpt", batch_size=4, workers=workers)
    assert detector.classes == classes
    found = list(detector.detect(files, THRESHOLDS))
    sizes = [
        CocoImage(image.id, image.file_name, seen.height, seen.width)
        for image, seen in zip(images.split.images, found, strict=True)
    ]
    results = to_results(sizes, [seen.detections for seen in found], detector.classes)
    assert len(results) == 5 * len(files)
    assert list(results.rows()) == list(evaluated.rows())


def test_a_missing_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file"):
        load_photo_detector(tmp_path / "best.ckpt", batch_size=1)
