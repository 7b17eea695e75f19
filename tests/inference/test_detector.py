import numpy as np
import pytest
from mindspore import Tensor, nn

from ssdcore.coco.annotations import CocoClass, CocoImage
from ssdcore.coco.results import Detections, to_results
from ssdcore.data.loader import InputBatch, input_batches, spread_samples, to_training_example
from ssdcore.geometry.boxes import yxyx_to_xywh_px
from ssdcore.inference.decode import Thresholds
from ssdcore.inference.detector import (
    Detector,
    Found,
    TimeSpent,
    load_photo_detector,
    predict_split,
    split_results,
)
from ssdcore.models.checkpoint import build_network, load, save
from ssdcore.models.metadata import ModelMetadata
from tests.augment_params import augment_params
from tests.training.tiny import build_tiny

pytestmark = pytest.mark.usefixtures("uncompiled")
WHOLE = np.array([[0.0, 0, 1, 1]])


class Fixed(nn.Cell):
    """A network that gives the same outputs for every batch."""

    def __init__(self, offsets, logits):
        super().__init__()
        self.offsets, self.logits = Tensor(offsets), Tensor(logits)

    def construct(self, images):
        return self.offsets + 0 * images.sum(), self.logits


def described(model, loss="multibox"):
    return ModelMetadata(model, (), loss, step=0)


@pytest.mark.parametrize("loss", ["focal", "multibox"])
def test_probabilities_are_the_losses_own(model, loss, rng):
    network = build_network(model, 3, loss)
    images = rng.normal(size=(2, 3, 300, 300)).astype(np.float32)
    offsets, probabilities = Detector(network, described(model, loss), batch_size=3).answers(images)
    assert offsets.shape == (2, 8732, 4)
    assert probabilities.shape == (2, 8732, 4)
    if loss == "multibox":
        np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-5)
        assert probabilities[..., 1:].sum(axis=-1).mean() == pytest.approx(0.25, rel=0.5)
    else:
        assert probabilities[..., 1:].mean() == pytest.approx(0.01, rel=0.5)
        assert probabilities[..., 0].mean() == pytest.approx(0.99, rel=0.05)


def test_a_sigmoids_background_hides_no_class(model):
    scores = np.full((1, 8732, 4), 0.001, np.float32)
    scores[0, 5] = [0.999, 0.001, 0.9, 0.001]
    network = Fixed(np.zeros((1, 8732, 4), np.float32), np.log(scores / (1 - scores)))
    detector = Detector(network, described(model, "focal"), batch_size=1)
    batch = InputBatch(np.array([7]), np.zeros((1, 3, 300, 300), np.float32), WHOLE)
    (found,) = detector.detect([batch], Thresholds(), TimeSpent())
    assert (found.image_id, found.detections.labels.tolist()) == (7, [2])


def test_the_batch_an_image_is_in_changes_nothing(model, images):
    network = build_tiny(model, 6, "multibox")

    def boxes(batch_size):
        detector = Detector(network, described(model), batch_size)
        batches = input_batches(images.shards, batch_size, workers=1)
        return list(
            detector.detect(batches, Thresholds(score=0.002, max_detections=5), TimeSpent())
        )

    for alone, together in zip(boxes(1), boxes(4), strict=True):
        assert alone.image_id == together.image_id
        np.testing.assert_allclose(alone.detections.scores, together.detections.scores, rtol=1e-4)


def test_a_split_becomes_coco_results(model, images):
    detector = Detector(build_tiny(model, 6, "multibox"), described(model), 4)
    thresholds = Thresholds(score=0.0, max_detections=2)
    spent = TimeSpent()
    results = predict_split(
        detector, images.shards, images.split, thresholds, 1, images.split.classes, spent
    )
    assert min(spent.milliseconds().values()) > 0
    assert results.image_ids.tolist() == [i.id for i in images.split.images for _ in "12"]
    assert set(results.category_ids.tolist()) <= {c.id for c in images.split.classes}


def test_times_are_those_of_the_images_that_are_there(model, images, clock):
    """The split lists one more, which convert left out."""
    skipped = CocoImage(99, "gone.jpg", 60, 80)
    split = images.split._replace(images=(*images.split.images, skipped))
    detector = Detector(build_tiny(model, 6, "multibox"), described(model), 4)
    spent = TimeSpent()
    with spent.on("network"):
        clock.now += 0.1 * len(images.split.images)
    predict_split(detector, images.shards, split, THRESHOLDS, 1, split.classes, spent)
    assert spent.images == len(images.split.images)
    assert spent.milliseconds()["network"] == pytest.approx(100)


