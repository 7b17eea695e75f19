"""What all benchmarks share: their command, timing, tables, results, and stages in a folder.

A benchmark is a module of this folder with two functions: `measure` returns a dictionary for
benchmarks/results/NAME.json, and `as_table` renders it for the documents.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from ssdcore.core.files import write_json
from ssdcore.core.processes import git_output

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
CODE = ("ssdcore", "stages", "benchmarks/*.py", "params.yaml", "dvc.yaml", "requirements.lock")
"""Files that figures may depend on."""
DATA = {"type": Path, "help": "folder in COCO's layout; default: drawn images"}
"""The option --data."""

Content = Mapping[str, Any]


def run(
    name: str,
    doc: str | None,
    measure: Callable[..., Content],
    as_table: Callable[[Content], str],
    *libraries: str,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Runs a benchmark's command: measures, prints the tables and writes the results.

    Args:
        name: the benchmark's module.
        doc: its docstring.
        measure: returns the results. Takes `quick` and the command's own options.
        as_table: renders the results as Markdown.
        libraries: distributions whose versions matter, as pip names them.
        options: the command's own ones, by flag, as argparse takes them.
    """
    own = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own.add_argument("--print-only", action="store_true", help="write no results")
    own.add_argument("--quick", action="store_true", help="smallest sizes; write no results")
    for flag, settings in (options or {}).items():
        own.add_argument(flag, **settings)
    given = vars(own.parse_args())
    print_only = given.pop("print_only") or given["quick"]
    os.environ.setdefault("GLOG_v", "3")  # no warnings of MindSpore between the tables
    machine = circumstances(*libraries)
    content = measure(**given)
    print(as_table(content))
    if not print_only:
        took = datetime.now() - datetime.fromisoformat(machine["began"])
        machine["took_min"] = rounded(took.total_seconds() / 60)
        write_json(RESULTS / f"{name}.json", {**content, "machine": machine})


def circumstances(*libraries: str) -> dict[str, Any]:
    """Returns what figures depend on: machine, versions, commit and load before the measurement."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "began": datetime.now().isoformat(" ", "seconds"),
        "commit": git_output(ROOT, "rev-parse", "--short", "HEAD"),
        "code_changed": bool(git_output(ROOT, "status", "--porcelain", "--", *CODE)),
        "architecture": platform.machine(),
        "cpu": (models or [platform.processor()])[0],
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }


def take_turns(
    contenders: Mapping[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Returns the seconds of each contender in each round.

    Each round calls all contenders one after the other, so a change of the machine's load affects
    all of them, and the ratio of two contenders compares neighbours in time.

    Args:
        contenders: functions to time, by name.
        rounds: how many are timed.
        warm_up: rounds before them that are not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm_up + rounds):
        for name, contender in contenders.items():
            began = time.perf_counter()
            contender()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def rounded(value: float) -> float:
    """Returns the value with four significant digits."""
    return float(f"{value:.4g}")


def summary(values: Sequence[float]) -> dict[str, float]:
    """Returns median, lowest and highest."""
    figures = {"median": median(values), "lowest": min(values), "highest": max(values)}
    return {name: rounded(value) for name, value in figures.items()}


def ratios(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Returns a / b, round by round."""
    return [x / y for x, y in zip(a, b, strict=True)]


def spread(figures: Mapping[str, float], digits: int = 2) -> list[str]:
    """Returns the cells of a `summary`: median, and lowest to highest."""
    center, low, high = (f"{figures[key]:.{digits}f}" for key in ("median", "lowest", "highest"))
    return [center, f"{low} to {high}"]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table; a bar inside a cell is escaped."""

    def line(cells: Sequence[object]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])


def environment() -> dict[str, str]:
    """Returns the environment of a stage that runs outside the repository, DVC and your MLflow."""
    others = ("DVC_", "MLFLOW_TRACKING_URI")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    return mine | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def write_params(folder: Path, changes: Content, of: Path = ROOT / "params.yaml") -> None:
    """Writes `folder`/params.yaml: the parameters of `of` with changes ({"train.epochs": 1}).

    Raises:
        KeyError: a change names a section that does not exist.
    """
    yaml = YAML(typ="safe")  # without the comments, in C
    yaml.default_flow_style = False
    params = yaml.load(of)
    for key, value in changes.items():
        *sections, name = key.split(".")
        section = params
        for part in sections:
            section = section[part]
        section[name] = value
    folder.mkdir(parents=True, exist_ok=True)
    yaml.dump(params, folder / "params.yaml")


def data_params(data: Path | None, train_images: int, val_images: int) -> dict[str, Any]:
    """Returns the parameters that select images.

    Args:
        data: a folder in COCO's layout (annotations/instances_SPLIT.json, images/SPLIT), or None
            for drawn images.
        train_images: how many images to draw for training.
        val_images: how many images to draw for validation.
    """
    if data is None:
        drawn = {"train_images": train_images, "val_images": val_images, "test_images": 0}
        return {f"dataset.shapes.{name}": count for name, count in drawn.items()}
    changes = {"dataset.name": "local", "dataset.local.format": "coco"}
    for split in ("train", "val"):
        annotations = data.resolve() / f"annotations/instances_{split}.json"
        changes[f"dataset.local.{split}_annotations"] = str(annotations)
        changes[f"dataset.local.{split}_images"] = str(data.resolve() / f"images/{split}")
    return changes


def drawn(folder: Path, train_images: int, val_images: int, seed: int = 1) -> Path:
    """Draws images into `folder`, in COCO's layout, and returns it."""
    from ssdcore.sources.shapes import write_shapes

    (folder / "images").mkdir(parents=True)
    for split in write_shapes(folder, seed, train_images, val_images):
        (folder / split).rename(folder / "images" / split)
    return folder


def python_with(folder: Path, *requirements: str) -> Path:
    """Returns the Python of the environment in `folder`; makes it and installs what it lacks."""
    python = folder / "bin/python"
    if not (folder / "bin/pip").exists():
        venv.create(folder, with_pip=True)
    line = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    subprocess.run(line, stdout=sys.stderr, check=True)
    return python


def run_stages(folder: Path, *stages: str) -> None:
    """Runs stages in `folder`, one after the other; their output goes to standard error."""
    for stage in stages:
        line = [sys.executable, "-m", f"stages.{stage}"]
        subprocess.run(line, cwd=folder, env=environment(), stdout=sys.stderr, check=True)
