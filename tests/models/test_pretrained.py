import numpy as np
import pytest
from mindspore import Tensor

from ssdcore.core.errors import InputError
from ssdcore.models.layers import scaled_channels
from ssdcore.models.pretrained import load_vgg16
from ssdcore.models.ssd import SSD

WHERE = "model.pretrained"
CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
POOLED_AFTER = (1, 3, 6, 9)
"""Convolutions (from 0) with a 2×2 pooling behind them, up to conv4_3."""
PLAIN = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Where torchvision's `features` of vgg16 have their convolutions."""
BLOCKS = (
    "conv1.0", "conv1.1", "conv2.0", "conv2.1", "conv3.0", "conv3.1", "conv3.2",
    "conv4.0", "conv4.1", "conv4.2", "conv5.0", "conv5.1", "conv5.2",
)  # fmt: skip
MINDSPORE = ("gamma", "beta", "moving_mean", "moving_variance")
NARROW = 0.02
NARROW_CHANNELS = (8,) * 13
"""What `NARROW` makes of `CHANNELS`; with equal shapes only the order tells layers apart."""
NARROW_FC = 24


def narrow(batch_norm=False, **settings):
    return SSD(2, NARROW, "conv", batch_norm, dropout=0.0, **settings)


@pytest.fixture(scope="module")
def full():
    """The network at the width that published weights fit."""
    return SSD(2, 1.0, "conv", batch_norm=False, dropout=0.0)


def parameters(network):
    return {p.name: p.asnumpy().copy() for p in network.get_parameters()}


def he(rng, *shape):
    scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
    return rng.standard_normal(shape, dtype=np.float32) * scale


def features(rng, channels=NARROW_CHANNELS, style="features.{}.{}"):
    """Makes the thirteen convolutions with biases, as torchvision's vgg16 names them."""
    arrays = {}
    for i, inputs, outputs in zip(PLAIN, (3, *channels), channels, strict=False):
        arrays[style.format(i, "weight")] = he(rng, outputs, inputs, 3, 3)
        arrays[style.format(i, "bias")] = rng.normal(0, 0.3, outputs).astype(np.float32)
    return arrays


def classifier(rng, first="classifier.0", second="classifier.3"):
    """Makes narrow fc6 and fc7, already as convolutions of the backbone's size."""
    return {
        f"{first}.weight": he(rng, NARROW_FC, 8, 3, 3),
        f"{first}.bias": rng.normal(0, 0.3, NARROW_FC).astype(np.float32),
        f"{second}.weight": he(rng, NARROW_FC, NARROW_FC, 1, 1),
        f"{second}.bias": rng.normal(0, 0.3, NARROW_FC).astype(np.float32),
    }


