import mindspore as ms
import numpy as np
import pytest

from ssdcore.coco.annotations import CocoClass
from ssdcore.core.errors import InputError
from ssdcore.models.checkpoint import build_network, save
from ssdcore.models.device import seed_all
from ssdcore.models.fine_tune import pass_on, start_from
from ssdcore.models.metadata import ModelMetadata
from ssdcore.models.published import from_arrays
from ssdcore.models.ssd import class_predictors
from tests.models import published_networks as plain
from tests.network_fixtures import RATIOS

OLD = (CocoClass(1, "cat"), CocoClass(2, "dog"), CocoClass(3, "cow"))
NEW = (CocoClass(7, "horse"), CocoClass(8, "cow"), CocoClass(9, "cat"))
ROWS = {0: 0, 2: 3, 3: 1}
"""Row of a shared class (and of the background) here → in the checkpoint."""
BOTH_HEADS = pytest.mark.parametrize("old", ["conv", "separable"], indirect=True)


def values(network):
    return {p.name: p.asnumpy().copy() for p in network.get_parameters()}


def predictor_names(network):
    return {p.name for cell in class_predictors(network) for p in cell.get_parameters()}


@pytest.fixture(scope="module")
def old(request, model, tmp_path_factory):
    """A network of three classes, its parameters and its checkpoint."""
    model = model.model_copy(update={"head": getattr(request, "param", "conv")})
    seed_all(1)
    source = build_network(model, 3, "multibox")
    for parameter in source.get_parameters():  # no value as initialised
        parameter.set_data(ms.Tensor(parameter.asnumpy() + np.float32(0.25)))
    checkpoint = tmp_path_factory.mktemp("old") / "old.ckpt"
    save(checkpoint, source, ModelMetadata(model, OLD, "multibox", step=5))
    return source, model, checkpoint


@pytest.fixture
def pair(old):
    """The network, the metadata of another one for three other classes, and the checkpoint."""
    source, model, checkpoint = old
    return source, ModelMetadata(model, NEW, "multibox", step=0), checkpoint


@pytest.fixture
def network(old):
    """The other network."""
    seed_all(2)
    return build_network(old[1], 3, "multibox")


@BOTH_HEADS
def test_rows_follow_the_class_names(pair, network):
    """Everything but the class predictors is loaded unchanged."""
    source, metadata, checkpoint = pair
    initial = values(network)
    lines = list(start_from(network, metadata, checkpoint).lines())
    theirs, ours = values(source), values(network)
    names = predictor_names(network)
    assert len(names) == 12
    assert theirs.keys() == ours.keys()
    for name in theirs.keys() - names:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert lines[0] == "classes kept: cow, cat; new: horse; left: dog"
    assert lines[1] == f"{len(ours)} parameters loaded, 0 fresh; 0 arrays of the file unused"
    for name in names:
        new, old, before = (
            one[name].reshape(-1, 4, *one[name].shape[1:]) for one in (ours, theirs, initial)
        )
        for row in range(4):
            expected = old[:, ROWS[row]] if row in ROWS else before[:, row]
            np.testing.assert_array_equal(new[:, row], expected, err_msg=f"{name}, row {row}")


def test_class_predictors_for_another_loss_stay_fresh(pair, network):
    _, metadata, checkpoint = pair
    initial = values(network)
    lines = list(start_from(network, metadata._replace(loss="focal"), checkpoint).lines())
    for name in predictor_names(network):
        np.testing.assert_array_equal(values(network)[name], initial[name])
    assert not any(line.startswith("classes") for line in lines)
    assert any("class heads of multibox and focal loss are incompatible" in line for line in lines)


def test_heads_of_other_default_boxes_stay_fresh(pair):
    _, metadata, checkpoint = pair
    model = metadata.model.model_copy(update={"aspect_ratios": RATIOS})
    network = build_network(model, 3, "multibox")
    initial = values(network)
    report = start_from(network, metadata._replace(model=model), checkpoint)
    fresh = set(report.fresh)
    assert {name.partition(".")[0] for name in fresh} == {"box_heads", "class_heads"}
    assert {name.split(".")[1] for name in fresh} == {"0", "1", "2"}
    for name in fresh:
        np.testing.assert_array_equal(values(network)[name], initial[name])


