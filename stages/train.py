"""Trains the detector: model/, plots/history.csv and metrics/train.json."""

from typing import Any

from ssdcore import layout
from ssdcore.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.params_file import read_params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Train SSD300 on the MindRecord shards; keep the best and the last checkpoint."""
    settings = read_params(params)
    train, runtime = settings.train, settings.runtime

    from ssdcore.data.coco import read_coco
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.detection.coco_metrics import evaluate
    from ssdcore.detection.decode import PUBLISHED
    from ssdcore.files import sha256_of_file
    from ssdcore.history import COLUMNS
    from ssdcore.nn.fit import StepReport, fit
    from ssdcore.nn.infer import Detector
    from ssdcore.nn.predictions import predict_split
    from ssdcore.nn.record import WATCHED, TrainingRecord
    from ssdcore.nn.runtime import configure, seed_all
    from ssdcore.nn.training import prepare_training
    from ssdcore.progress import Progress
    from ssdcore.tracking import tracked

    device = configure(runtime.device)
    seed_all(runtime.seed)
    val = read_coco(layout.annotations("val"))
    val_shards = find_shards(layout.mindrecord("val"))
    card, network, loader, rates, step, notes = prepare_training(
        settings.model, train, runtime, val.classes, find_shards(layout.mindrecord("train"))
    )
    detector = Detector(network, card.default_boxes, train.loss, train.batch_size)
    record = TrainingRecord(network, card)

    def validate() -> dict[str, Any]:
        results = predict_split(detector, val_shards, val, PUBLISHED, runtime.workers)
        return evaluate(layout.annotations("val"), results)

    with (
        tracked(
            "train",
            params=settings.model_dump(mode="json"),
            experiment=settings.tracking.experiment,
            device=device,
            enabled=settings.tracking.enabled,
        ) as tracker,
        Progress(len(rates)) as progress,
    ):
        tracker.log_dataset(settings.dataset.name, sha256_of_file(layout.SOURCE), str(layout.RAW))
        for note in (*notes, f"{loader.num_images} images, {len(rates)} steps on {device}"):
            progress.say(note)
        for report in fit(step, loader, rates, train.epochs, validate, train.validate_every):
            if isinstance(report, StepReport):
                record.step(report)
                progress.step(report.step, f"epoch {report.epoch}, loss {report.loss:.3f}")
                if not report.updated:
                    progress.say(
                        f"step {report.step} skipped: its gradients are not finite; "
                        f"the loss scale is {report.loss_scale:g} now"
                    )
                values = {k: v for k, v in report._asdict().items() if k in COLUMNS[1:]}
                tracker.log_metrics(values, report.step)
                continue
            record.epoch(report)
            if report.figures is not None:
                measured = {name: report.figures[name] for name in WATCHED}
                tracker.log_metrics({f"val/{k}": v for k, v in measured.items()}, report.step)
                figures = ", ".join(f"{name} {value:.3f}" for name, value in measured.items())
                progress.say(f"epoch {report.epoch}: {figures}")
            tracker.flush()
        record.finish()
        tracker.set_model(sha256_of_file(layout.BEST_CHECKPOINT))
        for path in (layout.BEST_CHECKPOINT, layout.LAST_CHECKPOINT, layout.HISTORY):
            tracker.log_artifact(path, path.parent.name)
    best = ", ".join(f"{name} {value:.3g}" for name, value in record.best.items())
    print(f"best: {best} → {layout.BEST_CHECKPOINT}")


if __name__ == "__main__":
    run(main)
