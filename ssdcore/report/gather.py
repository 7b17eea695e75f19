"""Gathers the report's content: files of the stages before it, commit, machine and versions."""

import os
import platform
import shlex
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ssdcore.coco.annotations import read_coco
from ssdcore.coco.results import read_results
from ssdcore.core import layout
from ssdcore.core.files import read_json
from ssdcore.core.nested import in_use
from ssdcore.core.processes import git_output
from ssdcore.data.manifest import image_folder
from ssdcore.data.preprocess import NetworkInput
from ssdcore.dvc.lock import changed_inputs, recorded_outs
from ssdcore.evaluation.label_errors import NAME as LABEL_ERRORS
from ssdcore.evaluation.tables import read_tables
from ssdcore.params.schema import Params
from ssdcore.report import examples, tables
from ssdcore.report.content import ReportContent
from ssdcore.report.drawing import Rgb
from ssdcore.report.gallery import gallery_images
from ssdcore.report.split_images import SplitImages

FIGURES = {tables.SAME_IMAGES: examples.draw_same_images, LABEL_ERRORS: examples.draw_suspects}
"""Functions that draw the images of a table, by its name."""
CPUINFO = Path("/proc/cpuinfo")
DESCRIBE = ("describe", "--always", "--abbrev=12")
NO_COMMIT = "not in a git repository"
CHANGED = "uncommitted changes"
"""The key of the environment that lists the changed inputs."""
MAX_NAMED = 3
"""Maximum number of changed inputs that are named."""
PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "pycocotools", "dvc", "mlflow")


def gather(settings: Params) -> tuple[ReportContent, list[tuple[int, Rgb]]]:
    """Reads the files of data, training and evaluation, and draws the images.

    Returns:
        The content of the page, and the images of report/gallery with their ids.

    Raises:
        InputError: a file has another format than its stage writes, or an image has changed since
            convert.
    """
    wanted = settings.report
    names = layout.splits()
    truth = {name: read_coco(layout.ground_truth(name)) for name in names}
    conversion = {name: read_json(layout.conversion(name))[name] for name in names}
    sources = {name: read_json(layout.source(name))["splits"][name] for name in names}
    metrics, validation = map(read_json, (layout.EVALUATE_METRICS, layout.VALIDATION_METRICS))
    environment = describe_environment(metrics["device"], sources)
    model, network_input = settings.model, NetworkInput.of(settings.model)
    splits = {name: tables.SplitData(truth[name], conversion[name]) for name in names}
    history = layout.HISTORY.read_text(encoding="utf-8")
    shown = [
        *read_tables(layout.EVALUATION).values(),
        *tables.training_tables(history, metrics.get(tables.REMARK, "")),
        *tables.data_tables(splits, model.layout, model.default_box_scales, network_input),
    ]
    by_name = {table.name: table for table in shown}
    chosen = wanted.score_threshold
    threshold = metrics["threshold"] if chosen is None else chosen
    results = read_results(layout.PREDICTIONS)
    images = {
        name: SplitImages(
            truth[name],
            image_folder(layout.source(name), name),
            {file["file_name"] for file in conversion[name]["skipped_files"]},
        )
        for name in names
    }
    evaluated = images[metrics.get("split", "val")]
    content = ReportContent(
        title=f"SSD{model.input_size} on {settings.dataset.name}",
        made=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        params=in_use(settings.model_dump(mode="json")),
        environment=environment,
        metrics=metrics,
        validation=validation,
        tables=by_name,
        gallery=gallery_images(evaluated, results, wanted.images, threshold),
        score_threshold=threshold,
        variations=list(
            examples.draw_variations(images["train"], settings.train.augment, network_input)
        ),
        commands=commands_to_repeat(environment),
        rise=tables.loss_rise(history),
        figures={
            name: list(draw(images, by_name[name]))
            for name, draw in FIGURES.items()
            if name in by_name
        },
    )
    return content, list(examples.draw_examples(evaluated, results, wanted.images, threshold))


def describe_environment(device: str, sources: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Returns commit, data (from each split's entry in its manifest), machine and versions."""
    experiment = os.environ.get("DVC_EXP_NAME")
    changed = changed_inputs(Path.cwd(), recorded_outs()) or []
    commit = git_output(Path.cwd(), *DESCRIBE)
    described = {"commit": f"{commit}{'-dirty' if changed else ''}" if commit else NO_COMMIT}
    if changed:
        more = ["…"] if len(changed) > MAX_NAMED else []
        described[CHANGED] = ", ".join([*changed[:MAX_NAMED], *more])
    described |= {"DVC experiment": experiment} if experiment else {}
    for name, split in sources.items():
        for part in ("annotations", "images"):
            if digest := split.get(f"{part}_sha256"):
                described[f"{name} {part}, SHA-256"] = digest
    described |= {
        "device": device,
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }
    return described | {package: version(package) for package in PACKAGES}


def _processor() -> str:
    """Returns the processor model; results differ between models in the last digits."""
    if CPUINFO.exists():  # only Linux
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def commands_to_repeat(environment: Mapping[str, str]) -> list[str]:
    """Returns the commands that make this report again in a clone.

    Only a DVC experiment's commit contains uncommitted changes of inputs.
    """
    commit, experiment = environment["commit"], environment.get("DVC experiment")
    if experiment:
        name = shlex.quote(experiment)
        apply = [f"dvc exp pull origin {name}  # in a clone", f"dvc exp apply {name}"]
        return [f"git checkout {commit.removesuffix('-dirty')}", *apply, "make demo"]
    if changed := environment.get(CHANGED):
        remedy = "check out a commit that has them"
        return [f"# with uncommitted changes in {changed}: {remedy}", "make demo"]
    return ["make demo"] if commit == NO_COMMIT else [f"git checkout {commit}", "make demo"]
