"""Looks after the machine and the pipeline. No stage of DVC, but for a person at the keyboard."""

import sys

from ssdcore.core.command import ParamsOption, run_one_of

ABOUT = """Say what is wrong with this machine or the pipeline, a line each with its remedy.

Exit status 1: something is wrong. What is merely not done yet is said, and is no fault.
"""


def examine(params: ParamsOption) -> None:
    """Look at everything."""
    from ssdcore.doctor.examination import examine

    faults = 0
    for finding in examine(params):
        faults += finding.is_fault
        print(finding, flush=True)
    if faults:
        print(f"{faults} to mend", file=sys.stderr)
        sys.exit(1)


def sync() -> None:
    """Send to MLflow what stages tracked while it could not be reached."""
    from ssdcore.tracking.upload import sync

    left: dict[str, list[str]] = {}
    found = False
    for sent in sync():
        found, name = True, sent.folder.name
        if sent.refused:
            print(
                f"{name}: some of it is refused for good ({sent.refused}), and kept in {sent.kept}"
            )
        if sent.running:
            print(f"{name}: its stage is running, and sends it itself")
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
