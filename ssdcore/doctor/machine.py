"""Checks Python, the installed packages and the disk."""

import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ssdcore.doctor.finding import Finding

PYTHONS = ((3, 10), (3, 13))
"""The first supported version and the first one that is not; pyproject.toml's requires-python."""
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?")
MAX_LISTED = 5
"""Packages that a finding lists at most."""
MIN_FREE_BYTES = 2_000_000_000
"""The demo's data, checkpoints and caches take half of it."""


def check_python(found: tuple[int, ...] = sys.version_info[:2]) -> Finding:
    """Checks that MindSpore has wheels for this version of Python."""
    text = f"{platform.python_version()} in {sys.prefix}"
    first, beyond = PYTHONS
    if first <= found < beyond:
        return Finding("ok", "Python", text)
    return Finding(
        "fault", "Python", f"{text}, expected 3.{first[1]} to 3.{beyond[1] - 1}",
        "Run make env, which finds one or says which to install",
    )  # fmt: skip


def pins(lock: str) -> dict[str, str]:
    """Returns the versions that a requirements file pins for this machine, by package."""
    from packaging.markers import Marker

    found = {}
    for line in lock.splitlines():
        pin = PIN.match(line)
        if pin and (not pin["marker"] or Marker(pin["marker"].strip()).evaluate()):
            found[pin["name"]] = pin["version"]
    return found


def installed(name: str) -> str | None:
    """Returns the version of an installed package; None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_packages(lock: Path) -> Finding:
    """Compares the installed packages with requirements.lock."""
    subject = "packages"
    if not lock.is_file():
        return Finding("fault", subject, f"{lock} is missing", f"Run git checkout {lock}")
    pinned_versions = pins(lock.read_text(encoding="utf-8"))
    wrong = [
        f"{name} {present or 'missing'} instead of {pinned}"
        for name, pinned in pinned_versions.items()
        if (present := installed(name)) != pinned
    ]
    if not wrong:
        return Finding("ok", subject, f"all {len(pinned_versions)} as in {lock}")
    more = f" and {len(wrong) - MAX_LISTED} more" if len(wrong) > MAX_LISTED else ""
    return Finding("fault", subject, f"{', '.join(wrong[:MAX_LISTED])}{more}", "Run make env")


def check_disk(folder: Path, min_free_bytes: int = MIN_FREE_BYTES) -> Finding:
    """Checks the free space on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= min_free_bytes:
        return Finding("ok", "disk", text)
    return Finding(
        "fault", "disk", f"{text}, expected {min_free_bytes / 1e9:.0f} GB",
        "Free some space; dvc gc --workspace removes outs of earlier experiments",
    )  # fmt: skip
