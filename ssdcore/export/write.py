"""The files that a trained network leaves the pipeline with."""

from collections.abc import Iterable
from pathlib import Path

from ssdcore.data.loader import InputBatch
from ssdcore.export.graph import save
from ssdcore.export.images import with_pictures
from ssdcore.export.metadata import Metadata
from ssdcore.export.mindir import save_mindir
from ssdcore.export.onnx_graph import to_onnx
from ssdcore.export.precision import to_float16, to_int8
from ssdcore.models.ssd import SSD300
from ssdcore.params.types import Format

STEM = "ssd300"


def network_file(form: Format) -> str:
    """Returns the name of a format's file of the network: images → offsets, probabilities."""
    return {"onnx": f"{STEM}.onnx", "mindir": f"{STEM}.mindir"}.get(form, f"{STEM}_{form}.onnx")


def pictures_file(form: Format) -> str:
    """Returns the name of an ONNX format's file from pictures to boxes, scores and labels."""
    return network_file(form).replace(".onnx", "_pictures.onnx")


def write_exports(
    folder: Path,
    network: SSD300,
    metadata: Metadata,
    formats: Iterable[Format],
    calibration: Iterable[InputBatch],
) -> None:
    """Writes each format's files into a folder.

    Args:
        folder: where to.
        network: the trained network; its parameters get other names.
        metadata: what the files say of themselves.
        formats: which files.
        calibration: batches of training pictures for int8; read only for that.
    """
    card = metadata.card
    num_classes = len(card.classes) + 1
    graph = to_onnx(network, card.loss)
    texts = metadata.texts()
    for form in formats:
        if form == "mindir":
            save_mindir(folder / network_file(form), network, card.loss, texts)
            continue
        model = {
            "onnx": lambda: graph,
            "float16": lambda: to_float16(graph),
            "int8": lambda: to_int8(graph, (batch.images for batch in calibration)),
        }[form]()
        save(folder / network_file(form), model, texts)
        whole = with_pictures(model, card.default_boxes, num_classes, metadata.thresholds)
        save(folder / pictures_file(form), whole, texts)
