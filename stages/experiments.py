"""Ranks and shares the experiments of DVC. A command for people, not a stage of the pipeline."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from ssdcore.core.command import run, subcommands
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.messages import counted, say
from ssdcore.dvc.repository import WORKSPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ssdcore.dvc.experiments import Experiment

NEXT_COMMANDS = {
    "queued": "dvc queue start",
    "running": "dvc queue status",
    "failed": "dvc queue logs NAME",
}
EXAMPLE = "dvc exp run --queue -S 'runtime.seed=2,3'"


def best(
    top: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 10,
    commits: Annotated[
        int,
        typer.Option(min=-1, help="Commits whose experiments are ranked; -1: all of this branch."),
    ] = 1,
) -> None:
    """List experiments by AP on val, and print how to open and apply the best one.

    Only experiments on the same data/raw as the workspace are ranked, since AP does not compare
    across data sets. If the workspace has none, the commit or the newest experiment with an AP
    decides.
    """
    from ssdcore.dvc.experiments import CHANGED, list_experiments

    experiments = list_experiments(commits)
    measured = [one for one in experiments if one.has_results]
    workspace = next((one for one in experiments if one.name == WORKSPACE), None)
    data = next((o.data for o in (workspace, *measured) if o and o.data), None)
    ranked = [one for one in measured if one.data == data]
    others = len(measured) - len(ranked)
    twin = next((one for one in ranked if workspace and _is_applied(one, workspace)), None)
    ranked = [one for one in ranked if one is not workspace or not twin]
    ranked.sort(key=lambda one: one.metrics["AP"], reverse=True)
    for line in _table(ranked, top, twin):
        say(line)
    if others:
        say(f"{others} on other data, whose AP is not comparable")
    states = Counter(one.state for one in experiments)
    if states[CHANGED]:
        say("the workspace has changed since its last run: dvc repro")
    for state in filter(states.get, NEXT_COMMANDS):
        say(f"{states[state]} {state}: {NEXT_COMMANDS[str(state)]}")
    winner = next((one for one in ranked if not _repeats(one, ranked)), None)
    if winner:
        say("\n".join(_about(winner, ranked)))
    elif not any(states[state] for state in NEXT_COMMANDS):
        say(f"No {'experiments on this data' if others else 'other experiments'} yet: {EXAMPLE}")


def share(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The experiment.")],
    git_remote: Annotated[str, typer.Option(help="Git remote for its commit.")] = "origin",
) -> None:
    """Push an experiment: its commit to git, its outputs to DVC's remote, its run to MLflow.

    The run is copied from mlflow.db to the server that MLFLOW_TRACKING_URI names, if it is not
    there. Others get the experiment with `dvc exp pull`.
    """
    from ssdcore.dvc.experiments import list_experiments, push

    found = [one for one in list_experiments(-1) if one.name == name and one.has_results]
    if not found or found[0].is_baseline or name == WORKSPACE:
        remedy = "`python -m stages.experiments best` lists them"
        raise InputError("NAME", name, "a finished experiment", remedy)
    files = push(name, git_remote)
    if files is None:
        say(f"{name} is on {git_remote}; its outputs are not shared: it has no DVC remote")
        say("to share them: dvc remote add --local --default NAME ADDRESS, then share it again")
    else:
        say(f"{name} is on {git_remote}, {counted(files, 'new file')} on DVC's remote")
        say(f"to get it: dvc exp pull {git_remote} {name}")

    from ssdcore.tracking.experiment_runs import copy_run, find_run
    from ssdcore.tracking.sender import sync
    from ssdcore.tracking.store import UnavailableError, local, locate

    store = locate()
    if store == local():
        say(f"its run stays in {store.uri}: MLFLOW_TRACKING_URI names no server")
        return
    try:
        list(sync())
        run = find_run(store, found[0])
        ours = None if run else find_run(local(), found[0])
        page = run.page if run else ours and copy_run(local(), ours.run_id, store)
    except UnavailableError as error:
        raise RunError(f"MLflow: {error}. The experiment is pushed; its run is not") from None
    say(f"its run: {page or 'none, it was not tracked'}")


def _table(ranked: Sequence[Experiment], top: int, applied: Experiment | None) -> Iterator[str]:
    """Yields a header and a line for each experiment; `applied` is the one in the workspace."""
    rows = ranked[:top]
    width = max(len(name) for name in ("experiment", *(one.name for one in rows)))
    if rows:
        yield f"{'AP':>6} {'AP50':>6}  {'experiment':{width}}  changed"
    for one in rows:
        figures = " ".join(f"{one.metrics[name]:6.4f}" for name in ("AP", "AP50"))
        changes = ", ".join(f"{key} {json.dumps(value)}" for key, value in one.changed.items())
        same = "(the commit)" if one.is_baseline else "(same as the commit)"
        described = same if _repeats(one, ranked) else changes or "(code or data)"
        mark = " [workspace]" if one is applied else ""
        yield f"{figures}  {one.name:{width}}  {described}{mark}"


def _about(winner: Experiment, ranked: Sequence[Experiment]) -> Iterator[str]:
    """Yields the commands and the address to apply and to open the best experiment."""
    from ssdcore.tracking.experiment_runs import find_run
    from ssdcore.tracking.store import UnavailableError, locate, root_folder

    store = locate()
    origin = _origin(winner, ranked)
    beside = f" ({origin.name} itself: {origin.metrics['AP']:.4f})" if origin else ""
    yield f"\nbest: {winner.name}, AP {winner.metrics['AP']:.4f}{beside}"
    is_here = winner.name == WORKSPACE
    yield (
        "keep it:  dvc exp save"
        if is_here
        else f"apply it: dvc exp apply {shlex.quote(winner.name)}"
    )
    try:
        found = find_run(store, winner)
    except UnavailableError as error:
        say(f"warning: MLflow does not answer ({error})", error=True)
    else:
        nothing = f"no MLflow run of this experiment in {store.written(root_folder())}"
        yield f"see it:   {found.page + store.page_note if found else nothing}"


def _is_applied(one: Experiment, workspace: Experiment) -> bool:
    """Returns whether the workspace has the results of an experiment or commit."""
    same = one.metrics == workspace.metrics and one.params == workspace.params
    return same and one is not workspace


def _repeats(one: Experiment, ranked: Sequence[Experiment]) -> bool:
    """Returns whether applying an experiment would change nothing: it equals its commit."""
    origin = _origin(one, ranked)
    return origin is not None and not one.changed and one.metrics == origin.metrics


def _origin(one: Experiment, ranked: Sequence[Experiment]) -> Experiment | None:
    """Returns the commit that an experiment started from; None if it is not ranked."""
    commits = (other for other in ranked if other.is_baseline)
    return next((commit for commit in commits if commit.baseline == one.baseline), None)


app = subcommands(best, share, about=__doc__ or "")

if __name__ == "__main__":
    run(app)
