"""Published detectors: the same outputs from the same input, or one clear error."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor
from ruamel.yaml import YAML
from safetensors.numpy import save_file

from ssdcore.coco.annotations import CocoClass, read_coco
from ssdcore.coco.classes import coco_classes, coco_ids_as_columns, voc_classes
from ssdcore.core.errors import InputError
from ssdcore.data.preprocess import to_network_input
from ssdcore.geometry.box_coder import decode
from ssdcore.geometry.default_boxes import default_boxes
from ssdcore.geometry.feature_maps import LAYOUTS as MAP_LAYOUTS
from ssdcore.geometry.matching import encode_targets, match
from ssdcore.inference.decode import Thresholds, detect
from ssdcore.inference.detector import Detector
from ssdcore.inference.photo_detector import Decoded, PhotoDetector
from ssdcore.models.losses import DetectionLoss, make_class_loss
from ssdcore.models.published import from_arrays, read_published
from ssdcore.params.schema import ModelParams
from tests.models import published_networks as plain
from tests.models.published_networks import Case

DEFAULT_BOXES = default_boxes(MAP_LAYOUTS[300].coco_scales)
REAL = Path(__file__).parents[3] / "shared/data/coco_real/images/val"
VOC_512 = Case("lufficc/SSD", 512, 21, "voc", 7)
LAYOUTS = (
    *plain.CASES,
    Case("mmdetection 2.13", 300, 81, "coco", 6),
    Case("lufficc/SSD", 300, 81, "coco", 6),
    VOC_512,
)


def name(case):
    return case.name


def zeros(case):
    """An array of each name and shape; zeros take no memory."""
    return {key: np.zeros(shape, np.float32) for key, shape in plain.shapes(case).items()}


def as_xyxy(yxyx):
    return yxyx[:, [1, 0, 3, 2]]


def rows_of(priors_cxcywh, default_boxes):
    """The rows of our default boxes that are these, but for sides over the image's."""
    ours = np.column_stack(
        (
            default_boxes[:, [1, 0]],
            np.minimum(default_boxes[:, [3, 2]], max(1, priors_cxcywh[:, 2:].max())),
        )
    )
    distances = np.abs(ours[None] - priors_cxcywh[:, None]).max(-1)
    assert distances.min(1).max() < 1e-5
    return distances.argmin(1)


@dataclass
class Outputs:
    offsets: np.ndarray
    logits: np.ndarray


def from_biases(case, parameters, heads, columns):
    """What a network computes of which all else is zero: the head's biases in each cell."""
    found = []
    for cells, boxes, head in zip(
        plain.CELLS[case.size], plain.BOXES[case.size], heads, strict=True
    ):
        bias = parameters[f"{head}.bias"].reshape(boxes, columns)
        found.append(np.tile(bias, (cells * cells, 1)))
    return np.concatenate(found)


def map_starts(case):
    """The row of the first default box of each map, and their number."""
    maps = zip(plain.CELLS[case.size], plain.BOXES[case.size], strict=True)
    return np.cumsum([0, *(cells**2 * boxes for cells, boxes in maps)])


def some_rows(case):
    """All boxes of the first and of the last cell of each map, but those whose centre is cut."""
    ends = pairwise(map_starts(case))
    rows = np.concatenate(
        [
            [*range(start, start + boxes), *range(end - boxes, end)]
            for (start, end), boxes in zip(ends, plain.BOXES[case.size], strict=True)
        ]
    )
    return rows[plain.has_own_centre(case)[rows]]


@pytest.mark.parametrize("case", LAYOUTS, ids=name)
def test_each_layouts_boxes_and_classes_are_its_own(case):
    """Decoded by the project's own default boxes and by ours; all layers but the heads are zero."""
    arrays, rng = zeros(case), np.random.default_rng(case.seed)
    for kind in (0, 1):
        for head in plain.heads(case, kind):
            arrays[f"{head.name}.bias"] = rng.normal(size=head.channels_out).astype(np.float32)
    found = from_arrays(arrays, "file")
    parameters = {p.name: p.asnumpy() for p in found.network.get_parameters()}
    maps = range(len(plain.CELLS[case.size]))
    offsets = from_biases(case, parameters, [f"box_heads.{n}" for n in maps], 4)
    logits = from_biases(case, parameters, [f"class_heads.{n}" for n in maps], case.columns)
    theirs = [
        from_biases(case, arrays, [h.name for h in plain.heads(case, kind)], width)
        for kind, width in ((0, 4), (1, case.columns))
    ]
    rows, priors = some_rows(case), plain.priors(case)
    own = rows_of(priors[rows], found.metadata.default_boxes)
    assert len(found.metadata.default_boxes) == len(priors)
    assert len(set(own)) == len(set(rows))
    boxes = decode(offsets, found.metadata.default_boxes)[own]
    np.testing.assert_allclose(as_xyxy(boxes), plain.decode(theirs[0], priors)[rows], atol=2e-6)
    np.testing.assert_array_equal(logits[own], plain.background_first(case, theirs[1])[rows])


