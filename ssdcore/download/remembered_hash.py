"""The hash of a large file, computed once and remembered beside it."""

import json
from pathlib import Path

from ssdcore.core.files import sha256_of_file, write_json


def remembered_sha256(path: Path) -> str:
    """Returns the file's hexadecimal SHA-256: the remembered one, or computed and remembered.

    It holds while size and time of change are what they were: hashing 18 GB takes a minute, and
    whatever damages a file later changes one of them, unless the disk itself is at fault.
    """
    try:
        record = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        if record == {**_state(path), "sha256": record["sha256"]}:
            return str(record["sha256"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # nothing remembered yet, or the sidecar is damaged
    digest = sha256_of_file(path)
    remember_sha256(path, digest)
    return digest


def remember_sha256(path: Path, digest: str) -> None:
    """Writes `.<name>.sha256.json` beside a file whose hash is known."""
    write_json(_sidecar(path), {**_state(path), "sha256": digest})


def _sidecar(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256.json")


def _state(path: Path) -> dict[str, int]:
    state = path.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns}
