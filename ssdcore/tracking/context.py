"""The origin of a run as tags: the DVC experiment, the hash of the data, the git commit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.experiment import NAME_TAG, experiment_tags
from ssdcore.core.files import sha256_of_json
from ssdcore.core.processes import git_output
from ssdcore.dvc.lock import LOCK, changed_inputs, recorded_outs

PARAMS_TAG, MODEL_TAG = "params.sha256", "model.sha256"
KEY_TAG, STAGE_TAG = "run.key", "dvc.stage"


def repository(folder: Path) -> Path:
    """Returns `folder` or its nearest parent with `.dvc` or `.git`; `folder` if none has them."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".dvc").exists() or (candidate / ".git").exists():
            return candidate
    return folder


def identity(params: Mapping[str, Any], model_sha256: str) -> dict[str, str]:
    """Returns the tags that all stages of one experiment share: the parameters and the model."""
    model = {MODEL_TAG: model_sha256} if model_sha256 else {}
    return {PARAMS_TAG: sha256_of_json(params)} | model


def provenance(folder: Path) -> dict[str, str]:
    """Returns the tags that name the code and data in the repository around `folder`.

    Unknown ones are missing: outside an experiment, without a dvc.lock, without git. During an
    experiment HEAD is its baseline, so `dvc.exp_name` identifies it in `dvc exp show`.
    """
    root = repository(folder)
    outs = recorded_outs(root / LOCK)
    changed = changed_inputs(root, outs)
    tags = {
        "dvc.data_md5": outs.get(str(layout.MINDRECORD)),
        "git.commit": git_output(root, "rev-parse", "HEAD"),
        "git.dirty": None if changed is None else str(bool(changed)).lower(),
    }
    return experiment_tags() | {name: value for name, value in tags.items() if value}


def run_name(tags: dict[str, str]) -> str | None:
    """Returns the experiment's name or else the short commit; None lets MLflow choose a name."""
    commit = tags.get("git.commit", "")[:7]
    dirty = "-dirty" if tags.get("git.dirty") == "true" else ""
    return tags.get(NAME_TAG) or (f"{commit}{dirty}" if commit else None)
