"""The network as MINDIR, MindSpore's graph format, which MindSpore Lite reads too."""

import re
from collections.abc import Mapping
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from mindspore.train.mind_ir_pb2 import ModelProto
from numpy.typing import NDArray

from ssdcore.core.files import replacing
from ssdcore.geometry.boxes import Boxes
from ssdcore.models.losses import activation_cell, make_class_loss
from ssdcore.models.ssd import SSD
from ssdcore.params.types import LossName

NAME_LIST = re.compile(r"(\$\w+)+(?=:\d+$)")


class _Answers(nn.Cell):
    """The exported graph: images → offsets, probabilities."""

    def __init__(self, network: SSD, loss: LossName) -> None:
        super().__init__()
        self.network = network
        self.to_scores = activation_cell(make_class_loss(loss).activation)

    def construct(self, images: Tensor) -> tuple[Tensor, Tensor]:
        offsets, logits = self.network(images)
        return offsets, self.to_scores(logits)


def save_mindir(path: Path, network: SSD, loss: LossName, texts: Mapping[str, str]) -> None:
    """Writes images (B, 3, S, S) → offsets, probabilities, with B free.

    Equal networks give equal bytes. The network's parameters are renamed; the texts become the
    file's `user_info`.
    """
    network.set_train(False)
    side = network.input_size
    images = Tensor(shape=(None, 3, side, side), dtype=ms.float32)
    with replacing(path) as part:
        ms.export(_Answers(network, loss), images, file_name=str(part), file_format="MINDIR")
        model = ModelProto()
        model.ParseFromString(part.read_bytes())
        _remove_traces_of_the_process(model)
        for key, text in texts.items():
            model.user_info.add(key=key, value=text)
        part.unlink()  # MindSpore leaves it 0400
        part.write_bytes(model.SerializeToString(deterministic=True))


def _remove_traces_of_the_process(model: ModelProto) -> None:
    """Removes the time of compilation, and what is in the order of memory addresses.

    A name such as `CNode_79$input_data$maps:1` has a list in that order, and is unique without it.
    Operators are found by name.
    """
    graph = model.graph
    operators = sorted(model.primitives, key=lambda operator: operator.name)
    del model.primitives[:]
    model.primitives.extend(operators)
    for index, attribute in reversed(list(enumerate(graph.attribute))):
        if attribute.name == "compile_phase":
            del graph.attribute[index]
    for node in graph.node:
        node.name = NAME_LIST.sub("", node.name)
        for names in (node.input, node.output):
            names[:] = [NAME_LIST.sub("", name) for name in names]
    for output in graph.output:
        output.name = NAME_LIST.sub("", output.name)


class MindirNetwork:
    """The network of a MINDIR file; `answers` is that of `Detector`."""

    def __init__(self, path: Path, batch_size: int = 1) -> None:
        self._cell = nn.GraphCell(ms.load(str(path)))
        self.batch_size = batch_size

    def answers(self, images: NDArray[np.float32]) -> tuple[Boxes, Boxes]:
        """Returns offsets (b, K, 4) and class probabilities (b, K, C) of b images."""
        offsets, probabilities = self._cell(Tensor(images))
        return offsets.asnumpy(), probabilities.asnumpy()
