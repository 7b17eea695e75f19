"""Parameters, data, DVC and MLflow."""

import json
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.data.mindrecord import find_shards
from ssdcore.doctor.finding import Finding
from ssdcore.params.reader import read_params
from ssdcore.tracking.spool import spools
from ssdcore.tracking.store import Store, locate, root_folder

DVC_SECONDS = 120.0
SERVER_SECONDS = 3.0
PORTS = {"http": 80, "https": 443}


def check_params(path: Path) -> Finding:
    """Reads the parameter file."""
    try:
        params = read_params(path)
    except InputError as error:
        return Finding("fault", "parameters", str(error).rstrip("."))
    return Finding("ok", "parameters", f"{path}, data set {params.dataset.name}")


def check_data() -> Finding:
    """Looks for the shards and their indices."""
    if not layout.MINDRECORD.exists():
        return Finding("to do", "data", f"no {layout.MINDRECORD} yet", "Run dvc repro convert")
    remedy = f"Run dvc checkout --force {layout.MINDRECORD}, or dvc repro --force convert"
    for split in layout.SPLITS:
        shards = find_shards(layout.mindrecord(split))
        lost = [f"{s}.db" for s in shards if not s.with_name(f"{s.name}.db").exists()]
        if not shards or lost:
            what = ", ".join(lost) or str(layout.mindrecord(split))
            return Finding("fault", "data", f"{what} is missing", remedy)
    try:
        kept = json.loads(layout.CONVERSION.read_text(encoding="utf-8"))
        counts = [f"{kept[split]['images']['kept']} for {split}" for split in layout.SPLITS]
    except (OSError, ValueError, KeyError, TypeError):
        return Finding("fault", "data", f"{layout.CONVERSION} can't be read", remedy)
    return Finding("ok", "data", f"images: {', '.join(counts)}")


def check_dvc(folder: Path) -> Finding:
    """Asks DVC which stages have changed."""
    if not (folder / ".dvc").is_dir():
        return Finding(
            "fault", "DVC", f"no .dvc in {folder}", "Run this in the repository's root folder"
        )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "status", "--json"],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            timeout=DVC_SECONDS,
        )
        changed = [name for name, what in json.loads(done.stdout).items() if what]
    except subprocess.TimeoutExpired:
        return Finding("fault", "DVC", f"no answer in {DVC_SECONDS:.0f} s", "Run dvc status -v")
    except ValueError:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return Finding("fault", "DVC", said, "Run dvc status -v")
    if changed:
        return Finding("to do", "DVC", f"changed: {', '.join(changed)}", "Run dvc repro")
    return Finding("ok", "DVC", "every stage is up to date")


def check_mlflow() -> Finding:
    """Looks at the store and at what was not sent to it."""
    store = locate()
    fault = _fault_of(store)
    if fault:
        return Finding(
            "fault", "MLflow", f"{store.written(root_folder())}: {fault}",
            "Stages go on and keep what they track; mend the store, or set MLFLOW_TRACKING_URI",
        )  # fmt: skip
    waiting = spools(root_folder())
    if waiting:
        text = f"not sent yet: {', '.join(spool.name for spool in waiting)}"
        return Finding("to do", "MLflow", text, "Run python -m stages.doctor sync")
    return Finding("ok", "MLflow", f"{store.written(root_folder())}, everything is sent")


def _fault_of(store: Store) -> str:
    """Returns why a store can't be used; empty where it can, or where it will be made."""
    if store.database is not None:
        if not store.database.exists():
            return ""
        try:
            with sqlite3.connect(f"{store.database.as_uri()}?mode=ro", uri=True) as connection:
                (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as error:
            return str(error)
        return "" if answer == "ok" else str(answer)
    address = urlsplit(store.uri)
    if address.hostname is None:
        return ""
    try:
        port = address.port or PORTS.get(address.scheme, 443)
        socket.create_connection((address.hostname, port), SERVER_SECONDS).close()
    except (OSError, ValueError) as error:
        return str(error)
    return ""
