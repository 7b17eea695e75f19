"""Repeats a run in a clone of its commit, and compares the records of the two runs.

The clone is isolated from other repositories. A run's record is read from its revision: dvc.lock
holds the hash of each file that the run read and wrote, metrics/ holds the figures, and the
report, which only DVC keeps, holds the machine.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.nested import leaves
from ssdcore.dvc.lock import LOCK, LockedStage, parse_lock
from ssdcore.dvc.repository import Revision, folder_in_git, open_repository

REMOVED_PREFIXES = ("DVC_", "GIT_", "MLFLOW_", "PYTHONPATH")
"""Environment variables that may name another repository or another MLflow store."""
KEPT = {"DVC_NO_ANALYTICS", "MLFLOW_DISABLE_TELEMETRY"}
REQUIRED = (layout.TRAIN_METRICS, layout.EVALUATE_METRICS)
METRICS = (*REQUIRED, layout.VALIDATION_METRICS)
"""The files of figures; earlier commits lack the last one."""
REPORT = (layout.REPORT_PAGE, layout.REPORT_JSON, layout.REPORT_TEXT)
TIMED = [str(path) for path in (*REQUIRED, layout.HISTORY, *REPORT)]
"""Outs that hold speeds, times or the commit's name, so that their hashes always differ."""
NOT_COMPARED = {"images_per_second", "milliseconds", "device"}
"""Keys and sections of metrics/ that are not results."""
NOT_MACHINE = {"commit", "uncommitted changes", "DVC experiment"}
"""Keys of the report's environment that do not describe the machine."""


def make_clone(repository: Path, commit: str, folder: Path) -> Path:
    """Clones `commit` into `folder`; returns the folder in it that corresponds to `repository`.

    The clone shares the repository's git objects, so it can also check out experiments.

    Raises:
        InputError: `folder` exists.
        RunError: git failed.
    """
    if folder.exists():
        raise InputError(
            str(folder), "a folder", "a new folder", "Remove it, or name another one with --into"
        )
    with open_repository(repository) as repo:
        top, inside = repo.scm.root_dir, folder_in_git(repo)
    run(repository, "git", "clone", "--quiet", "--shared", "--no-checkout", top, str(folder))
    run(folder, "git", "checkout", "--quiet", "--detach", commit)
    return folder / inside


def tracked_outside_git(sources: Iterable[Path], clone: Path) -> Iterator[Path]:
    """Yields the data among the sources that `dvc add` tracks, so that the clone lacks them."""
    for source in sources:
        if not (clone / source).exists():
            yield source
        elif not source.is_absolute():  # the labels may be in git, and the images in DVC
            for file in (clone / source).rglob("?*.dvc"):
                yield file.with_suffix("").relative_to(clone)


def programs_for(repository: Path, clone: Path) -> Path:
    """Returns the folder of the Python that has the packages which the clone requires.

    If the clone requires the same versions as the repository, this is the running Python's folder;
    otherwise `make env` makes an environment in the clone.

    Raises:
        RunError: the environment cannot be made.
    """
    required, ours = (
        path.read_bytes() if path.exists() else None
        for path in (clone / layout.REQUIREMENTS, repository / layout.REQUIREMENTS)
    )
    if required == ours:
        return Path(sys.executable).parent
    run(clone, "make", "env")
    return clone.resolve() / ".venv/bin"


def run(folder: Path, *command: str, programs: Path | None = None) -> None:
    """Runs a command in `folder`, searching `programs` first; its output goes to the terminal.

    Raises:
        RunError: the exit status is not 0.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or not name.startswith(REMOVED_PREFIXES)
    }
    if programs:
        inherited["PATH"] = os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath)))
    done = subprocess.run(command, cwd=folder, env=inherited, check=False)
    if done.returncode:
        raise RunError(f"`{' '.join(command)}` ended with status {done.returncode} in {folder}")


@dataclass(frozen=True)
class Record:
    """The record of a run.

    Attributes:
        files: MD5 of the code and data that the run read, by `stage: path`.
        params: values of the parameters, by `stage: dotted key`.
        outs: MD5 of what the run wrote, by `stage: path`, without `TIMED`.
        figures: the figures in metrics/, by `file dotted key`, without `NOT_COMPARED`.
        machine: device, processor and versions, as far as known.
    """

    files: Mapping[str, Any]
    params: Mapping[str, Any]
    outs: Mapping[str, Any]
    figures: Mapping[str, Any]
    machine: Mapping[str, Any]

    @property
    def results(self) -> dict[str, Any]:
        """The results that a repeated run must reproduce: outs and figures."""
        return {**self.outs, **self.figures}

    @property
    def sources(self) -> set[Path]:
        """The code and data that the run read."""
        return {Path(name.partition(": ")[2]) for name in self.files}


def read_record(revision: Revision) -> Record:
    """Returns the record of a revision's run.

    Raises:
        InputError: the revision has no dvc.lock or no metrics, or unreadable ones.
    """
    texts = {path: revision.read(path) or b"" for path in (LOCK, *METRICS)}
    for path in (LOCK, *REQUIRED):
        if not texts[path]:
            raise _no_results(path, revision, "no file")
    stages = parse_lock(texts[LOCK].decode(errors="replace"), f"{LOCK} of {revision.name}")
    metrics = {path: _mapping(texts[path]) for path in METRICS}
    for path, content in metrics.items():
        if texts[path] and not content:
            raise _no_results(path, revision, "no JSON object")
    return Record(
        files=_by_stage(stages, "deps", {path for stage in stages.values() for path in stage.outs}),
        params=_by_stage(stages, "params"),
        outs=_by_stage(stages, "outs", TIMED),
        figures={
            f"{path} {key}": value
            for path, content in metrics.items()
            for key, value in leaves(content)
            if key.partition(".")[0] not in NOT_COMPARED
        },
        machine={"device": metrics[layout.EVALUATE_METRICS].get("device")} | _machine(revision),
    )


def _by_stage(
    stages: Mapping[str, LockedStage], kind: str, excluded: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns the entries of all stages, without the `excluded` paths and the files in them."""
    return {
        f"{name}: {key}": value
        for name, stage in stages.items()
        for key, value in getattr(stage, kind).items()
        if not {key, *map(str, Path(key).parents)}.intersection(excluded)
    }


def _machine(revision: Revision) -> dict[str, Any]:
    """Returns the machine that the report names; empty without a report in cache or remote."""
    try:
        report = _mapping(revision.read(layout.REPORT_JSON) or b"")
    except InputError:
        return {}
    environment = report.get("environment")
    known = environment if isinstance(environment, Mapping) else {}
    return {name: value for name, value in known.items() if name not in NOT_MACHINE}


def _mapping(text: bytes) -> Mapping[str, Any]:
    """Returns a JSON object; an empty one if the text is none."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _no_results(path: Path, revision: Revision, found: str) -> InputError:
    remedy = "Name a commit that has them: `dvc repro`, then commit dvc.lock and metrics/"
    return InputError(f"{path} of {revision.name}", found, "a run's results", remedy)


def differences(
    recorded: Mapping[str, Any], repeated: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Returns the values before and after of what differs, None where there is none.

    They are in the order of the first record; NaN equals NaN.
    """
    pairs = {name: (recorded.get(name), repeated.get(name)) for name in {**recorded, **repeated}}
    return {name: (old, new) for name, (old, new) in pairs.items() if repr(old) != repr(new)}