@pytest.mark.parametrize("case", LAYOUTS, ids=name)
def test_only_centres_at_the_border_differ(case):
    cut = ~plain.has_own_centre(case)
    is_cut = case.size == 300 and case.project in ("ssd.pytorch", "lufficc/SSD")
    assert cut.sum() == (19 * 6 if is_cut else 0)  # the last row and column of 10 × 10 cells
    assert np.abs(plain.priors(case)[cut, :2] - plain.unclipped_priors(case)[cut, :2]).max(
        initial=0
    ) <= 4.1 / 300  # fmt: skip


@pytest.mark.parametrize(
    ("case", "classes"),
    [(LAYOUTS[0], coco_ids_as_columns()), (LAYOUTS[1], coco_classes()), (VOC_512, voc_classes())],
    ids=["91 columns", "81 columns", "21 columns"],
)
def test_published_classes_have_their_names_and_ids(case, classes):
    found = from_arrays(zeros(case), "file")
    assert found.metadata.classes == classes
    is_torchvision = case.project == "torchvision"
    assert found.metadata.model.resize == ("stretch_float" if is_torchvision else "stretch")
    assert found.metadata.loss == "multibox"
    assert found.network.num_classes == case.columns


def outputs(found, rgb):
    """Offsets and logits of a network on an image."""
    found.network.set_train(False)
    offsets, logits = found.network(
        Tensor(to_network_input(rgb, found.metadata.network_input)[None])
    )
    return Outputs(offsets.asnumpy()[0], logits.asnumpy()[0])


def best(found, answer, thresholds):
    """Detections as torchvision returns them: x1 y1 x2 y2 in fractions, label, score."""
    exp = np.exp(answer.logits - answer.logits.max(1, keepdims=True))
    probabilities = exp / exp.sum(1, keepdims=True)
    boxes = found.metadata.default_boxes
    (ours,) = detect(answer.offsets[None], probabilities[None], boxes, thresholds)
    return as_rows(ours)


def as_rows(ours):
    return np.column_stack((as_xyxy(ours.boxes_yxyx), ours.labels, ours.scores))


def thresholds_of(found):
    published = dict(found.thresholds)
    return Thresholds(published.pop("score_threshold"), **published)


def share_found(expected, found, *, box=1e-3, score=1e-3):
    """The share of detections with a counterpart of the same class, box and score."""
    tolerance = np.array([box] * 4 + [0.1, score])
    hits = (np.abs(expected[:, None] - found[None]) <= tolerance).all(-1).any(1)
    return hits.mean()


@pytest.mark.slow
@pytest.mark.parametrize("case", plain.CASES, ids=name)
def test_outputs_equal_the_projects(case):
    """Their outputs were computed once with PyTorch; see tests/fixtures/README.md."""
    found = from_arrays(plain.random_weights(case), "file")
    answer = outputs(found, plain.image(case))
    with np.load(plain.FROZEN) as frozen:
        of_case = {key.rpartition("-")[2]: v for key, v in frozen.items() if case.name in key}
    rows = rows_of(of_case["priors"].astype(float), found.metadata.default_boxes)
    boxes = decode(answer.offsets, found.metadata.default_boxes)[rows]
    np.testing.assert_allclose(answer.logits[rows], of_case["logits"], atol=1e-4)
    np.testing.assert_allclose(as_xyxy(boxes), of_case["boxes"], atol=1e-5)
    if "detections" in of_case:
        expected = of_case["detections"] / [*[case.size] * 4, 1, 1]
        ours = best(found, answer, thresholds_of(found))
        assert len(ours) == len(expected)
        assert share_found(expected, ours, box=5e-5, score=5e-5) == 1


