"""Searches parameters: many DVC experiments, of which Optuna proposes each from the earlier ones.

A command for people, not a stage of the pipeline.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import command, run
from ssdcore.core.errors import InputError, RunError, Stopped
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from ssdcore.search.space import Start
    from ssdcore.search.study import Trial

SpaceOption = Annotated[Path, typer.Option("--space", help="What is searched, and how.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Trials that run at a time.")]


def main(space: SpaceOption = Path("search.yaml"), jobs: JobsOption = 1) -> None:
    """Search the parameters of search.yaml for the highest AP on val.

    Each trial is a DVC experiment in a temporary copy. The same command resumes an interrupted
    search, and shows a finished one. Exit status 75: stopped by Ctrl-C or SIGTERM; the trials that
    ran have saved their states.
    """
    from ssdcore.core.files import write_text
    from ssdcore.core.locks import locked
    from ssdcore.core.signals import Signals
    from ssdcore.search.loop import Search
    from ssdcore.search.page import render_search
    from ssdcore.search.space import read_start
    from ssdcore.search.study import Study
    from ssdcore.search.tracking import SearchRun

    start = read_start(space)
    name = start.space.study
    folder = layout.states() / "search" / name
    lock = locked(folder / "search.lock", f"the results of the study {name}")
    with lock, Signals() as signals:
        _require_new_names(start, folder)
        study = Study(folder, start.space, start.base, start.origin)
        tracking = SearchRun(start, study)
        ended = sum(one.state != "running" for one in study.trials())
        say(f"{name}: {ended} of {start.space.trials} trials have ended")
        try:
            for trial, line in Search(study, start, jobs, folder, signals).run():
                say(f"{trial.name} {line}")
                tracking.update()
        except Stopped as stopped:
            tracking.end("KILLED")
            text = f"{stopped}: the trials that ran have saved their states. The same command"
            raise Stopped(f"{text} resumes the search") from None
        except (InputError, RunError):
            tracking.end("FAILED")
            raise
        trials = study.trials()
        page = render_search(start.space, trials, study.importance())
        write_text(layout.SEARCH_PAGE, page)
        address = tracking.end("FINISHED", layout.SEARCH_PAGE)
    _say_result(trials, list(start.space.params), address)


def _require_new_names(start: Start, folder: Path) -> None:
    """Checks that the names of a new study are free: its experiments would count as its trials."""
    from ssdcore.dvc.experiments import names_at

    ours = re.compile(rf"{start.space.study}-\d+").fullmatch
    taken = sorted(filter(ours, names_at(start.baseline)))
    if taken and not (folder / "study.db").exists():
        remedy = f"Name another study, or `dvc exp remove {shlex.join(taken)}`"
        expected = "a name without experiments"
        raise InputError(f"{start.path}: study", start.space.study, expected, remedy)


def _say_result(trials: list[Trial], keys: list[str], address: str) -> None:
    from ssdcore.search.page import ranked, table
    from ssdcore.search.study import best
    from ssdcore.tracking.store import locate

    say("\n".join(["", *table(ranked(trials), keys)]))
    if winner := best(trials):
        say(f"\nbest: {winner.name}, AP {winner.ap:.4f}")
        say(f"apply it: dvc exp apply {winner.name}")
    say(f"page:     {layout.SEARCH_PAGE}")
    if address:
        say(f"see it:   {address}{locate().page_note}")


app = command(main)

if __name__ == "__main__":
    run(app)