def test_labels_become_the_categories_of_the_same_names(images):
    """A detector of six classes in another order, with other ids, and one that no file knows."""
    split = images.split
    known = tuple(CocoClass(100 + c.id, c.name.upper()) for c in reversed(split.classes))
    labels = np.arange(1, 2 + len(known), dtype=np.int32)
    scores = np.linspace(0.9, 0.1, len(labels), dtype=np.float32)
    found = Found(split.images[0].id, Detections(np.eye(len(labels), 4), labels, scores))
    results = split_results([found], split, (CocoClass(1, "unknown"), *known))
    assert results.category_ids.tolist() == [c.id for c in reversed(split.classes)]
    assert results.scores.tolist() == pytest.approx(scores[1:].tolist(), abs=1e-6)


class Clock:
    """A clock that only its user moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("ssdcore.inference.detector.perf_counter", clock)
    return clock


def test_each_part_has_its_own_time(clock):
    def slowly():
        for item in range(4):
            clock.now += 0.02
            yield item

    spent, seen = TimeSpent(), []
    for item in spent.waiting_for("decode", slowly()):
        seen.append(item)
        clock.now += 0.01
        with spent.on("network"):
            clock.now += 0.04
    assert seen == [0, 1, 2, 3]
    spent.images = 8
    assert spent.milliseconds() == pytest.approx({"decode": 10, "network": 20, "nms": 0})


THRESHOLDS = Thresholds(score=0.002, max_detections=5)


@pytest.mark.parametrize("resize", ["letterbox", "stretch_float"])
def test_a_split_of_another_resize_has_its_boxes_within_half_a_pixel(
    model, images, monkeypatch, resize
):
    """From the shards to training's targets, and from a network that answers them to results."""
    model = model.model_copy(update={"resize": resize})
    split, metadata = images.split, described(model)
    rows = [
        to_training_example(
            sample, metadata.default_boxes, augment_params(), np.random.default_rng(1), "best",
            metadata.network_input,
        )
        for _, sample in spread_samples(images.shards, 10)
    ]  # fmt: skip
    labels = np.stack([row.labels for row in rows])
    logits = 20 * np.eye(7, dtype=np.float32)[labels]
    network = Fixed(np.stack([row.offsets for row in rows]), logits)
    detector, inputs = Detector(network, metadata, batch_size=10), []
    compute = detector.answers
    monkeypatch.setattr(detector, "answers", lambda batch: inputs.extend(batch) or compute(batch))
    results = predict_split(detector, images.shards, split, Thresholds(score=0.5), 1, split.classes)
    for seen, row in zip(inputs, rows, strict=True):
        np.testing.assert_array_equal(seen, row.image)
    for image in split.images:
        assert image.height != image.width
        truth = split.objects[image.id]
        truth = truth.select(~truth.crowd)
        expected = yxyx_to_xywh_px(truth.boxes_yxyx, image.height, image.width)
        found = results.boxes_xywh_px[results.image_ids == image.id]
        near = abs(expected[:, None] - found[None]).max(axis=2).min(axis=1)
        assert (near < 0.5).all()


@pytest.mark.parametrize(
    ("workers", "resize", "tile"),
    [(1, "stretch", None), (3, "letterbox", 250), (1, "stretch_float", 250)],
)
def test_photos_have_the_detections_of_the_evaluation(
    model, images, tmp_path, monkeypatch, workers, resize, tile
):
    monkeypatch.setattr("ssdcore.models.checkpoint.build_network", build_tiny)
    model = model.model_copy(update={"resize": resize})
    classes = images.split.classes
    network = build_tiny(model, len(classes), "multibox")
    save(tmp_path / "best.ckpt", network, ModelMetadata(model, classes, "multibox", 0))
    network, metadata = load(tmp_path / "best.ckpt")
    evaluated = predict_split(
        Detector(network, metadata, batch_size=4),
        images.shards, images.split, THRESHOLDS, 1, classes, tile=tile,
    )  # fmt: skip
    files = [images.annotations.parents[1] / "train" / i.file_name for i in images.split.images]
    detector = load_photo_detector(tmp_path / "best.ckpt", batch_size=4, workers=workers)
    assert detector.classes == classes
    found = list(detector.detect(files, THRESHOLDS, tile))
    sizes = [
        CocoImage(image.id, image.file_name, seen.height, seen.width)
        for image, seen in zip(images.split.images, found, strict=True)
    ]
    results = to_results(sizes, [seen.detections for seen in found], detector.classes)
    assert len(results) >= 5 * len(files)
    assert (len(results) == 5 * len(files)) == (tile is None)
    assert list(results.rows()) == list(evaluated.rows())
