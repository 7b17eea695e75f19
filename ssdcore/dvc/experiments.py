"""The experiments that DVC keeps beside git's commits, as `dvc exp show` lists them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.nested import leaves

DONE = {None, "success"}
"""How DVC calls the state of experiments that have results: run in the workspace, or elsewhere."""


@dataclass(frozen=True)
class Experiment:
    """An experiment, or the commit that others started from.

    Attributes:
        name: of the experiment, which `dvc exp apply` takes; of a baseline its branch, tag or hash.
        baseline: the hash of the commit that it started from; of a baseline its own.
        is_baseline: whether it is that commit.
        state: success, failed, queued or running; None where it ran in the workspace.
        params: as they stand in params.yaml.
        metrics: the twelve figures of the evaluation by name; empty where there are none.
        changed: the parameters that differ from the baseline's, under dotted keys.
        data: the hash of the shards; None where they are not in dvc.lock.
    """

    name: str
    baseline: str
    is_baseline: bool
    state: str | None
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    changed: Mapping[str, Any]
    data: str | None

    @property
    def has_results(self) -> bool:
        """Whether the metrics are its own: failed and running ones show their baseline's."""
        return self.state in DONE and "AP" in self.metrics


def list_experiments(commits: int) -> list[Experiment]:
    """Returns the last commits of this branch, each followed by its experiments.

    Args:
        commits: how many; -1 is all.

    Raises:
        InputError: the working folder is in no DVC repository.
        RunError: DVC can't list them.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "show", "--json", "--num", str(commits)],
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
        if "not inside of a DVC repository" in done.stderr:
            raise InputError(str(Path.cwd()), "no .dvc", "a folder of a DVC repository")
        raise RunError(f"dvc exp show: {reason[0]}")
    return list(read_states(json.loads(done.stdout)))


def read_states(states: list[Any]) -> Iterator[Experiment]:
    """Yields the experiments in what `dvc exp show --json` prints."""
    for state in states:
        if state["rev"] == "workspace" or not state["data"]:
            continue
        baseline = _experiment(state, state, None)
        yield baseline
        for found in state["experiments"] or []:
            executor = found["executor"] or {}
            if found["revs"][0]["data"]:
                yield _experiment(found["revs"][0], state, executor.get("state"), baseline.params)


def _experiment(
    state: Any, baseline: Any, executed: str | None, params_before: Mapping[str, Any] | None = None
) -> Experiment:
    params = _content(state, "params", layout.PARAMS)
    before = dict(leaves(params if params_before is None else params_before))
    return Experiment(
        name=state["name"] or state["rev"][:7],
        baseline=baseline["rev"],
        is_baseline=state is baseline,
        state=executed,
        params=params,
        metrics=_content(state, "metrics", layout.EVALUATE_METRICS).get("bbox") or {},
        changed={k: v for k, v in leaves(params) if before.get(k, ...) != v},
        data=(state["data"]["outs"] or {}).get(str(layout.MINDRECORD), {}).get("hash"),
    )


def _content(state: Any, kind: str, path: Path) -> dict[str, Any]:
    """Returns what a file held; nothing where DVC could not read it."""
    content: dict[str, Any] = (state["data"][kind] or {}).get(str(path), {}).get("data") or {}
    return content