def convolved(x, weight, dilation=1):
    """Convolves x (C, H, W) with zeros around it, tap by tap, in float64."""
    _, height, width = x.shape
    side = weight.shape[2]
    margin = dilation * (side // 2)
    x = np.pad(x.astype(np.float64), ((0, 0), (margin, margin), (margin, margin)))
    return sum(
        np.tensordot(weight[:, :, i, j], x[:, i * dilation :, j * dilation :], 1)[
            :, :height, :width
        ]
        for i in range(side)
        for j in range(side)
    )


def pooled(x):
    """Takes the maxima of 2×2 cells; at an odd edge, of those that are there."""
    channels, height, width = x.shape
    x = np.pad(x, ((0, 0), (0, height % 2), (0, width % 2)), constant_values=-np.inf)
    return x.reshape(channels, (height + 1) // 2, 2, (width + 1) // 2, 2).max((2, 4))


def smoothed(x):
    """Takes the maxima of 3×3 cells around each cell (pool5)."""
    _, height, width = x.shape
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    shifts = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return np.max(shifts, 0)


def numpy_backbone(image, convolution, fc6, fc7):
    """Runs VGG16 without MindSpore; the arguments apply the i-th layer without its ReLU."""
    x, conv4_3 = image, None
    for i in range(13):
        x = np.maximum(convolution(i, x), 0)
        conv4_3 = x if i == 9 else conv4_3
        x = pooled(x) if i in POOLED_AFTER else x
    x = np.maximum(fc6(smoothed(x)), 0)
    return conv4_3, np.maximum(fc7(x), 0)


def assert_same_activations(network, image, reference):
    maps = network.backbone(Tensor(image[None]))
    for ours, theirs in zip(maps, reference, strict=True):
        assert ours.shape[1:] == theirs.shape
        assert theirs.max() > 0.1
        np.testing.assert_allclose(ours.asnumpy()[0], theirs, atol=1e-4 * theirs.max())


def assert_complete(transfer, network, arrays):
    """Every name of either side is in the report once."""
    assert sorted([*transfer.loaded.values(), *transfer.unused]) == sorted(arrays)
    assert sorted([*transfer.loaded, *transfer.fresh]) == sorted(parameters(network))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_backbone_computes_what_numpy_does(rng, batch_norm):
    network = narrow(batch_norm).set_train(False)
    arrays = {**features(rng), **classifier(rng)}
    assert_complete(load_vgg16(network, arrays, WHERE), network, arrays)
    for one in network.backbone.get_parameters():
        if ".norm." in one.name:
            one.set_data(Tensor(rng.uniform(0.5, 1.5, one.shape).astype(np.float32)))
    held = parameters(network)
    stems = dict(
        zip(
            (*BLOCKS, "fc6", "fc7"),
            (*(f"features.{i}" for i in PLAIN), "classifier.0", "classifier.3"),
            strict=True,
        )
    )

    def layer(block, x, dilation=1):
        x = convolved(x, arrays[f"{stems[block]}.weight"], dilation)
        if not batch_norm:
            return x + arrays[f"{stems[block]}.bias"][:, None, None]
        gamma, beta, mean, variance = (
            held[f"backbone.{block}.norm.{role}"][:, None, None] for role in MINDSPORE
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    image = rng.normal(0, 1, (3, 36, 36)).astype(np.float32)
    reference = numpy_backbone(
        image,
        lambda i, x: layer(BLOCKS[i], x),
        lambda x: layer("fc6", x, 6),
        lambda x: layer("fc7", x),
    )
    assert_same_activations(network, image, reference)


@pytest.mark.parametrize(
    ("style", "first", "second"),
    [
        ("features.{}.{}", "classifier.0", "classifier.3"),
        ("features.{}.{}", "pre_logits.fc1", "pre_logits.fc2"),
        ("module.features.{}.{}", "module.classifier.0", "module.classifier.3"),
        ("model.backbone.layers.{}.{}", "fc6", "fc7"),
        ("network.features.{}.{}", "network.pre_logits.fc1", "network.pre_logits.fc2"),
        ("vgg.{}.{}", "vgg.31", "vgg.33"),
    ],
)
def test_the_names_of_other_projects_are_understood(rng, style, first, second):
    network = narrow()
    before = parameters(network)
    arrays = {**features(rng, style=style), **classifier(rng, first, second)}
    names = list(arrays)
    rng.shuffle(names)
    transfer = load_vgg16(network, {name: arrays[name] for name in names}, WHERE)
    assert transfer.unused == {}
    assert_complete(transfer, network, arrays)

    after = parameters(network)
    stems = [*(style.format(i, "")[:-1] for i in PLAIN), first, second]
    for block, stem in zip((*BLOCKS, "fc6", "fc7"), stems, strict=True):
        for role in ("weight", "bias"):
            target, name = f"backbone.{block}.conv.{role}", f"{stem}.{role}"
            np.testing.assert_array_equal(after[target], arrays[name], err_msg=target)
            assert transfer.loaded[target] == name
    for name in transfer.fresh:
        np.testing.assert_array_equal(after[name], before[name])
        assert name.startswith(("extras.", "box_heads.", "class_heads.", "l2_norm."))


def blank_features():
    """Gives the thirteen convolutions of full size without memory of their size."""
    return {
        f"features.{i}.weight": np.broadcast_to(np.float32(0), (outputs, inputs, 3, 3))
        for i, inputs, outputs in zip(PLAIN, (3, *CHANNELS), CHANNELS, strict=False)
    }


OUTPUTS = np.arange(4096, dtype=np.float32)
INPUTS = np.arange(512 * 7 * 7, dtype=np.float32)


@pytest.mark.parametrize("linear", [True, False])
def test_fc6_and_fc7_keep_every_fourth_output_and_every_third_tap(full, linear):
    one = () if linear else (1, 1)
    first, second = (
        ("classifier.0", "classifier.3") if linear else ("pre_logits.fc1", "pre_logits.fc2")
    )
    fc6 = (4096, 512 * 7 * 7) if linear else (4096, 512, 7, 7)
    fc7 = (4096, 4096, *one)
    by_output = {
        f"{first}.weight": np.broadcast_to(OUTPUTS.reshape(-1, *[1] * (len(fc6) - 1)), fc6),
        f"{first}.bias": OUTPUTS,
        f"{second}.weight": np.broadcast_to(OUTPUTS.reshape(-1, 1, *one), fc7),
        f"{second}.bias": OUTPUTS + 1,
    }
    load_vgg16(full, {**blank_features(), **by_output}, WHERE)
    after = parameters(full)
    fourths = np.arange(0, 4096, 4)
    assert after["backbone.fc6.conv.weight"].shape == (1024, 512, 3, 3)
    assert (after["backbone.fc6.conv.weight"] == fourths[:, None, None, None]).all()
    assert (after["backbone.fc6.conv.bias"] == fourths).all()
    assert after["backbone.fc7.conv.weight"].shape == (1024, 1024, 1, 1)
    assert (after["backbone.fc7.conv.weight"] == fourths[:, None, None, None]).all()
    assert (after["backbone.fc7.conv.bias"] == fourths + 1).all()

    by_input = {
        f"{first}.weight": np.broadcast_to(INPUTS.reshape(fc6[1:]), fc6),
        f"{second}.weight": np.broadcast_to(OUTPUTS.reshape(-1, *one), fc7),
    }
    load_vgg16(full, {**blank_features(), **by_input}, WHERE)
    after = parameters(full)
    channel, row, column = np.ogrid[:512, :3, :3]
    kept = channel * 49 + 3 * row * 7 + 3 * column
    assert (after["backbone.fc6.conv.weight"] == kept).all()
    assert (after["backbone.fc7.conv.weight"] == fourths[:, None, None]).all()


def test_reduced_fc6_and_fc7_are_taken_as_they_are(full):
    fc6 = np.broadcast_to(np.arange(9, dtype=np.float32).reshape(3, 3), (1024, 512, 3, 3))
    fc7 = np.broadcast_to(np.arange(1024, dtype=np.float32), (1024, 1024))
    arrays = {**blank_features(), "classifier.0.weight": fc6, "classifier.3.weight": fc7}
    arrays["classifier.0.bias"] = np.arange(1024, dtype=np.float16)
    assert load_vgg16(full, arrays, WHERE).unused == {}
    after = parameters(full)
    assert (after["backbone.fc6.conv.weight"] == fc6).all()
    assert (after["backbone.fc7.conv.weight"][:, :, 0, 0] == fc7).all()
    assert (after["backbone.fc6.conv.bias"] == np.arange(1024)).all()


def test_arrays_that_are_not_loaded_have_a_reason(rng):
    network = narrow()
    arrays = {**features(rng), **classifier(rng)}
    arrays["features.2.bias"] = np.zeros(9, np.float32)
    arrays["features.5.weight"] = arrays["features.5.weight"][:, :, :, :2]
    arrays["classifier.0.weight"][3, 1, 2, 0] = np.nan
    arrays["classifier.3.bias"][5] = np.inf
    foreign = {
        name: np.zeros(1, np.float32)
        for name in (
            "features.1.num_batches_tracked", "moments.features.0.weight", "global_step",
            "classifier.6.bias.old", "head.class.weight",
        )
    }  # fmt: skip
    heads = {
        name: np.zeros((1000, 4096), np.float32) for name in ("classifier.6.weight", "head.fc.bias")
    }
    twice = {"module.features.0.weight": arrays["features.0.weight"] + 1}
    everything = {**arrays, **foreign, **heads, **twice}
    transfer = load_vgg16(network, everything, WHERE)
    assert_complete(transfer, network, everything)
    shape = "shape {} where the network has {}"
    assert transfer.unused == {
        "features.2.bias": shape.format("(9,)", "(8,)"),
        "features.5.weight": shape.format("(8, 8, 3, 2)", "(8, 8, 3, 3)"),
        "features.5.bias": "the weight of its layer was not loaded",
        "classifier.0.weight": "values that are not finite",
        "classifier.0.bias": "the weight of its layer was not loaded",
        "classifier.3.bias": "values that are not finite",
        **dict.fromkeys(foreign, "not a weight of VGG16's layers"),
        **dict.fromkeys(heads, "fc8 only separates ImageNet's classes"),
        **dict.fromkeys(twice, "another array maps to the same parameter"),
    }
    first = parameters(network)["backbone.conv1.0.conv.weight"]
    np.testing.assert_array_equal(first, arrays["features.0.weight"])


def test_biases_that_are_not_loaded_have_a_reason(rng):
    arrays = features(rng)
    biases = [name for name in arrays if name.endswith("bias")]
    for settings, reason in (
        ({"batch_norm": True}, "the network's batch norm replaces the bias"),
        ({"conv_bias": False}, "the network has no bias there"),
    ):
        transfer = load_vgg16(narrow(**settings), arrays, WHERE)
        assert transfer.unused == dict.fromkeys(biases, reason)
        assert len(transfer.loaded) == 13


def refusal(network, arrays):
    before = parameters(network)
    with pytest.raises(InputError) as caught:
        load_vgg16(network, arrays, WHERE)
    assert caught.value.where == WHERE
    for name, value in parameters(network).items():
        np.testing.assert_array_equal(value, before[name])
    return str(caught.value)


def test_a_network_of_another_width_is_refused():
    message = refusal(narrow(), blank_features())
    assert "features.0.weight (64, 3, 3, 3)" in message
    assert "model.width to 1.0" in message


def test_other_networks_are_refused(rng):
    thirteen = features(rng)
    twelve = {name: array for name, array in thirteen.items() if "features.28" not in name}
    sixteen = {**thirteen, **{f"features.{i}.weight": he(rng, 8, 8, 3, 3) for i in (30, 32, 34)}}
    network = narrow()
    assert "'12 convolutions: features.0.weight (8, 3, 3, 3)" in refusal(network, twelve)
    assert "'16 convolutions" in refusal(network, sixteen)
    assert "'0 convolutions: conv1.weight (64, 3, 7, 7)" in refusal(
        network, {"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}
    )
    load_vgg16(network, thirteen, WHERE)


@pytest.mark.parametrize("roles", [("running_mean", "running_var"), MINDSPORE])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_file_with_batch_norm_is_refused(rng, roles, batch_norm):
    norm = {f"features.1.{role}": np.ones(8, np.float32) for role in roles}
    message = refusal(narrow(batch_norm), {**features(rng), **norm})
    assert "found 'batch norm', expected a VGG16 without it" in message
    assert "Take those of torchvision" in message


def test_the_narrow_network_is_as_the_files_above_assume():
    assert tuple(scaled_channels(c, NARROW) for c in CHANNELS) == NARROW_CHANNELS
    assert scaled_channels(1024, NARROW) == NARROW_FC