@pytest.mark.slow
@pytest.mark.parametrize("case", plain.CASES[:1], ids=name)
def test_detections_in_photos_equal_torchvisions(case):
    pytest.importorskip("torchvision")
    if not REAL.is_dir():
        pytest.skip("real COCO images are not here")
    import cv2

    weights = plain.random_weights(case)
    theirs, found = plain.torchvision_model(weights), from_arrays(weights, "file")
    thresholds, metadata = thresholds_of(found), found.metadata
    network = Decoded(Detector(found.network, metadata, 1), metadata.default_boxes)
    paths = sorted(REAL.iterdir())[:20]
    from_files = PhotoDetector(network, metadata.classes).detect(paths, thresholds)
    shares = {"input": [], "file": []}
    for path, in_file in zip(paths, from_files, strict=True):
        rgb = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        height, width = rgb.shape[:2]
        resized = cv2.resize(rgb, (300, 300))
        answer = outputs(found, resized)
        offsets, logits = plain.torchvision_outputs(theirs, resized)
        priors, rows = plain.priors(case), some_rows(case)
        own = rows_of(priors[rows], found.metadata.default_boxes)
        np.testing.assert_allclose(answer.logits[own], logits[rows], atol=1e-4)
        boxes = decode(answer.offsets, found.metadata.default_boxes)[own]
        expected = plain.decode(offsets, priors)[rows]
        np.testing.assert_allclose(as_xyxy(boxes), expected, atol=1e-5)
        ours = best(found, answer, thresholds)
        detections = plain.torchvision_detections(theirs, resized) / [*[300] * 4, 1, 1]
        shares["input"].append(share_found(detections, ours, box=1e-4))
        detections = plain.torchvision_detections(theirs, rgb) / [*[width, height] * 2, 1, 1]
        shares["file"].append(share_found(detections, as_rows(in_file.detections)))
    means = {key: np.mean(values) for key, values in shares.items()}
    assert means["input"] == 1
    assert means["file"] >= 0.999


def rows_of_torchvisions():
    """(8732,) the row here of each of torchvision's default boxes."""
    return np.concatenate(
        [
            start + np.array([0, count - 1, *range(1, count - 1)])
            for cells, count, begin in zip(
                plain.CELLS[300], plain.BOXES[300], map_starts(plain.CASES[0]), strict=False
            )
            for start in range(begin, begin + cells**2 * count, count)
        ]
    )


def anchors_of_torchvision(torch):
    """(8732, 4) x1 y1 x2 y2 in pixels."""
    cx, cy, w, h = (torch.from_numpy(plain.priors(plain.CASES[0])) * 300).float().T
    return torch.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], 1)


def test_positives_and_losses_equal_torchvisions(rng):
    """Random outputs; no object has two best default boxes."""
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    model = torchvision.models.detection.ssd300_vgg16(weights=None, weights_backbone=None)
    boxes_xyxy = np.array([[0.1, 0.1, 0.4, 0.5], [0.5, 0.2, 0.9, 0.8], [0.05, 0.6, 0.15, 0.7]])
    labels = np.array([3, 90, 17], np.int32)
    boxes_yxyx = as_xyxy(boxes_xyxy).astype(np.float32)  # the same exchange of axes
    targets = encode_targets(boxes_yxyx, labels, DEFAULT_BOXES)
    offsets = rng.normal(size=(8732, 4)).astype(np.float32)
    logits = rng.normal(size=(8732, 91)).astype(np.float32)
    ours = DetectionLoss(make_class_loss("multibox"))(
        *(Tensor(one[None]) for one in (offsets, logits, targets.offsets, targets.labels))
    )
    theirs, anchors = rows_of_torchvisions(), anchors_of_torchvision(torch)
    boxes = torch.from_numpy(boxes_xyxy * 300).float()
    owner = model.proposal_matcher(torchvision.ops.box_iou(boxes, anchors))
    expected = model.compute_loss(
        [{"boxes": boxes, "labels": torch.from_numpy(labels).long()}],
        {
            "bbox_regression": torch.from_numpy(as_xyxy(offsets)[theirs])[None],
            "cls_logits": torch.from_numpy(logits[theirs])[None],
        },
        [anchors],
        [owner],
    )
    assert (targets.labels > 0).sum() > 10
    np.testing.assert_array_equal(match(boxes_yxyx, DEFAULT_BOXES)[theirs], owner.numpy())
    assert float(ours[0]) == pytest.approx(float(expected["bbox_regression"]), rel=1e-5)
    assert float(ours[1]) == pytest.approx(float(expected["classification"]), rel=1e-5)


