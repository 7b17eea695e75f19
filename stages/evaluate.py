"""Measures the best checkpoint on the validation split: evaluation/ and metrics/evaluate.json."""

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import say
from ssdcore.params.reader import read_params
from ssdcore.params.schema import Params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Detect in every validation image, compute the COCO figures, and analyse the errors."""
    settings = read_params(params)
    with writing_outs("evaluate"):
        _evaluate(settings)


def _evaluate(settings: Params) -> None:
    wanted, runtime = settings.evaluate, settings.runtime

    from time import perf_counter

    from ssdcore.coco.annotations import read_coco
    from ssdcore.coco.classes import as_listed, difference
    from ssdcore.coco.metrics import evaluate, load_backend
    from ssdcore.core.files import sha256_of_file
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.evaluation.curves import lost_f1
    from ssdcore.evaluation.tables import TRACKED, analyse, scalars, write_evaluation
    from ssdcore.inference.decode import Thresholds, validation_remark
    from ssdcore.inference.detector import Detector, TimeSpent, predict_split
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure
    from ssdcore.tracking import tracked

    load_backend(wanted.backend)  # a missing one is an error before the work, not after it
    device = configure(runtime.device)
    network, metadata = load(layout.BEST_CHECKPOINT)
    val = read_coco(layout.ground_truth("val"))
    as_listed(metadata.classes, val.classes, str(layout.BEST_CHECKPOINT))  # before the work
    shards = find_shards(layout.mindrecord("val"))
    thresholds, measured = Thresholds.of(wanted), metadata.score_threshold
    detector = Detector(network, metadata.default_boxes, metadata.loss, wanted.batch_size)
    with tracked(
        "evaluate",
        params=settings.model_dump(mode="json"),
        experiment=settings.tracking.experiment,
        model_sha256=sha256_of_file(layout.BEST_CHECKPOINT),
        device=device,
        enabled=settings.tracking.enabled,
    ) as tracker:
        detector.warm_up()
        started = perf_counter()
        spent = TimeSpent()
        results = predict_split(
            detector, shards, val, thresholds, runtime.workers, metadata.classes, spent
        )
        speed = len(val.images) / (perf_counter() - started)
        figures = evaluate(val, results, wanted.backend)
        tables = analyse(val, results, figures, measured.score if measured else None)
        milliseconds = spent.milliseconds(len(val.images))
        remarks = {
            "model_threshold": str(measured) if measured else "",
            "validation_remark": validation_remark(wanted),
        }
        metrics = write_evaluation(
            figures, tables, results, len(val.images), speed, milliseconds, device,
            {key: remark for key, remark in remarks.items() if remark},
        )  # fmt: skip
        overall = metrics["bbox"] | scalars(tables)
        tracker.log_metrics({name: overall.get(name) for name in TRACKED}, 0)
        tracker.log_artifact(layout.EVALUATION)
    found = ", ".join(f"{key} {figures[key]:.3f}" for key in ("AP", "AP50") if figures[key] >= 0)
    say(
        f"{len(val.images)} images at {speed:.1f} images/s: "
        f"{found or 'no AP, since they show no objects'} → {layout.EVALUATE_METRICS}"
    )
    if unshared := difference(metadata.classes, val.classes):
        say(unshared)
    if remarks["validation_remark"]:
        say(remarks["validation_remark"])
    if metrics.get("best_f1") and (not measured or lost_f1(metrics)):
        carried = f"carries {measured}; F1 {metrics['f1']:.3f}" if measured else "carries none"
        say(
            f"score threshold: the model {carried}. The highest F1 here is "
            f"{metrics['best_f1']:.3f}, at {metrics['best_threshold']:.3f}"
        )


app = command(main)

if __name__ == "__main__":
    run(app)
