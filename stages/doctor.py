"""Checks the machine and the pipeline. A command for people, not a stage of the pipeline."""

import sys

from ssdcore.core.command import ParamsOption, run_one_of

ABOUT = """Check this machine and the pipeline; print a line for each check, with the remedy.

Exit status 1: something is broken. Work that has not been done yet is listed, but is no fault.
"""


def examine(params: ParamsOption) -> None:
    """Run all checks."""
    from ssdcore.doctor.checks import run_checks

    faults = 0
    for finding in run_checks(params):
        faults += finding.is_fault
        print(finding, flush=True)
    if faults:
        print(f"{faults} to fix", file=sys.stderr)
        sys.exit(1)


def sync() -> None:
    """Send to MLflow what stages tracked while it could not be reached."""
    from ssdcore.tracking.uploader import sync

    left: dict[str, list[str]] = {}
    found = False
    for sent in sync():
        found, name = True, sent.folder.name
        if sent.refused:
            print(f"{name}: the store rejected part of it ({sent.refused}); saved in {sent.kept}")
        if sent.running:
            print(f"{name}: its stage is running and uploads it")
        elif sent.left:
            left.setdefault(sent.left, []).append(name)
        elif not sent.refused:
            print(f"{name}: sent")
    if not found:
        print("Nothing to send.")
    for reason, names in left.items():
        print(f"left in .ssd/tracking: {', '.join(names)} ({reason})", file=sys.stderr)
    if left:
        sys.exit(1)


if __name__ == "__main__":
    run_one_of(sync, about=ABOUT, otherwise=examine)
