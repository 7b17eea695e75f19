"""Writes the exported files of a trained network."""

from collections.abc import Iterable
from pathlib import Path

from ssdcore.data.loader import InputBatch
from ssdcore.export.metadata import ExportMetadata
from ssdcore.export.mindir import save_mindir
from ssdcore.export.network_to_onnx import to_onnx
from ssdcore.export.onnx_builder import save
from ssdcore.export.photos import with_photos
from ssdcore.export.precision import to_float16, to_int8
from ssdcore.models.ssd import SSD
from ssdcore.params.types import Format

STEM = "ssd300"


def network_file(form: Format) -> str:
    """Returns the name of a format's file of the network: images → offsets, probabilities."""
    return {"onnx": f"{STEM}.onnx", "mindir": f"{STEM}.mindir"}.get(form, f"{STEM}_{form}.onnx")


def photos_file(form: Format) -> str:
    """Returns the name of an ONNX format's file of the detector: photos → boxes, scores, labels."""
    return network_file(form).replace(".onnx", "_photos.onnx")


def write_exports(
    folder: Path,
    network: SSD,
    metadata: ExportMetadata,
    formats: Iterable[Format],
    calibration: Iterable[InputBatch],
) -> None:
    """Writes the files of each format into a folder; the network's parameters are renamed.

    The batches of training images are read for int8 alone.
    """
    description = metadata.network
    num_classes = len(description.classes) + 1
    graph = to_onnx(network, description.loss)
    texts = metadata.texts()
    for form in formats:
        if form == "mindir":
            save_mindir(folder / network_file(form), network, description.loss, texts)
            continue
        model = {
            "onnx": lambda: graph,
            "float16": lambda: to_float16(graph),
            "int8": lambda: to_int8(graph, (batch.images for batch in calibration)),
        }[form]()
        save(folder / network_file(form), model, texts)
        whole = with_photos(
            model, description.default_boxes, num_classes, metadata.thresholds,
            description.model.resize,
        )  # fmt: skip
        save(folder / photos_file(form), whole, texts)