def test_positives_of_photos_equal_torchvisions_but_for_ties():
    """Each object by itself; torchvision cuts two default boxes of the last map."""
    torch = pytest.importorskip("torch")
    torchvision = pytest.importorskip("torchvision")
    from torchvision.models.detection._utils import SSDMatcher

    if not REAL.is_dir():
        pytest.skip("real COCO images are not here")
    split = read_coco(REAL.parents[1] / "annotations/instances_val.json")
    matcher, theirs, anchors = (
        SSDMatcher(0.5),
        rows_of_torchvisions(),
        anchors_of_torchvision(torch),
    )
    compared = 0
    for objects in split.objects.values():
        for box_yxyx in objects.boxes_yxyx[~objects.crowd]:
            box = torch.from_numpy(as_xyxy(box_yxyx[None]) * 300)
            iou = torchvision.ops.box_iou(box, anchors)
            if (iou > iou.max() - 1e-5).sum() == 1:
                unequal = match(box_yxyx[None], DEFAULT_BOXES)[theirs] != matcher(iou).numpy()
                assert set(np.flatnonzero(unequal)) <= {8730, 8731}
                compared += 1
    assert compared > 900


def test_mmdetections_input_is_not_divided_by_the_deviation():
    case = plain.CASES[1]
    arrays = zeros(case)
    arrays["backbone.features.0.weight"][:] = np.arange(1, 4).reshape(1, 3, 1, 1)
    found = from_arrays(arrays, "file")
    level = np.full((300, 300, 3), 200, np.uint8)
    kernel = next(iter(found.network.get_parameters())).asnumpy()
    value = (to_network_input(level)[:, 0, 0] * kernel[0, :, 1, 1]).sum()
    expected = (200 - np.array([123.675, 116.28, 103.53])) @ [1, 2, 3]
    assert value == pytest.approx(expected, rel=1e-5)
    assert found.metadata.model.normalisation == "imagenet"


ZOO_STAGES = ((3, 64, 64), (64, 128, 128), (128, 256, 256, 256), (256, 512, 512, 512), (512,) * 4)


def zoo_arrays(boxes=(4, 6, 6, 6, 4, 4), columns=81):
    """MindSpore's SSD300VGG16 in the order of its definition; each array has its own value."""
    shapes = {}
    for stage, channels in enumerate(ZOO_STAGES, 1):
        for number, (into, out) in enumerate(pairwise(channels)):
            shapes[f"backbone.b{stage}.{2 * number}.weight"] = (out, into, 3, 3)
    shapes |= {"b6_1.weight": (1024, 512, 3, 3), "b7_1.weight": (1024, 1024, 1, 1)}
    wide = 1024
    for block, (narrow, out) in zip((8, 9, 10, 11), ((256, 512), *[(128, 256)] * 3), strict=True):
        shapes[f"b{block}_1.weight"] = (narrow, wide, 1, 1)
        shapes[f"b{block}_2.weight"] = (out, narrow, 3, 3)
        wide = out
    for kind, values in (("loc", 4), ("cls", columns)):
        for n, (width, count) in enumerate(
            zip((512, 1024, 512, 256, 256, 256), boxes, strict=True)
        ):
            head = f"multi_box.multi_{kind}_layers.{n}"
            shapes[f"{head}.0.weight"] = (width, 1, 3, 3)
            for role in ("moving_mean", "moving_variance", "gamma", "beta"):
                shapes[f"{head}.1.{role}"] = (width,)
            shapes[f"{head}.3.weight"] = (count * values, width, 1, 1)
            shapes[f"{head}.3.bias"] = (count * values,)
    return {key: np.full(shape, n, np.float32) for n, (key, shape) in enumerate(shapes.items())}


def test_the_model_zoos_network_is_the_tutorials(tmp_path):
    arrays = zoo_arrays()
    values = [{"name": key, "data": Tensor(array)} for key, array in arrays.items()]
    ms.save_checkpoint(values, str(tmp_path / "zoo.ckpt"))
    found = read_published(tmp_path / "zoo.ckpt")
    ours = {p.name: p.asnumpy() for p in found.network.get_parameters()}
    assert len(ours) == len(arrays)
    for value, array in enumerate(ours.values()):  # both are in the order of the computation
        assert (array == value).all()
    model = found.metadata.model
    assert (model.head, model.l2_norm, model.extra_relu, model.conv_bias) == (
        "separable", False, False, False,
    )  # fmt: skip
    assert found.metadata.loss == "focal"
    assert model.default_box_scales == (0.1, 0.27, 0.44, 0.61, 0.78, 0.95, 1.0)


