"""Exports the best checkpoint and checks that the files are the same network: export/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from ssdcore.params.schema import Params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Write the detector for ONNX Runtime and MindSpore Lite; compare it with the checkpoint.

    Exit status 1, and no file: the outputs or AP of an exported network differ from the
    checkpoint's by more than export.tolerance. A network that diverged in training is no error.
    """
    from ssdcore.params.reader import read_params

    settings = read_params(params)
    with writing_outs("export"):
        _export(settings)


def _export(settings: Params) -> None:
    wanted, evaluate, runtime = settings.export, settings.evaluate, settings.runtime

    from itertools import islice
    from math import ceil

    from ssdcore.coco.annotations import read_coco
    from ssdcore.core.errors import RunError
    from ssdcore.core.files import replacing_folder, sha256_of_file, write_json
    from ssdcore.data.loader import input_batches, read_images
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.export.metadata import ExportMetadata
    from ssdcore.export.parity import check_exports, not_compared, why_broken
    from ssdcore.export.write import write_exports
    from ssdcore.inference.decode import Thresholds
    from ssdcore.inference.detector import Detector
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure
    from ssdcore.tracking import tracked

    device = configure("CPU")  # accelerators round products (TF32, HF32) by more than the tolerance
    network, description = load(layout.BEST_CHECKPOINT)
    model_sha256 = sha256_of_file(layout.BEST_CHECKPOINT)
    thresholds = Thresholds(  # ONNX has no maximum of candidates
        evaluate.score_threshold, evaluate.nms_iou, evaluate.max_detections, evaluate.max_per_class
    )
    source = {"dataset": settings.dataset.name, "checkpoint_sha256": model_sha256}
    metadata = ExportMetadata(description, thresholds, source)
    train, val = (find_shards(layout.mindrecord(split)) for split in layout.SPLITS)
    size, network_input = evaluate.batch_size, description.network_input
    calibration = islice(
        input_batches(train, size, runtime.workers, network_input=network_input),
        ceil(wanted.calibration_images / size),
    )
    images = islice(read_images(val, runtime.workers, network_input), wanted.parity_images)
    detector = Detector(network, description, size)
    with tracked(
        "export",
        params=settings.model_dump(mode="json"),
        experiment=settings.tracking.experiment,
        model_sha256=model_sha256,
        device=device,
        enabled=settings.tracking.enabled,
    ) as tracker:
        with replacing_folder(layout.EXPORT) as folder:
            detector.warm_up()
            batch = islice(read_images(val, runtime.workers, network_input), size)
            broken = why_broken(detector.answers, batch, network_input)
            # int8 needs the ranges of activations
            formats = [form for form in wanted.formats if not broken or form != "int8"]
            write_exports(folder, network, metadata, formats, calibration)
            parity = not_compared(broken, wanted.tolerance) if broken else check_exports(
                folder, formats, detector, metadata, images,
                read_coco(layout.ground_truth("val")), wanted.tolerance,
            )  # fmt: skip
            if parity.faults:
                raise RunError(
                    f"not the network of {layout.BEST_CHECKPOINT}: {'; '.join(parity.faults)}"
                )
            write_json(folder / layout.PARITY.name, parity.figures)
        tracker.log_artifact(layout.EXPORT)
    say(f"{parity} → {layout.PARITY}")


app = command(main)

if __name__ == "__main__":
    run(app)
