"""What is needed to reproduce a run."""

import os
import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ssdcore.core.processes import git_output

CPUINFO = Path("/proc/cpuinfo")
DESCRIBE = ("describe", "--always", "--dirty", "--abbrev=12")
NO_COMMIT = "not in a git repository"
PACKAGES = ("mindspore", "numpy", "opencv-python-headless", "pycocotools", "dvc", "mlflow")


def describe_environment(device: str, sources: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Returns commit, data (from each split's entry in its manifest), machine and versions."""
    experiment = os.environ.get("DVC_EXP_NAME")
    described = {"commit": git_output(Path.cwd(), *DESCRIBE) or NO_COMMIT}
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
    """Returns the commands that make this report again in a clone."""
    commit = environment["commit"].removesuffix("-dirty")
    checkout = [] if commit == NO_COMMIT else [f"git checkout {commit}"]
    experiment = environment.get("DVC experiment")
    apply = [f"dvc exp apply {shlex.quote(experiment)}"] if experiment else []
    return [*checkout, *apply, "make demo"]