def test_the_zoo_s_7308_boxes_are_refused_with_both_shapes():
    with pytest.raises(InputError, match=r"multi_cls_layers\.0\.3\.bias: found \(243,\), expected"):
        from_arrays(zoo_arrays((3, 6, 6, 6, 6, 6)), "file")


# What a stranger's file may hold.
PYTORCH = plain.CASES[3]


def test_containers_and_types_do_not_matter(tmp_path):
    arrays = zeros(PYTORCH) | {"conf.0.bias": np.arange(84, dtype=np.float32)}
    save_file({k: v.astype(np.float16) for k, v in arrays.items()}, tmp_path / "a.safetensors")
    np.savez(tmp_path / "a.npz", **{f"module.{k}": v for k, v in arrays.items()})
    for file in ("a.safetensors", "a.npz"):
        found = read_published(tmp_path / file)
        (bias,) = (p for p in found.network.get_parameters() if p.name == "class_heads.0.bias")
        assert bias.asnumpy()[:21].tolist() == list(range(21))
        assert not any(line.startswith("unused") for line in found.lines)


def test_what_went_where_is_said():
    arrays = zeros(PYTORCH)
    copies = {f"ema.{key}": array for key, array in arrays.items()}
    found = from_arrays({**copies, **arrays, "optimizer.lr": np.ones(1, np.float32)}, "file")
    assert found.lines[0] == "ssd.pytorch's SSD300 of 20 classes"
    assert "backbone ← vgg.0 … vgg.33 (15)" in found.lines
    assert "l2_norm ← L2Norm.weight" in found.lines
    assert any(line.startswith("unused, another copy of the weights: ema.") for line in found.lines)
    assert "unused, not a weight of the network: optimizer.lr" in found.lines


def test_the_printed_parameters_measure_it():
    found = from_arrays(zeros(VOC_512), "file")
    printed = YAML(typ="safe").load("\n".join(found.parameters(Path("a #1.ckpt"))[1:]))
    assert ModelParams.model_validate(printed["model"]) == found.metadata.model
    assert printed["train"] == {"init_from": "a #1.ckpt", "epochs": 0, "loss": "multibox"}
    assert printed["evaluate"] == {
        "score_threshold": 0.01, "nms_iou": 0.45, "max_detections": 100, "max_candidates": None,
    }  # fmt: skip


def changed(**arrays):
    found = zeros(PYTORCH) | {key.replace("_", "."): value for key, value in arrays.items()}
    return {key: value for key, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features.0.weight": np.zeros((64, 3, 3, 3))}, r"expected SSD with VGG16 of"),
        (changed(vgg_33_bias=None), r"file: vgg\.33\.bias: found 'no such array', expected"),
        (changed(loc_5_bias=None), r"found '5 maps with heads', expected"),
        (
            changed(vgg_0_weight=np.zeros((64, 3, 5, 5), np.float32)),
            r"vgg\.0\.weight: found \(64, 3, 5, 5\), expected '?\(64, 3, 3, 3\), as ssd\.pytorch's",
        ),
        (
            changed(vgg_0_bias=np.full(64, np.nan, np.float32)),
            r"vgg\.0\.bias: found 'values that are not finite'",
        ),
        (zeros(PYTORCH._replace(columns=6)), r"found '5 classes', expected a name for each"),
    ],
    ids=["VGG16", "missing", "map", "shape", "NaN", "classes"],
)  # fmt: skip
def test_what_does_not_fit_is_one_error(arrays, message):
    with pytest.raises(InputError, match=message):
        from_arrays(arrays, "file")


def test_other_classes_need_their_names():
    arrays = zeros(PYTORCH._replace(columns=4))
    three = tuple(CocoClass(number, name) for number, name in enumerate("abc", 1))
    assert from_arrays(arrays, "file", three).metadata.classes == three
    with pytest.raises(InputError, match="3 classes, 2 names"):
        from_arrays(arrays, "file", three[:2])
