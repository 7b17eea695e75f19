"""Published SSDs, written plainly from their projects' definitions: names, boxes, outputs.

It shares no code with the library. Layers are numbered as the projects' loops number them. The
forward pass and torchvision's own class need PyTorch; `python -m tests.models.published_networks`
writes tests/fixtures/published.npz with it.
"""

import json
import zlib
from itertools import pairwise, product
from math import floor, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FROZEN = Path(__file__).parents[1] / "fixtures/published.npz"
VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "C", 512, 512, 512, "M", 512, 512, 512)
EXTRAS = {
    300: (256, "S", 512, 128, "S", 256, 128, 256, 128, 256),
    512: (256, "S", 512, 128, "S", 256, 128, "S", 256, 128, "S", 256),
}
BOXES = {300: (4, 6, 6, 6, 4, 4), 512: (4, 6, 6, 6, 6, 4, 4)}
CELLS = {300: (38, 19, 10, 5, 3, 1), 512: (64, 32, 16, 8, 4, 2, 1)}
STEPS = {300: (8, 16, 32, 64, 100, 300), 512: (8, 16, 32, 64, 128, 256, 512)}
SIZES_PX = {  # (dataset, input): the sides min_sizes and, from the second on, max_sizes
    ("coco", 300): (21, 45, 99, 153, 207, 261, 315),
    ("voc", 300): (30, 60, 111, 162, 213, 264, 315),
    ("coco", 512): (20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72),
    ("voc", 512): (35.84, 76.8, 153.6, 230.4, 307.2, 384.0, 460.8, 537.6),
}


class Conv(NamedTuple):
    name: str
    channels_in: int
    channels_out: int
    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class Case(NamedTuple):
    """A published network."""

    project: str
    size: int
    columns: int
    dataset: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.project}-{self.size}-{self.columns}-{self.seed}"


CASES = (
    Case("torchvision", 300, 91, "coco", 1),
    Case("mmdetection", 300, 81, "coco", 3),
    Case("mmdetection", 512, 81, "coco", 4),
    Case("ssd.pytorch", 300, 21, "voc", 5),
)


def vgg(prefix: str) -> list[Conv]:
    """ssd.pytorch's and mmdetection's VGG16 with the pools' and ReLUs' numbers."""
    found, number, channels = [], 0, 3
    for value in VGG:
        if isinstance(value, int):
            found.append(Conv(f"{prefix}.{number}", channels, value, 3, padding=1))
            channels, number = value, number + 2
        else:
            number += 1
    found.append(Conv(f"{prefix}.{number + 1}", 512, 1024, 3, padding=6, dilation=6))
    found.append(Conv(f"{prefix}.{number + 3}", 1024, 1024, 1))
    return found


def extras(size: int) -> list[Conv]:
    """ssd.pytorch's add_extras, numbered from 0."""
    found, channels, is_wide = [], 1024, False
    values = EXTRAS[size]
    for k, value in enumerate(values):
        if channels != "S":
            kernel = (1, 3)[is_wide]
            if value == "S":
                found.append(Conv("", channels, values[k + 1], kernel, stride=2, padding=1))
            else:
                found.append(Conv("", channels, value, kernel))
            is_wide = not is_wide
        channels = value
    if size == 512:
        found += [Conv("", 256, 128, 1), Conv("", 128, 256, 4, padding=1)]
    return found


def torchvision_vgg() -> list[Conv]:
    """features holds what comes before the fourth pool, extra.0 the rest."""
    whole = vgg("backbone.features")
    names = [f"backbone.extra.0.{n}" for n in (1, 3, 5, "7.1", "7.3")]
    return whole[:10] + [c._replace(name=n) for c, n in zip(whole[10:], names, strict=True)]


def layers(project: str, size: int) -> tuple[list[Conv], list[Conv], str]:
    """The backbone, the extra layers, and the name of the L2 normalisation."""
    rest = extras(size)

    def named(pattern) -> list[Conv]:
        return [c._replace(name=pattern(n)) for n, c in enumerate(rest)]

    if project == "torchvision":
        blocks = named(lambda n: f"backbone.extra.{n // 2 + 1}.{n % 2 * 2}")
        return torchvision_vgg(), blocks, "backbone.scale_weight"
    if project == "mmdetection":
        blocks = named(lambda n: f"neck.extra_layers.{n // 2}.{n % 2}.conv")
        return vgg("backbone.features"), blocks, "neck.l2_norm.weight"
    if project == "mmdetection 2.13":
        blocks = named(lambda n: f"backbone.extra.{n}")
        return vgg("backbone.features"), blocks, "backbone.l2_norm.weight"
    if project == "ssd.pytorch":
        return vgg("vgg"), named(lambda n: f"extras.{n}"), "L2Norm.weight"
    assert project == "lufficc/SSD"
    blocks = named(lambda n: f"backbone.extras.{n}")
    return vgg("backbone.vgg"), blocks, "backbone.l2_norm.weight"


