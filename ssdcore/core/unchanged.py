"""Refuses what a stage wrote if its code or its parameters changed meanwhile.

DVC reads both when a stage ends. Without this check dvc.lock would record outs with code and
values that did not make them, and no later `dvc repro` would correct it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ssdcore.core import layout
from ssdcore.core.errors import RunError
from ssdcore.core.experiment import STAGE
from ssdcore.core.files import sha256_of_file
from ssdcore.core.nested import leaves

PIPELINE = Path("dvc.yaml")
CACHE = "__pycache__"
MOST_NAMED = 3


@contextmanager
def unchanged() -> Iterator[None]:
    """Compares the stage in dvc.yaml before and after the block; without DVC, it does nothing.

    It compares the stage's parameters and the files of its code, not its data.

    Raises:
        RunError: one of them changed; DVC then records nothing of the stage.
    """
    stage = os.environ.get(STAGE, "").rpartition(":")[2]  # ../cats/dvc.yaml:train from a folder
    listed = _yaml(PIPELINE).get("stages", {}).get(stage, {}) if stage else {}
    before = _parameters_and_code(listed)
    yield
    after = _parameters_and_code(listed)
    if changed := sorted(key for key in before | after if before.get(key) != after.get(key)):
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        raise RunError(
            f"{', '.join(changed[:MOST_NAMED])}{more} changed while {stage} ran. DVC would record "
            "that with outputs that were made without it, so the stage fails. Keep the change, or "
            "undo it, and run dvc repro again"
        )


def _parameters_and_code(listed: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of a stage's parameters and the hashes of its code, by key and file."""
    keys, deps = (
        [one for one in listed.get(kind, []) if isinstance(one, str)] for kind in ("params", "deps")
    )
    values = leaves(_yaml(layout.PARAMS)) if keys else ()
    found: dict[str, Any] = {
        f"{layout.PARAMS}: {key}": value
        for key, value in values
        if any(f"{key}.".startswith(f"{one}.") for one in keys)
    }
    for dep in (Path(dep) for dep in deps if dep.partition("/")[0] in layout.CODE):
        for file in dep.rglob("*") if dep.is_dir() else [dep]:
            hidden = any(part.startswith((".", CACHE)) for part in file.parts)
            if file.is_file() and not hidden:
                found[str(file)] = sha256_of_file(file)
    return found


def _yaml(path: Path) -> dict[str, Any]:
    """Returns a file's content, empty if it cannot be read: its values then differ."""
    try:
        content = YAML(typ="safe").load(path)
    except (OSError, RecursionError, YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
