"""Lists the experiments that DVC keeps beside git's commits, as `dvc exp show` does."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.nested import leaves
from ssdcore.core.processes import git_output
from ssdcore.dvc.repository import WORKSPACE, in_one_line, open_repository, open_revisions, status

DONE = {None, "success"}
"""DVC's states of experiments with results; None if the experiment ran in the workspace."""
EVALUATE = "evaluate"
"""The stage of dvc.yaml that measures AP."""
CHANGED = "changed"
"""Our state of a workspace whose code, data or parameters are not those of its results."""


@dataclass(frozen=True)
class Experiment:
    """An experiment, the commit that experiments started from, or the workspace.

    Attributes:
        name: the name of the experiment; of a commit its branch, tag or abbreviated hash;
            `WORKSPACE`.
        baseline: the hash of the commit that the experiment started from; of a commit its own.
        is_baseline: whether this is the commit itself.
        state: success, failed, queued or running; None if it ran in the workspace; `CHANGED`.
        params: the content of params.yaml.
        metrics: the twelve COCO metrics of val by name; empty if there are none.
        changed: parameters that differ from the baseline's, by dotted key.
        data: the hash of data/raw; None if dvc.lock does not have it. The section `convert` changes
            what training sees of it, such as smaller images, but not what AP is measured against.
        reported_ap: the AP of the evaluated split, as evaluate logs it; None if there is none.
    """

    name: str
    baseline: str
    is_baseline: bool
    state: str | None
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    changed: Mapping[str, Any]
    data: str | None
    reported_ap: float | None = None

    @property
    def has_results(self) -> bool:
        """Whether the metrics are its own: DVC shows the baseline's for unfinished ones.

        COCO's AP is -1 without objects, which is no result.
        """
        ap = self.metrics.get("AP")
        return self.state in DONE and isinstance(ap, int | float) and ap >= 0


def list_experiments(commits: int) -> list[Experiment]:
    """Returns the workspace and the last `commits` of this branch, each with its experiments.

    With -1 commits, it is all of the branch.

    Raises:
        InputError: the working folder is not in a DVC repository.
        RunError: DVC cannot list them.
    """
    with open_repository() as repo:
        workspace = CHANGED if status(repo, EVALUATE) else None
        return list(read_states(repo.experiments.show(num=commits), workspace))


def push(name: str, git_remote: str) -> int | None:
    """Pushes an experiment's commit to a git remote, and its outs to the DVC remote.

    Returns:
        How many files the DVC remote did not have; None if the commit names no DVC remote.

    Raises:
        RunError: DVC reports an error, for example that there is no such git remote or that the
            outs cannot be uploaded, or the remote has another experiment of this name.
    """
    from dvc.repo.experiments.push import UploadError

    with open_repository() as repo:
        try:
            sent = repo.experiments.push(git_remote, exp_names=[name], push_cache=True)
        except UploadError as error:
            raise RunError(
                f"DVC: {in_one_line(error.__cause__ or error)}. {name} is on {git_remote}, but "
                "not all of its outputs are on DVC's remote"
            ) from None
        with repo.switch(name):
            has_remote = bool(repo.config["core"].get("remote"))
    if sent.get("diverged"):
        raise RunError(
            f"{git_remote} has another experiment {name}. Rename yours (`dvc exp rename`), or "
            f"replace the other one: `dvc exp push --force {git_remote} {name}`"
        )
    return int(sent["uploaded"]) if has_remote else None


def names_at(baseline: str) -> set[str]:
    """Returns the names of the finished experiments of a commit."""
    found = git_output(Path(), "for-each-ref", "--format=%(refname)", _ref(baseline, "")) or ""
    return {line.rpartition("/")[2] for line in found.splitlines()}


def results_of(name: str, baseline: str) -> tuple[dict[str, Any], str] | None:
    """Returns the figures of val of a finished experiment, and its validations as CSV.

    None if there is no such experiment; the CSV is empty if DVC has none here. Quicker than
    `list_experiments`, which reads all experiments.
    """
    commit = git_output(Path(), "rev-parse", "--verify", _ref(baseline, name))
    if not commit:
        return None
    metrics = {}
    for path in (layout.VALIDATION_METRICS, layout.EVALUATE_METRICS):
        text = git_output(Path(), "show", f"{commit}:./{path}")
        metrics[str(path)] = {"data": json.loads(text or "{}")}
    try:
        with open_revisions([commit]) as (revision,):
            validations = (revision.read(layout.VALIDATION) or b"").decode("utf-8", "replace")
    except InputError:
        validations = ""
    return _figures(metrics), validations


def _ref(baseline: str, name: str) -> str:
    return f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"


def read_states(states: Iterable[Any], workspace: str | None = None) -> Iterator[Experiment]:
    """Yields experiments from DVC's `ExpState` objects; skips those that DVC could not read.

    The first object is the workspace's, whose state DVC does not give; commits follow.
    """
    readable = [state for state in states if state.data]
    for state, head in pairwise(readable):
        if state.rev == WORKSPACE:
            yield _experiment(state, head, workspace, _content(head.data.params, layout.PARAMS))
    for state in readable:
        if state.rev == WORKSPACE:
            continue
        baseline = _experiment(state, state, None)
        yield baseline
        for found in state.experiments or []:
            if found.revs[0].data:
                executed = found.executor and found.executor.state
                yield _experiment(found.revs[0], state, executed, baseline.params)


def _experiment(
    state: Any, baseline: Any, executed: str | None, params_before: Mapping[str, Any] | None = None
) -> Experiment:
    params = _content(state.data.params, layout.PARAMS)
    before = dict(leaves(params if params_before is None else params_before))
    raw = state.data.outs.get(str(layout.RAW))
    return Experiment(
        name=WORKSPACE if state.rev == WORKSPACE else state.name or state.rev[:7],
        baseline=baseline.rev,
        is_baseline=state is baseline,
        state=executed,
        params=params,
        metrics=_figures(state.data.metrics),
        changed={key: value for key, value in leaves(params) if before.get(key, ...) != value},
        data=raw.hash if raw else None,
        reported_ap=_bbox(state.data.metrics, layout.EVALUATE_METRICS).get("AP"),
    )


def _figures(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the figures of val: choosing an experiment by those of test would bias them."""
    for path in (layout.VALIDATION_METRICS, layout.EVALUATE_METRICS):  # earlier ones have no first
        if figures := _bbox(metrics, path):
            return figures
    return {}


def _bbox(metrics: Mapping[str, Any], path: Path) -> dict[str, Any]:
    return dict(_content(metrics, path).get("bbox") or {})


def _content(files: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Returns the content of one of DVC's files; empty if DVC could not read it."""
    content: dict[str, Any] = files.get(str(path), {}).get("data") or {}
    return content
