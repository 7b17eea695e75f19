"""Trains the detector: model/, plots/history.csv and metrics/train.json."""

import sys

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, run
from ssdcore.params.reader import read_params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Train SSD300 on the MindRecord shards; keep the best and the last checkpoint.

    What was interrupted goes on where it was. Exit status 75: stopped by SIGTERM or Ctrl-C, with
    its state kept. SIGUSR1 measures now.
    """
    settings = read_params(params)
    train, runtime = settings.train, settings.runtime

    from ssdcore.training.distributed.launch import is_to_launch, launch

    if is_to_launch(runtime):
        sys.exit(launch("stages.train", ["--params", str(params)], runtime))

    from ssdcore.coco.annotations import read_coco
    from ssdcore.core.files import sha256_of_file
    from ssdcore.core.progress import Progress
    from ssdcore.core.signals import Signals
    from ssdcore.data.loader import spread_samples
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.models.device import configure, describe_choice, require_precision, seed_all
    from ssdcore.report.previews import SAMPLES_PER_IMAGE, Previews
    from ssdcore.tracking import tracked
    from ssdcore.training.conduct import conduct
    from ssdcore.training.distributed.group import join_group
    from ssdcore.training.fingerprint import fingerprint_of_training
    from ssdcore.training.reports import START, EpochReport, StepReport
    from ssdcore.training.run_files import TrainingRecord
    from ssdcore.training.setup import prepare_training
    from ssdcore.training.state import Keeper
    from ssdcore.training.validation import make_validation

    device = configure(runtime.device)
    group = join_group()
    require_precision(device, runtime.amp)
    seed_all(runtime.seed)
    val = read_coco(layout.annotations("val"))
    shards, val_shards = (find_shards(layout.mindrecord(split)) for split in layout.SPLITS)
    training = prepare_training(settings.model, train, runtime, val.classes, shards, group)
    fingerprint = fingerprint_of_training(settings, device, training.weights)
    group.require_same("parameters, data or code", bytes.fromhex(fingerprint))
    states = layout.states() / "train" / fingerprint
    writes = group.is_writer
    record = TrainingRecord(
        training.network, training.card, states / "nonfinite.jsonl", writes=writes
    )
    keeper = Keeper(states, training.step.state, record, 60 * train.save_minutes, writes=writes)

    with keeper.alone(), Signals() as signals:
        start = keeper.resume(group)
        total = len(training.rates)
        images = settings.tracking.images if settings.tracking.enabled and writes else 0
        samples = spread_samples(val_shards, SAMPLES_PER_IMAGE * images)
        previews = Previews(samples, val, images)
        validate = make_validation(
            training, train.batch_size, val, val_shards, runtime.workers, group, signals.check,
            previews.update,
        )  # fmt: skip
        with (
            tracked(
                "train",
                params=settings.model_dump(mode="json"),
                experiment=settings.tracking.experiment,
                device=device,
                enabled=settings.tracking.enabled and writes,
                key=keeper.notes.get("run", ""),
            ) as tracker,
            Progress(total, start.step if start else 0) as progress,
        ):
            keeper.notes["run"] = tracker.key
            data = sha256_of_file(layout.SOURCE)
            tracker.log_dataset(settings.dataset.name, data, str(layout.RAW))
            for note in (*describe_choice(runtime.device, device), *training.notes):
                progress.say(note)
            progress.say(f"{training.loader.num_images} images, {total} steps on {device}")
            if start:
                progress.say(f"goes on after step {start.step}, epoch {start.epoch}: {states}")
            for report in conduct(
                training, train, start or START, record, keeper, signals, validate, group
            ):
                for line in report.lines():
                    progress.say(line)
                if values := report.metrics():
                    tracker.log_metrics(values, report.step)
                for name, rgb in previews.draw():
                    tracker.log_image(rgb, name, report.step)
                if isinstance(report, StepReport):
                    progress.step(report.step, f"epoch {report.epoch}, loss {report.loss:.3f}")
                if isinstance(report, EpochReport):
                    tracker.flush()
            if not writes:
                return
            record.finish()
            keeper.clear()
            tracker.set_model(sha256_of_file(layout.BEST_CHECKPOINT))
            for path in (layout.BEST_CHECKPOINT, layout.LAST_CHECKPOINT, layout.HISTORY):
                tracker.log_artifact(path, path.parent.name)
    best = ", ".join(f"{name} {value:.3g}" for name, value in record.best.items())
    print(f"best: {best} → {layout.BEST_CHECKPOINT}")


if __name__ == "__main__":
    run(main)
