"""Reads dvc.lock, where DVC records each stage's last run: hashes of files, values of parameters.

It does not need DVC itself, whose import takes most of a second.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from ssdcore.core.errors import InputError, found_instead
from ssdcore.core.nested import leaves
from ssdcore.core.processes import git_output

LOCK = Path("dvc.lock")
EXPECTED, REMEDY = "DVC's record of a run", "Run dvc repro"


class LockedStage(NamedTuple):
    """The record of one stage.

    Attributes:
        deps: MD5 of each file or folder that the stage read, by path from the repository root; a
            folder's hash ends in `.dir`, and an entry without an MD5 has an empty string.
        params: values of the parameters that the stage depends on, by dotted key.
        outs: MD5 of each file or folder that the stage wrote, like `deps`.
    """

    deps: Mapping[str, str]
    params: Mapping[str, Any]
    outs: Mapping[str, str]


def read_lock(path: Path) -> dict[str, LockedStage]:
    """Returns the records in a dvc.lock by stage, in the order of the file.

    Raises:
        InputError: the file is missing or not a dvc.lock.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), found_instead(error), EXPECTED, REMEDY) from None
    return parse_lock(text, str(path))


def recorded_outs(path: Path = LOCK) -> dict[str, str]:
    """Returns the MD5 of every out in a dvc.lock by path; empty without a valid dvc.lock."""
    try:
        stages = read_lock(path).values()
    except InputError:
        return {}
    return {out: md5 for stage in stages for out, md5 in stage.outs.items()}


def changed_inputs(root: Path, outs: Iterable[str]) -> list[str] | None:
    """Returns the tracked files in `root` that differ from git's commit; None without a commit.

    dvc.lock and the `outs` do not count: DVC rewrites them while the pipeline runs, so every run
    would have changed some. Names with control characters are quoted as git does.
    """
    written = [f":(exclude){path}" for path in (LOCK, *outs)]
    diff = ("--no-optional-locks", "-c", "core.quotePath=false", "diff", "--name-only")
    names = git_output(root, *diff, "--relative", "HEAD", "--", ".", *written)
    return None if names is None else names.splitlines()


def parse_lock(text: str, where: str = str(LOCK)) -> dict[str, LockedStage]:
    """Returns the records in the text of a dvc.lock, which messages call `where`, by stage.

    Raises:
        InputError: the text is not a dvc.lock.
    """
    try:
        stages = YAML(typ="safe").load(text)["stages"]
        return {name: _locked_stage(record) for name, record in stages.items()}
    except Exception as error:  # whatever YAML's reader and a file of another form raise
        found = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(where, found, EXPECTED, REMEDY) from None


def _locked_stage(record: Mapping[str, Any]) -> LockedStage:
    deps, outs = (
        {entry["path"]: entry.get("md5", "") for entry in record.get(kind, [])}
        for kind in ("deps", "outs")
    )
    files = record.get("params", {}).values()
    params = {key: value for values in files for key, value in leaves(values)}
    return LockedStage(deps, params, outs)
