"""Searches parameters: many DVC experiments, of which Optuna proposes each from the earlier ones.

A command for people, not a stage of the pipeline.
"""

from __future__ import annotations

import os
import re
import shlex
from math import inf
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core import layout
from ssdcore.core.command import command, run
from ssdcore.core.errors import InputError, Stopped
from ssdcore.core.messages import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ssdcore.params.schema import Params
    from ssdcore.search.space import Space
    from ssdcore.search.study import Study, Trial

SpaceOption = Annotated[Path, typer.Option("--space", help="What is searched, and how.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Trials that run at a time.")]
RESULTS = ("dvc.lock", "metrics")
"""Committed files that a trial does not start from."""


def main(space: SpaceOption = Path("search.yaml"), jobs: JobsOption = 1) -> None:
    """Search the parameters of search.yaml for the highest AP on val.

    Each trial is a DVC experiment in a temporary copy. The same command resumes an interrupted
    search, and shows a finished one. Exit status 75: stopped by Ctrl-C or SIGTERM; the trials that
    ran have saved their states.
    """
    from ssdcore.core.locks import locked
    from ssdcore.core.signals import Signals
    from ssdcore.dvc.experiments import names_at
    from ssdcore.dvc.repository import at_rest
    from ssdcore.params.reader import read_params
    from ssdcore.search.space import read_space

    _require_optuna()
    with at_rest():
        settings = read_params(layout.PARAMS)
        chosen, base = read_space(space, layout.PARAMS)
        baseline, origin = _origin(space)

    from ssdcore.search.loop import Search
    from ssdcore.search.study import Study, best

    folder = layout.states() / "search" / chosen.study
    with (
        locked(folder / "search.lock", f"the results of the study {chosen.study}"),
        Signals() as signals,
    ):
        ours = re.compile(rf"{chosen.study}-\d+").fullmatch
        taken = sorted(filter(ours, names_at(baseline)))
        if taken and not (folder / "study.db").exists():
            remedy = f"Name another study, or `dvc exp remove {shlex.join(taken)}`"
            raise InputError(f"{space}: study", chosen.study, "a name without experiments", remedy)
        study = Study(folder, chosen, base, origin)
        tracking = _Tracking(settings, chosen, study, baseline)
        ended = sum(one.state != "running" for one in study.trials())
        say(f"{chosen.study}: {ended} of {chosen.trials} trials have ended")

        def require_same() -> None:
            with at_rest():
                if _origin(space) != (baseline, origin):
                    expected = f"the commit and the files that {chosen.study} began with"
                    remedy = "Restore them; the same command resumes the search"
                    raise InputError(str(Path.cwd()), "changed files", expected, remedy)

        search = Search(study, chosen.trials, jobs, folder, baseline, base, signals, require_same)
        try:
            for event in search.run():
                say(f"{event.trial.name} {event.line}{_described(event.trial, event.line, chosen)}")
                tracking.update()
        except Stopped as stopped:
            tracking.end("KILLED")
            text = f"{stopped}: the trials that ran have saved their states. The same command"
            raise Stopped(f"{text} resumes the search") from None
        trials = study.trials()
        _write_page(chosen, study, trials)
        page = tracking.end("FINISHED", layout.SEARCH_PAGE)
    _say_result(trials, list(chosen.params), best(trials), page)


class _Tracking:
    """The MLflow run of the search; a store that does not answer is tried again at the end."""

    EVERY_S = 30.0

    def __init__(self, settings: Params, space: Space, study: Study, baseline: str) -> None:
        self._enabled = settings.tracking.enabled
        self._experiment = settings.tracking.experiment
        self._space, self._study, self._baseline = space, study, baseline
        self._next_s = 0.0

    def update(self) -> None:
        """Brings the run up to date, every half minute."""
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + self.EVERY_S
            self._record("RUNNING")

    def end(self, status: str, page: Path | None = None) -> str:
        """Completes the run; returns its address, "" if the store does not answer."""
        return self._record(status, page, self._study.importance())

    def _record(
        self,
        status: str,
        page: Path | None = None,
        shares: Mapping[str, float] = MappingProxyType({}),
    ) -> str:
        if not self._enabled:
            return ""
        from ssdcore.search.study import best
        from ssdcore.tracking.parent import Child, Parent, record_search
        from ssdcore.tracking.sender import sync
        from ssdcore.tracking.store import UnavailableError, locate

        has_all = page is not None and not any(sent.left for sent in sync())
        trials, rules = self._study.trials(), self._space.model_dump(mode="json")
        parent = Parent(self._experiment, self._study.key, self._space.study, {"search": rules})
        children = [
            Child(one.name, self._baseline, one.state, one.changes, one.ap) for one in trials
        ]
        highest = best(trials)
        metrics = {"AP": highest.ap} if highest and highest.ap is not None else {}
        metrics |= {f"importance/{key}": share for key, share in shares.items()}
        try:
            return record_search(locate(), parent, children, metrics, status, page, has_all=has_all)
        except UnavailableError as error:
            self._next_s = inf
            text = f"warning: MLflow does not answer ({error}); the same command tries again"
            say(text, error=True)
            return ""


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "this command", "no package optuna", "the packages of requirements.lock",
            "Run make env, or pip install optuna",
        ) from None  # fmt: skip


def _origin(space: Path) -> tuple[str, str]:
    """Returns the commit, and a hash of it and of what is not committed, except the search space.

    Raises:
        InputError: there is no commit.
    """
    from ssdcore.core.files import sha256_of_json
    from ssdcore.core.git import git_output

    commit = git_output(Path(), "rev-parse", "HEAD")
    if not commit:
        raise InputError(str(Path.cwd()), "no commit", "a git repository, which has experiments")
    own = os.path.relpath(space)
    left_out = [*RESULTS, *([] if own.startswith(os.pardir) else [own])]
    excluded = (f":(exclude){path}" for path in left_out)
    changes = git_output(Path(), "diff", "HEAD", "--", ".", *excluded)
    return commit, sha256_of_json([commit, changes])


def _described(trial: Trial, line: str, space: Space) -> str:
    """Returns the parameters of a trial, where its first line tells them."""
    from ssdcore.report.words import setting

    if line not in ("begins", "goes on"):
        return ""
    return ": " + ", ".join(f"{key} {setting(trial.changes[key])}" for key in space.params)


def _write_page(space: Space, study: Study, trials: Sequence[Trial]) -> None:
    from ssdcore.core.files import write_text
    from ssdcore.search.page import render_search

    write_text(layout.SEARCH_PAGE, render_search(space, trials, study.importance()))


def _say_result(trials: Sequence[Trial], keys: list[str], winner: Trial | None, page: str) -> None:
    from ssdcore.search.page import ranked, table

    say("\n".join(["", *table(ranked(trials), keys)]))
    if winner:
        say(f"\nbest: {winner.name}, AP {winner.ap:.4f}")
        say(f"apply it: dvc exp apply {winner.name}")
    say(f"page:     {layout.SEARCH_PAGE}")
    if page:
        say(f"see it:   {page}   (while `mlflow ui --workers 1` runs)")


app = command(main)

if __name__ == "__main__":
    run(app)