HEADS = {  # of boxes, of classes
    "torchvision": (
        "head.regression_head.module_list.{}",
        "head.classification_head.module_list.{}",
    ),
    "mmdetection": ("bbox_head.reg_convs.{}.0", "bbox_head.cls_convs.{}.0"),
    "mmdetection 2.13": ("bbox_head.reg_convs.{}", "bbox_head.cls_convs.{}"),
    "ssd.pytorch": ("loc.{}", "conf.{}"),
    "lufficc/SSD": ("box_head.predictor.reg_headers.{}", "box_head.predictor.cls_headers.{}"),
}


def heads(case: Case, kind: int) -> list[Conv]:
    backbone, rest, _ = layers(case.project, case.size)
    channels = [backbone[9].channels_out, 1024, *(c.channels_out for c in rest[1::2])]
    values = (4, case.columns)[kind]
    return [
        Conv(HEADS[case.project][kind].format(n), width, boxes * values, 3, padding=1)
        for n, (width, boxes) in enumerate(zip(channels, BOXES[case.size], strict=True))
    ]


def shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the state dict."""
    backbone, rest, norm = layers(case.project, case.size)
    found: dict[str, tuple[int, ...]] = {norm: (512,)}
    for conv in [*backbone, *rest, *heads(case, 0), *heads(case, 1)]:
        kernel = (conv.channels_out, conv.channels_in, conv.kernel, conv.kernel)
        found |= {f"{conv.name}.weight": kernel, f"{conv.name}.bias": kernel[:1]}
    return found


def random_weights(case: Case) -> dict[str, NDArray[np.float32]]:
    """He's deviations, so that signals stay; the first layer brings levels to about 1."""
    found = {}
    for name, shape in shapes(case).items():
        rng = np.random.default_rng((case.seed, zlib.crc32(name.encode())))
        values = rng.standard_normal(shape, np.float32)
        if len(shape) == 4:
            values *= sqrt(2 / np.prod(shape[1:])) / (60 if shape[1] == 3 else 1)
        elif name.endswith(".bias"):
            values *= 0.1
        else:
            values = 20 + 3 * values
        found[name] = values.astype(np.float32)
    return found


