"""Repeats a commit's run in a folder of its own, and compares. No stage, but for a person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import run as run_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssdcore.dvc.reproduction import Record

DIFFERS = 1
NEAR = 0.05
"""From one kind of processor to another, AP differs by a few hundredths (README.md)."""


def main(
    revision: Annotated[str, typer.Argument(metavar="REV", help="Commit, tag or experiment.")],
    into: Annotated[
        Path | None, typer.Option(help="A new folder; by default .ssd/reproduced/HASH.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Change of AP to call near.")] = NEAR,
) -> None:
    """Run a commit's whole pipeline again, in a clone with its own versions, and compare.

    Exit status 0: every out and every figure is the same. 1: something differs, be it little.
    """
    from ssdcore.dvc.clone import make_clone, programs_for, read_committed, resolve, run
    from ssdcore.dvc.reproduction import differences, read_record

    here = Path.cwd()
    commit = resolve(here, revision)
    recorded = read_record(lambda path: read_committed(here, commit, path))
    clone = into or layout.states() / "reproduced" / commit[:12]
    make_clone(here, commit, clone)
    print(f"{revision} is {commit[:12]}, repeated in {clone}", flush=True)
    programs = programs_for(here, clone)
    repro = ("-m", "dvc", "repro", "--force", "--no-run-cache")
    run(clone, str(programs / "python"), *repro, programs=programs)
    repeated = read_record(lambda path: _read(clone / path))
    print("", *_told(recorded, repeated, tolerance), sep="\n")
    if any(differences(recorded.results, repeated.results)):
        print("", *_reasons(recorded, repeated), sep="\n")
        sys.exit(DIFFERS)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _told(recorded: Record, repeated: Record, tolerance: float) -> Iterator[str]:
    """Yields what is equal and what is not."""
    from ssdcore.dvc.reproduction import AP, TIMED, differences

    different = {one.name: one for one in differences(recorded.results, repeated.results)}
    for name in {**recorded.outs, **repeated.outs}:
        yield f"{'differs' if name in different else 'equal':8} {name}"
    yield f"{'-':8} {', '.join(TIMED)} hold speeds and times: not compared by hash"
    figures = {**recorded.figures, **repeated.figures}
    for one in (different[name] for name in figures if name in different):
        yield f"{'differs':8} {one.name}: {one.recorded} → {one.repeated}"
    yield f"{len(figures.keys() - different.keys())} of {len(figures)} figures are equal"
    if AP in different and AP in recorded.figures.keys() & repeated.figures.keys():
        change = repeated.figures[AP] - recorded.figures[AP]
        near = "within" if abs(change) <= tolerance else "beyond"
        yield f"AP by {change:+.4f}: {near} {tolerance:g}"


def _reasons(recorded: Record, repeated: Record) -> Iterator[str]:
    """Yields what differs of all that results depend on."""
    from ssdcore.dvc.reproduction import differences

    files = [one.name for one in differences(recorded.files, repeated.files)]
    named = list(differences(recorded.params, repeated.params))
    if files or named:
        yield "The commit's results were made from something else than the commit:"
        yield from (f"  {name} had another content" for name in files)
    if recorded.machine.keys() - {"device"}:
        known = {name: repeated.machine.get(name) for name in recorded.machine}
        named += differences(recorded.machine, known)
    else:
        yield "The commit's report is in no cache or remote here: its machine is unknown."
    yield from (f"  {one.name}: {one.recorded} → {one.repeated}" for one in named)
    if not files and not named:
        yield "Nothing known differs of code, data, parameters, device and versions."


if __name__ == "__main__":
    run_command(main)
