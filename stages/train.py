"""Trains the detector: model/, plots/history.csv and metrics/train.json."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from ssdcore.core import layout
from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.locks import writing_outs
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from ssdcore.params.schema import Params


def main(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Train the detector on the MindRecord shards; keep the best and the last checkpoint.

    An interrupted training resumes; a finished one, whose outs DVC has not recorded, is not
    trained again. Exit status 75: stopped by SIGTERM or Ctrl-C, with its state saved. SIGUSR1
    measures at once.
    """
    from ssdcore.params.reader import read_params

    settings = read_params(params)

    from ssdcore.training.distributed.launch import is_first, is_launcher, launch

    with writing_outs("train") if is_first(settings.runtime) else nullcontext():
        if is_launcher(settings.runtime):
            logs = layout.states() / "logs"
            arguments = ["--params", str(params)]
            if status := launch(__spec__.name, arguments, settings.runtime, logs):
                sys.exit(status)
        else:
            _train(settings)


def _train(settings: Params) -> None:
    train, runtime = settings.train, settings.runtime

    from ssdcore.coco.annotations import read_coco
    from ssdcore.core.experiment import experiment_tags
    from ssdcore.core.files import sha256_of_file, sha256_of_json
    from ssdcore.core.progress import Progress
    from ssdcore.core.signals import Signals
    from ssdcore.data.loader import spread_samples
    from ssdcore.data.mindrecord import find_shards
    from ssdcore.dvc.lock import recorded_outs
    from ssdcore.inference.decode import validation_remark
    from ssdcore.models.device import (
        configure,
        describe_choice,
        require_precision,
        seed_all,
        visible_cores,
    )
    from ssdcore.report.previews import SAMPLES_PER_IMAGE, Previews
    from ssdcore.tracking import tracked
    from ssdcore.training.distributed.group import join_group
    from ssdcore.training.fingerprint import (
        on_other_cores,
        training_fingerprint,
        training_folder,
    )
    from ssdcore.training.logged_reports import START, StepReport
    from ssdcore.training.loop import train as train_network
    from ssdcore.training.run_files import RunFiles, RunPaths
    from ssdcore.training.setup import prepare_training
    from ssdcore.training.state import TrainingState
    from ssdcore.training.validation import make_validation

    remark = validation_remark(settings.evaluate)
    device = configure(runtime.device)
    group = join_group()
    require_precision(device, runtime.amp)
    seed_all(runtime.seed)
    val = read_coco(layout.ground_truth("val"))
    shards, val_shards = (find_shards(layout.mindrecord(split)) for split in layout.SPLITS)
    cores = visible_cores(device)
    training = prepare_training(
        settings.model, train, runtime, val.classes, shards, group, cores=cores,
        model_folder=layout.MODEL,
    )  # fmt: skip
    inputs = [*sorted(layout.MINDRECORD.iterdir()), *training.weights]
    fingerprint = training_fingerprint(settings, device, inputs)
    same = sha256_of_json([fingerprint, train.model_dump(mode="json")])
    group.require_same("parameters, data or code", bytes.fromhex(same))
    folder = training_folder(layout.states() / "train", fingerprint, group.gather(cores))
    paths = RunPaths(
        layout.BEST_CHECKPOINT, layout.LAST_CHECKPOINT, layout.HISTORY, layout.VALIDATION,
        layout.TRAIN_METRICS, folder / "nonfinite.jsonl", folder / "profile.json",
    )  # fmt: skip
    writes = group.is_writer
    files = RunFiles(training.network, training.metadata, paths, train.profile, writes=writes)
    state = TrainingState(folder, training.step.state, files, train, writes=writes)

    with state.locked(), Signals() as signals:
        start = state.resume(group, recorded_outs())
        total = len(training.rates) if train.epochs else 0
        images = settings.tracking.images if settings.tracking.enabled and writes else 0
        samples = spread_samples(val_shards, SAMPLES_PER_IMAGE * images)
        previews = Previews(samples, val, images)
        validate = make_validation(
            training, train.batch_size, val, val_shards, runtime.workers, group, signals,
            on_results=previews.update,
        )  # fmt: skip
        experiment = experiment_tags()
        # another experiment's finished training, which keeps its own run
        is_shared = state.finished and state.notes["experiment"] != experiment
        with (
            tracked(
                "train",
                params=settings.model_dump(mode="json"),
                experiment=settings.tracking.experiment,
                device=device,
                enabled=settings.tracking.enabled and writes,
                key="" if is_shared else state.notes.get("run", ""),
            ) as tracker,
            Progress(total, start.step if start else 0) as progress,
        ):
            state.notes |= {"run": tracker.key, "experiment": experiment}
            data = sha256_of_file(layout.SOURCE)
            tracker.log_dataset(settings.dataset.name, data, str(layout.RAW))
            for note in (*describe_choice(runtime.device, device), *training.notes, remark):
                if note:
                    progress.say(note)
            if remark:
                tracker.set_tags({"val.remark": remark})
            progress.say(f"{training.loader.num_images} images, {total} steps on {device}")
            if state.finished:
                progress.say(f"already trained; using the outputs in {folder}")
            elif start:
                progress.say(f"resuming after step {start.step}, epoch {start.epoch}: {folder}")
            else:
                for other in on_other_cores(folder):
                    progress.say(f"not resumed, since the number of cores differs: {other}")
            if not state.finished and train.jit:
                about = " (about 10 s)" if device == "CPU" else ""
                progress.say(f"compiling the network{about}…")
            start = start or START
            reports = train_network(training, train, validate, signals, start=start, group=group)
            if state.finished:
                reports = iter(())
                for step, values in files.tracked() if is_shared else ():
                    tracker.log_metrics(values, step)
            for report in state.save_along(reports, start):
                for line in (*report.lines(), *files.add(report)):
                    progress.say(line)
                if values := report.metrics():
                    tracker.log_metrics(values, report.step)
                for name, rgb in previews.draw():
                    tracker.log_image(rgb, name, report.step)
                if isinstance(report, StepReport):
                    progress.step(report.step, f"epoch {report.epoch}, loss {report.loss:.3f}")
            if not writes:
                return
            if not state.finished:
                state.finish()
            tracker.set_model(sha256_of_file(layout.BEST_CHECKPOINT))
            for path in (layout.BEST_CHECKPOINT, layout.LAST_CHECKPOINT, layout.HISTORY):
                tracker.log_artifact(path, path.parent.name)
    best = ", ".join(f"{name} {value:.3g}" for name, value in files.best.items())
    say(f"best: {best} → {layout.BEST_CHECKPOINT}")
    if remark:
        say(remark)


app = command(main)

if __name__ == "__main__":
    run(app)
