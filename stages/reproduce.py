"""Verifies that a commit reproduces. A command for people, not a stage of the pipeline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import command
from ssdcore.core.command import run as run_command
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssdcore.dvc.reproduction import Record

DIFFERS = 1


def main(
    revision: Annotated[str, typer.Argument(metavar="REV", help="Commit, tag or experiment.")],
    into: Annotated[
        Path | None, typer.Option(help="A new folder; by default .ssd/reproduced/HASH.")
    ] = None,
) -> None:
    """Run a commit's whole pipeline again, in a clone with its own versions, and compare.

    Exit status 0: every out and every figure is equal. 1: something differs, however slightly.
    """
    from ssdcore.dvc.repository import WORKSPACE, open_revisions
    from ssdcore.dvc.reproduction import (
        differences,
        make_clone,
        programs_for,
        read_record,
        run,
        tracked_outside_git,
    )

    with open_revisions([revision], "REV") as (original,):
        commit = original.origin.commit
        recorded = read_record(original)
        folder = into or layout.states() / "reproduced" / commit
        clone = make_clone(Path.cwd(), commit, folder)
        say(f"{revision} is {commit}, repeated in {clone}")
        for path in tracked_outside_git(recorded.sources, clone):
            original.fetch(path, clone / path)
    programs = programs_for(Path.cwd(), clone)
    repro = ("-m", "dvc", "repro", "--force", "--no-run-cache")
    run(clone, str(programs / "python"), *repro, programs=programs)
    with open_revisions([WORKSPACE], "REV", clone) as (copy,):
        repeated = read_record(copy)
    say("\n".join(("", *_comparison(recorded, repeated))))
    if differences(recorded.results, repeated.results):
        say("\n".join(("", *_reasons(recorded, repeated))))
        sys.exit(DIFFERS)


def _comparison(recorded: Record, repeated: Record) -> Iterator[str]:
    """Yields a line for each out and for each figure that differs."""
    from ssdcore.dvc.reproduction import TIMED, differences

    different = differences(recorded.results, repeated.results)
    for name in {**recorded.outs, **repeated.outs}:
        yield f"{'differs' if name in different else 'equal':8} {name}"
    yield f"{'-':8} {', '.join(TIMED)} hold speeds and times: not compared by hash"
    figures = {**recorded.figures, **repeated.figures}
    for name in (one for one in figures if one in different):
        yield f"{'differs':8} {name}: {different[name][0]} → {different[name][1]}"
    yield f"{len(figures.keys() - different.keys())} of {len(figures)} figures are equal"


def _reasons(recorded: Record, repeated: Record) -> Iterator[str]:
    """Yields the inputs and conditions that differ and may explain different results."""
    from ssdcore.dvc.reproduction import differences

    files = differences(recorded.files, repeated.files)
    others = differences(recorded.params, repeated.params)
    if files or others:
        yield "The results in the commit were not made from the code, data and params in it:"
        yield from (f"  {name} had different content" for name in files)
    if recorded.machine.keys() - {"device"}:
        known = {name: repeated.machine.get(name) for name in recorded.machine}
        others |= differences(recorded.machine, known)
    else:
        yield (
            "The commit's report is in neither the DVC cache nor a remote, so its machine is "
            "unknown."
        )
    yield from (f"  {name}: {old} → {new}" for name, (old, new) in others.items())
    if not files and not others:
        yield "Code, data, parameters, device and versions do not differ, as far as known."


app = command(main)

if __name__ == "__main__":
    run_command(app)