def image(case: Case) -> NDArray[np.uint8]:
    """(S, S, 3): coarse and fine noise."""
    rng = np.random.default_rng(case.seed)
    side = case.size
    coarse = np.kron(rng.integers(0, 200, (8, 8, 3)), np.ones((side // 8 + 1, side // 8 + 1, 1)))
    return (coarse[:side, :side] + rng.integers(0, 56, (side, side, 3))).astype(np.uint8)


def priors(case: Case) -> NDArray[np.float64]:
    """(K, 4) cx cy w h, fractions; both squares, then the ratios.

    torchvision cuts sides to the image, ssd.pytorch and lufficc/SSD cut centres, too.
    mmdetection cuts nothing and rounds sides down to pixels.
    """
    boxes = unclipped_priors(case)
    if not case.project.startswith("mmdetection"):
        cut = slice(2, 4) if case.project == "torchvision" else slice(4)
        boxes[:, cut] = np.clip(boxes[:, cut], 0, 1)
    return boxes


def has_own_centre(case: Case) -> NDArray[np.bool_]:
    """(K,) whether the centre is not cut: in SSD300's third map the last ones are at 1.013."""
    return (np.abs(priors(case) - unclipped_priors(case))[:, :2] < 1e-9).all(1)


def unclipped_priors(case: Case) -> NDArray[np.float64]:
    """(K, 4) cx cy w h before anything is cut."""
    size, found = case.size, []
    sides = [float(s) for s in SIZES_PX[case.dataset, size]]
    if case.project.startswith("mmdetection"):
        sides = [float(floor(s)) for s in sides]
    for k, (cells, step) in enumerate(zip(CELLS[size], STEPS[size], strict=True)):
        ratios = (2, 3) if BOXES[size][k] == 6 else (2,)
        small, between = sides[k] / size, sqrt(sides[k] * sides[k + 1]) / size
        pairs = [(small, small), (between, between)]
        for ratio in ratios:
            pairs += [(small * sqrt(ratio), small / sqrt(ratio))]
            pairs += [(small / sqrt(ratio), small * sqrt(ratio))]
        for i, j in product(range(cells), repeat=2):
            centre = ((j + 0.5) * step / size, (i + 0.5) * step / size)
            found += [(*centre, *pair) for pair in pairs]
    return np.array(found)


def decode(offsets: NDArray[Any], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Offsets (K, 4) of x, y, w, h from priors (K, 4) → x1 y1 x2 y2, clipped to the image."""
    centre = boxes[:, :2] + offsets[:, :2] * 0.1 * boxes[:, 2:]
    half = boxes[:, 2:] * np.exp(offsets[:, 2:] * 0.2) / 2
    return np.clip(np.concatenate([centre - half, centre + half], 1), 0, 1)


def background_first(case: Case, logits: NDArray[Any]) -> NDArray[Any]:
    last = case.project.startswith("mmdetection")
    return np.concatenate([logits[:, -1:], logits[:, :-1]], 1) if last else logits


def forward(case: Case, weights: dict[str, Any], rgb: NDArray[np.uint8]) -> tuple[Any, Any]:
    """Offsets (K, 4) and logits (K, columns) in the project's order, with PyTorch."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    values = {name: torch.from_numpy(array) for name, array in weights.items()}

    def conv(x, layer):
        return F.conv2d(
            x, values[f"{layer.name}.weight"], values[f"{layer.name}.bias"],
            layer.stride, layer.padding, layer.dilation,
        )  # fmt: skip

    mean = {"mmdetection": (123.675, 116.28, 103.53), "ssd.pytorch": (123, 117, 104)}
    x = torch.from_numpy(rgb.astype(np.float32) - np.float32(mean[case.project]))
    x = x.permute(2, 0, 1)[None]
    backbone, rest, norm = layers(case.project, case.size)
    convs, maps = iter(backbone), []
    for value in VGG:
        if isinstance(value, int):
            x = F.relu(conv(x, next(convs)))
            continue
        if len(maps) == 0 and value == "M" and x.shape[1] == 512:
            scale = values[norm][None, :, None, None]
            maps.append(x / (x.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) * scale)
        x = F.max_pool2d(x, 2, ceil_mode=value == "C")
    x = F.max_pool2d(x, 3, 1, 1)
    for layer in convs:
        x = F.relu(conv(x, layer))
    maps.append(x)
    for number, layer in enumerate(rest):
        x = F.relu(conv(x, layer))
        if number % 2:
            maps.append(x)
    outputs = []
    for kind, width in ((0, 4), (1, case.columns)):
        found = [conv(m, head) for m, head in zip(maps, heads(case, kind), strict=True)]
        rows = [one.permute(0, 2, 3, 1).reshape(-1, width) for one in found]
        outputs.append(torch.cat(rows).numpy())
    return outputs[0], outputs[1]


def torchvision_model(weights: dict[str, NDArray[np.float32]]) -> Any:
    """torchvision's own class with these weights."""
    import torch
    from torchvision.models.detection import ssd300_vgg16

    model = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=91)
    state = {name: torch.from_numpy(array) for name, array in weights.items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def torchvision_outputs(model: Any, rgb: NDArray[np.uint8]) -> tuple[Any, Any]:
    """Offsets and logits from torchvision's own modules, for an image of the network's size."""
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
        images, _ = model.transform([pixels])
        found = model.head(list(model.backbone(images.tensors).values()))
    return found["bbox_regression"][0].numpy(), found["cls_logits"][0].numpy()


def torchvision_detections(model: Any, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 6): x1 y1 x2 y2 in pixels, label, score; best first."""
    import torch

    with torch.no_grad():
        pixels = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
        (found,) = model([pixels])
    columns = (found["boxes"], found["labels"][:, None], found["scores"][:, None])
    return torch.cat([c.float() for c in columns], 1).numpy()


def freeze() -> None:
    """Writes the outputs of `ROWS` default boxes of each case."""
    frozen = {}
    for case in CASES:
        weights, rgb = random_weights(case), image(case)
        if case.project == "torchvision":
            model = torchvision_model(weights)
            offsets, logits = torchvision_outputs(model, rgb)
            frozen[f"{case.name}-detections"] = torchvision_detections(model, rgb)
        else:
            offsets, logits = forward(case, weights, rgb)
        boxes = priors(case)
        counts = [c * c * b for c, b in zip(CELLS[case.size], BOXES[case.size], strict=True)]
        starts = np.cumsum([0, *counts])
        rng = np.random.default_rng(case.seed)
        some = [rng.choice(np.arange(a, b), min(8, b - a), replace=False)
                for a, b in pairwise(starts)]  # fmt: skip
        rows = np.sort(np.concatenate(some))
        rows = rows[has_own_centre(case)[rows]]
        frozen[f"{case.name}-priors"] = boxes[rows].astype(np.float32)
        frozen[f"{case.name}-boxes"] = decode(offsets, boxes)[rows].astype(np.float32)
        frozen[f"{case.name}-logits"] = background_first(case, logits)[rows]
    np.savez_compressed(FROZEN, **frozen)
    print(json.dumps({name: array.shape for name, array in frozen.items()}, indent=1))


if __name__ == "__main__":
    freeze()
