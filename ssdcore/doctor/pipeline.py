"""Checks the parameters, the data, DVC and MLflow."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from ssdcore.core import layout
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.files import read_json
from ssdcore.core.nested import leaves
from ssdcore.data.mindrecord import REMEDY, find_shards
from ssdcore.doctor import Finding
from ssdcore.dvc.repository import open_repository, status
from ssdcore.params import reader
from ssdcore.sources.local import require_paths
from ssdcore.tracking.spool import HOME, REFUSED, spools
from ssdcore.tracking.store import IN_MEMORY, Store, locate, read_only, root_folder

SERVER_TIMEOUT_S = 3.0
PORTS = {"http": 80, "https": 443}
SYNC = "Run python -m stages.doctor sync"


def check_params(path: Path) -> Finding:
    """Checks that the parameter file is valid and whole, and that the user's data are there."""
    try:
        values = reader.read_values(path)
        params = reader.check_params(values, path)
        if params.dataset.name == "local":
            require_paths(params.dataset.local)
    except InputError as error:
        return Finding("error", "parameters", str(error).rstrip("."))
    there = dict(leaves(reader.with_new_names(values)[0]))
    if lacking := [key for key, _ in leaves(params.model_dump()) if key not in there]:
        text = f"{path} lacks {', '.join(lacking)}, whose defaults count; DVC may need them there"
        return Finding("to do", "parameters", text, "Add them: presets/custom.yaml has all")
    return Finding("ok", "parameters", f"{path}, data set {params.dataset.name}")


def check_data() -> Finding:
    """Checks that the MindRecord files, their indices and the conversion report are there."""
    if not layout.MINDRECORD.exists():
        return Finding("to do", "data", f"no {layout.MINDRECORD} yet", "Run dvc repro convert")
    counts = []
    for split in layout.splits():
        try:
            find_shards(layout.mindrecord(split))
            images = read_json(layout.conversion(split))[split]["images"]
            counts.append(f"{images['kept']} for {split}")
        except InputError as error:
            return Finding("error", "data", f"{error.where} is missing", error.remedy)
        except (OSError, ValueError, KeyError, TypeError):
            return Finding("error", "data", f"{layout.conversion(split)} cannot be read", REMEDY)
    return Finding("ok", "data", f"images: {', '.join(counts)}")


def check_dvc() -> Finding:
    """Checks which stages have changed since they last ran."""
    try:
        with open_repository() as repo:
            changed = status(repo)
    except InputError as error:
        return Finding("error", "DVC", str(error).rstrip("."))
    except RunError as error:
        return Finding("error", "DVC", str(error).removeprefix("DVC: "), "Run dvc status -v")
    except OSError as error:
        found = f"{error.filename or '.dvc'}: {error.strerror or error}"
        return Finding("error", "DVC", found, "Free some space, or make the folder writable")
    if changed:
        return Finding("to do", "DVC", f"changed: {', '.join(changed)}", "Run dvc repro")
    return Finding("ok", "DVC", "every stage is up to date")


def check_mlflow() -> Finding:
    """Checks that the store can be reached and that everything has been sent to it."""
    store = locate()
    error = _error_of(store)
    if error:
        return Finding(
            "error", "MLflow", f"{store.written(root_folder())}: {error}",
            "Stages continue and store tracking data locally; repair the store, or set "
            "MLFLOW_TRACKING_URI",
        )  # fmt: skip
    if moved := store.moved_from():
        return Finding(
            "to do", "MLflow", f"artifacts are looked for in {', '.join(moved)}, not beside the "
            "database, which was moved", SYNC,
        )  # fmt: skip
    if waiting := spools(root_folder()):
        return Finding("to do", "MLflow", f"not sent yet: {_names(waiting)}", SYNC)
    if refused := spools(root_folder(), refused=True):
        return Finding(
            "to do", "MLflow", f"the store refused a part of {_names(refused)}",
            f"Read {HOME}/refused/*/{REFUSED}, then delete these folders",
        )  # fmt: skip
    return Finding("ok", "MLflow", f"{store.written(root_folder())}, everything has been sent")


def _names(folders: list[Path]) -> str:
    return ", ".join(folder.name for folder in folders)


def _error_of(store: Store) -> str:
    """Returns why a store cannot be used; empty if it can, or if a stage will create it."""
    if store.is_in_memory:
        return IN_MEMORY
    if store.database is not None:
        if not store.database.exists():
            return ""
        try:
            with closing(read_only(store.database)) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            return str(error)
        return "" if answer == "ok" else str(answer)
    address = urlsplit(store.uri)
    if address.scheme not in PORTS:
        return ""
    try:
        port = address.port or PORTS[address.scheme]
        socket.create_connection((address.hostname, port), SERVER_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""
