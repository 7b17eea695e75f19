"""Python, packages, OpenCV and the disk."""

import platform
import re
import shutil
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ssdcore.doctor.finding import Finding

PYTHONS = ((3, 10), (3, 13))
"""From the first to before the second; pyproject.toml's requires-python."""
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?")
NAMED = 5
"""Packages that a line lists at most."""
LEAST_FREE = 2_000_000_000
"""Bytes: the demo's data, checkpoints and caches take half of it."""


def check_python(found: tuple[int, ...] = sys.version_info[:2]) -> Finding:
    """Says whether this Python is one of those that MindSpore's wheels are for."""
    text = f"{platform.python_version()} in {sys.prefix}"
    first, beyond = PYTHONS
    if first <= found < beyond:
        return Finding("ok", "Python", text)
    return Finding(
        "fault", "Python", f"{text}, expected 3.{first[1]} to 3.{beyond[1] - 1}",
        "Run make env, which finds one or says which to install",
    )  # fmt: skip


def pins(lock: str) -> dict[str, str]:
    """Returns the versions that a lock file asks for on this machine, by name."""
    from packaging.markers import Marker

    found = {}
    for line in lock.splitlines():
        pin = PIN.match(line)
        if pin and (not pin["marker"] or Marker(pin["marker"].strip()).evaluate()):
            found[pin["name"]] = pin["version"]
    return found


def installed(name: str) -> str | None:
    """Returns the version of a package that is there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def check_packages(lock: Path) -> Finding:
    """Compares what is installed with requirements.lock."""
    matter = "packages"
    if not lock.is_file():
        return Finding("fault", matter, f"{lock} is not there", f"Run git checkout {lock}")
    wanted: Mapping[str, str] = pins(lock.read_text(encoding="utf-8"))
    off = [
        f"{name} {there or 'missing'} instead of {pinned}"
        for name, pinned in wanted.items()
        if (there := installed(name)) != pinned
    ]
    if not off:
        return Finding("ok", matter, f"all {len(wanted)} as {lock} says")
    more = f" and {len(off) - NAMED} more" if len(off) > NAMED else ""
    return Finding("fault", matter, f"{', '.join(off[:NAMED])}{more}", "Run make env")


def check_opencv(module: str = "cv2") -> Finding:
    """Loads OpenCV, which fails where a build with windows lacks the libraries of a screen."""
    try:
        loaded = import_module(module)
    except ImportError as error:
        return Finding(
            "fault", "OpenCV", str(error),
            "Uninstall opencv-python and opencv-contrib-python, then run make env: "
            "opencv-python-headless needs no libGL",
        )  # fmt: skip
    return Finding("ok", "OpenCV", loaded.__version__)


def check_disk(folder: Path, least: int = LEAST_FREE) -> Finding:
    """Says how much room there is."""
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= least:
        return Finding("ok", "disk", text)
    return Finding(
        "fault", "disk", f"{text}, expected {least / 1e9:.0f} GB",
        "Make room; dvc gc --workspace drops outs of earlier experiments",
    )  # fmt: skip
