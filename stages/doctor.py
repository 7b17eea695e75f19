"""Checks the machine and the pipeline. A command for people, not a stage of the pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, run, subcommands
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ssdcore.doctor import Finding

ABOUT = """Check this machine and the pipeline; print a line for each check, with the remedy.

Exit status 1: something is broken. Work that has not been done yet is listed, but is not an error.
"""


def examine(params: ParamsOption) -> None:
    """Run all checks."""
    _print(_findings(params))


def _print(findings: Iterable[Finding]) -> None:
    """Prints findings; ends with exit status 1 if one is an error."""
    errors = 0
    for finding in findings:
        errors += finding.is_error
        say(str(finding))
    if errors:
        say(f"{errors} to fix", error=True)
        sys.exit(1)


def _findings(params: Path) -> Iterator[Finding]:
    """Yields the finding of each check as soon as it is known, those first that others need."""
    from ssdcore.core import layout
    from ssdcore.doctor import machine, model, pipeline
    from ssdcore.params.reader import read_params

    yield machine.check_python()
    yield machine.check_packages(layout.REQUIREMENTS)
    yield machine.check_import("OpenCV", "cv2")
    yield machine.check_disk(Path.cwd())
    yield machine.check_git(Path.cwd())
    parameters = pipeline.check_params(params)
    yield parameters
    device = "auto" if parameters.is_error else read_params(params).runtime.device
    yield from model.check_model(device)
    yield pipeline.check_data()
    yield pipeline.check_dvc()
    yield pipeline.check_mlflow()


def device(params: ParamsOption = DEFAULT_PARAMS) -> None:
    """Compare the device of `runtime.device` with the CPU: takes a minute."""
    from ssdcore.doctor.device import check_device
    from ssdcore.params.reader import read_params

    _print(check_device(params, read_params(params).runtime.device))


def sync() -> None:
    """Send to MLflow what stages tracked while it could not be reached."""
    from ssdcore.tracking.sender import sync

    left: dict[str, list[str]] = {}
    found = False
    for sent in sync():
        found, name = True, sent.folder.name
        if sent.refused:
            why = f"the store rejected part of it ({sent.refused})"
            say(f"{name}: {why}; saved in {sent.folder}")
        if sent.running:
            say(f"{name}: its stage is running and uploads it")
        elif sent.left:
            left.setdefault(sent.left, []).append(name)
        elif not sent.refused:
            say(f"{name}: sent")
    if not found:
        say("Nothing to send.")
    for reason, names in left.items():
        say(f"left in .ssd/tracking: {', '.join(names)} ({reason})", error=True)
    if left:
        sys.exit(1)


app = subcommands(device, sync, about=ABOUT, otherwise=examine)

if __name__ == "__main__":
    run(app)
