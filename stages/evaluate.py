"""Measures the best checkpoint on val and, if there is one, on test: evaluation/ and metrics/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import counted, say

if TYPE_CHECKING:
    from ssdcore.params.schema import Params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Detect in every image, compute the COCO figures, and analyse the errors.

    metrics/evaluate.json and evaluation/ are of the test split if there is one, else of val;
    metrics/validation.json is always of val. evaluation/label_errors.csv is of train and val.
    """
    from ssdcore.params.reader import read_params

    settings = read_params(params)
    with writing_outs("evaluate"):
        _evaluate(settings)


def _evaluate(settings: Params) -> None:
    wanted, runtime = settings.evaluate, settings.runtime

    from time import perf_counter

    from ssdcore.coco.annotations import read_coco
    from ssdcore.coco.classes import as_listed, difference
    from ssdcore.coco.ground_truth import read_skipped
    from ssdcore.coco.metrics import evaluate
    from ssdcore.core.files import sha256_of_file, write_json
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.evaluation.curves import lost_f1
    from ssdcore.evaluation.label_errors import Reviewed, label_errors
    from ssdcore.evaluation.tables import TRACKED, analyse, results_of, scalars, write_evaluation
    from ssdcore.inference.decode import Thresholds, validation_remark
    from ssdcore.inference.detector import Detector, TimeSpent, predict_split
    from ssdcore.models.checkpoint import load
    from ssdcore.models.device import configure
    from ssdcore.tracking import tracked

    device = configure(runtime.device)
    network, metadata = load(layout.BEST_CHECKPOINT)
    _, *names = layout.splits()
    truth = {name: read_coco(layout.ground_truth(name)) for name in names}
    as_listed(metadata.classes, truth["val"].classes, str(layout.BEST_CHECKPOINT))  # before work
    thresholds, measured = Thresholds.of(wanted), metadata.score_threshold
    remarks = {
        "model_threshold": str(measured) if measured else "",
        "validation_remark": validation_remark(wanted),
    }
    remarks = {key: remark for key, remark in remarks.items() if remark}
    detector = Detector(network, metadata, wanted.batch_size)
    with tracked(
        "evaluate",
        params=settings.model_dump(mode="json"),
        experiment=settings.tracking.experiment,
        model_sha256=sha256_of_file(layout.BEST_CHECKPOINT),
        device=device,
        enabled=settings.tracking.enabled,
    ) as tracker:
        detector.warm_up()
        for name, split in truth.items():
            shards = find_shards(layout.mindrecord(name))
            started, spent, images = perf_counter(), TimeSpent(), len(split.images)
            found = predict_split(
                detector, shards, split, thresholds, runtime.workers, metadata.classes, spent,
                wanted.tile,
            )  # fmt: skip
            speed = spent.images / (perf_counter() - started)  # not those that convert skipped
            figures = evaluate(split, found)
            tables = analyse(split, found, figures, measured.score if measured else None)
            metrics = results_of(name, figures, tables, images, remarks)
            path = layout.VALIDATION_METRICS
            if name == "val":
                write_json(path, metrics)
                of_val = split, found
            if name == names[-1]:
                path = layout.EVALUATE_METRICS
                of_this_machine = {
                    "images_per_second": round(speed, 2),  # decoding and suppression included
                    "milliseconds": {
                        part: round(ms, 3) for part, ms in spent.milliseconds().items()
                    },
                    "device": device,
                }
                write_json(path, metrics | of_this_machine)
            defined = (f"{key} {figures[key]:.3f}" for key in ("AP", "AP50") if figures[key] >= 0)
            result = ", ".join(defined) or "no AP, since they show no objects"
            say(f"{name}: {counted(images, 'image')} at {speed:.1f} images/s: {result} → {path}")
        if wanted.review:
            train = read_coco(layout.ground_truth("train"))
            more = counted(len(train.images), "image")
            say(f"train: {more} in search of labels worth a look; evaluate.review: 0 leaves it out")
            shards = find_shards(layout.mindrecord("train"))
            in_train = predict_split(
                detector, shards, train, thresholds, runtime.workers, metadata.classes,
                tile=wanted.tile,
            )  # fmt: skip
            reviewed = {
                one: Reviewed(*of_split, read_skipped(one))
                for one, of_split in {"val": of_val, "train": (train, in_train)}.items()
            }
            tables.append(label_errors(reviewed, wanted.review))
            labels = counted(len(tables[-1].rows), "label")
            say(f"{labels} worth a look → {layout.table(tables[-1].name)}")
        write_evaluation(layout.EVALUATION, tables, found)
        overall = metrics["bbox"] | scalars(tables)
        tracker.log_metrics({name: overall.get(name) for name in TRACKED}, 0)
        tracker.set_tags({"evaluated.split": name})
        tracker.log_artifact(layout.EVALUATION)
    if unshared := difference(metadata.classes, split.classes):
        say(unshared)
    if "validation_remark" in remarks:
        say(remarks["validation_remark"])
    if name != layout.TEST and metrics.get("best_f1") and (not measured or lost_f1(metrics)):
        carried = f"carries {measured}; F1 {metrics['f1']:.3f}" if measured else "carries none"
        say(
            f"score threshold: the model {carried}. The highest F1 here is "
            f"{metrics['best_f1']:.3f}, at {metrics['best_threshold']:.3f}"
        )


app = command(main)

if __name__ == "__main__":
    run(app)