def test_parameters_that_do_not_fit_are_named(pair):
    """A checkpoint without batch norm has biases instead; one without L2 norm no scale."""
    _, metadata, checkpoint = pair
    model = metadata.model.model_copy(update={"batch_norm": False})
    network = build_network(model, 3, "multibox")
    lines = list(start_from(network, metadata._replace(model=model), checkpoint).lines())
    assert any("fresh: backbone.conv1.0.conv.bias" in line for line in lines)
    assert any(
        "unused, the network has no such parameter: backbone.conv1.0.norm" in line for line in lines
    )


@pytest.mark.parametrize(("key", "value"), [("width", 0.05), ("normalisation", "caffe")])
def test_another_backbone_is_refused(pair, key, value):
    _, metadata, checkpoint = pair
    model = metadata.model.model_copy(update={key: value})
    network = build_network(model, 3, "multibox")
    initial = values(network)
    with pytest.raises(InputError, match=rf"model\.{key}: found .*{value}.*as .*old\.ckpt has it"):
        start_from(network, metadata._replace(model=model), checkpoint)
    for name, value_before in initial.items():
        np.testing.assert_array_equal(values(network)[name], value_before)


def test_the_papers_ratios_written_out_are_the_same_as_none(pair):
    _, metadata, checkpoint = pair
    paper = tuple(of_map.aspect_ratios for of_map in metadata.model.layout.maps)
    model = metadata.model.model_copy(update={"aspect_ratios": paper})
    assert pass_on(metadata._replace(model=model), checkpoint)[1].step == 5


def test_a_start_is_passed_on_with_its_own_classes(pair):
    source, metadata, checkpoint = pair
    model = metadata.model.model_copy(update={"dropout": 0.5})  # without effect on the detector
    network, passed, lines = pass_on(metadata._replace(model=model), checkpoint)
    assert passed == metadata._replace(classes=OLD, step=5)
    theirs, ours = values(source), values(network)
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert lines == [f"passed on without training: {checkpoint}"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [("batch_norm", False, "True"), ("default_box_scales", (0.1, 0.2, 0.3), r"\[0\.1, 0\.27")],
)
def test_only_the_network_of_the_parameters_is_passed_on(pair, key, value, expected):
    _, metadata, checkpoint = pair
    model = metadata.model.model_copy(update={key: value})
    with pytest.raises(InputError, match=rf"model\.{key}: found .*expected {expected}"):
        pass_on(metadata._replace(model=model), checkpoint)
    with pytest.raises(InputError, match=r"train\.loss: found 'focal', expected multibox, as"):
        pass_on(metadata._replace(loss="focal"), checkpoint)


def test_three_classes_start_from_a_published_detector(tmp_path):
    """Two have names of COCO's; the others' rows and the background's stay apart. It may resize
    otherwise than the detector."""
    case = plain.CASES[0]
    arrays = {name: np.zeros(shape, np.float32) for name, shape in plain.shapes(case).items()}
    head = plain.heads(case, 1)[0].name
    rows = np.arange(4 * 91, dtype=np.float32)
    arrays[f"{head}.bias"] = rows
    np.savez(tmp_path / "published.npz", **arrays)
    classes = (CocoClass(1, "forklift"), CocoClass(2, "Stop sign"), CocoClass(3, "person"))
    model = from_arrays(arrays, "file").metadata.model.model_copy(update={"resize": "stretch"})
    network = build_network(model, 3, "multibox")
    initial = values(network)["class_heads.0.bias"].reshape(4, 4)
    metadata = ModelMetadata(model, classes, "multibox", step=0)
    lines = list(start_from(network, metadata, tmp_path / "published.npz").lines())
    bias = values(network)["class_heads.0.bias"].reshape(4, 4)
    theirs = rows.reshape(4, 91)[[0, 2, 3, 1]]  # their second square comes last here
    np.testing.assert_array_equal(bias[:, [0, 2, 3]], theirs[:, [0, 13, 1]])  # COCO's ids
    np.testing.assert_array_equal(bias[:, 1], initial[:, 1])
    assert "torchvision's SSD300 of 90 classes" in lines
    (said,) = [line for line in lines if line.startswith("classes kept")]
    assert said.startswith("classes kept: Stop sign, person; new: forklift; left: bicycle … ")
