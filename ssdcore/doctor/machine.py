"""Checks Python, the installed packages, the libraries they load, and the disk.

`make env` runs this module after it has installed the packages.
"""

import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ssdcore.core.processes import git_output, run_python
from ssdcore.doctor import Finding

PYTHONS = ((3, 10), (3, 13))
"""The first supported version and the first one that is not; pyproject.toml's requires-python."""
PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)\s*(?:;(?P<marker>[^\\]*))?")
MAX_LISTED = 5
"""Maximum number of packages in a finding."""
MIN_FREE_BYTES = 2_000_000_000
"""The demo's data, checkpoints and caches take half of it."""
MODULES = {"OpenCV": "cv2", "MindSpore": "mindspore"}
"""The packages that load shared libraries of the system."""
MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object")


def check_python(found: tuple[int, ...] = sys.version_info[:2]) -> Finding:
    """Checks that MindSpore has wheels for this version of Python."""
    text = f"{platform.python_version()} in {sys.prefix}"
    first, beyond = PYTHONS
    if first <= found < beyond:
        return Finding("ok", "Python", text)
    return Finding(
        "error", "Python", f"{text}, expected 3.{first[1]} to 3.{beyond[1] - 1}",
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
        return Finding("error", subject, f"{lock} is missing", f"Run git checkout {lock}")
    pinned_versions = pins(lock.read_text(encoding="utf-8"))
    wrong = [
        f"{name} {present or 'missing'} instead of {pinned}"
        for name, pinned in pinned_versions.items()
        if (present := installed(name)) != pinned
    ]
    if not wrong:
        return Finding("ok", subject, f"all {len(pinned_versions)} as in {lock}")
    more = f" and {len(wrong) - MAX_LISTED} more" if len(wrong) > MAX_LISTED else ""
    return Finding("error", subject, f"{', '.join(wrong[:MAX_LISTED])}{more}", "Run make env")


def check_disk(folder: Path, min_free_bytes: int = MIN_FREE_BYTES) -> Finding:
    """Checks the free space on the disk of a folder."""
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= min_free_bytes:
        return Finding("ok", "disk", text)
    return Finding(
        "error", "disk", f"{text}, expected {min_free_bytes / 1e9:.0f} GB",
        "Free some space; dvc gc --all-commits removes the outs of experiments, and all others "
        "that are neither of a commit nor of the workspace",
    )  # fmt: skip


def check_git(folder: Path) -> Finding:
    """Checks that git has a name and an e-mail address for commits, which experiments are."""
    if git_output(folder, "--version") is None:
        return Finding("error", "git", "not found", "Install git: DVC's experiments need it")
    who = git_output(folder, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    if who is None:
        return Finding(
            "to do", "git", "no name for commits, which `dvc exp run` makes",
            'Run `git config user.name "Your Name"` and `git config user.email you@example.com`',
        )  # fmt: skip
    return Finding("ok", "git", who.rsplit(maxsplit=2)[0])  # without the time


def check_import(name: str, module: str) -> Finding:
    """Imports a module in a separate process, because native code may crash."""
    done = run_python("-c", f"import {module}; print({module}.__version__)")
    if done.returncode:
        return import_error(name, done.stderr, done.returncode)
    return Finding("ok", name, done.stdout.strip())


def import_error(name: str, stderr: str, status: int) -> Finding:
    """Explains why a process that imported a package ended with `status`, not 0."""
    if not (missing := MISSING.search(stderr)):
        lines = stderr.strip().splitlines() or [f"exit status {status}, no message"]
        return Finding("error", name, f"cannot be imported: {lines[-1]}", "Run make env")
    library = missing[1]
    if library == "libGL.so.1":  # only a build with windows loads it
        remedy = (
            "Uninstall opencv-python and opencv-contrib-python, then run make env: "
            "opencv-python-headless does not need libGL; or sudo apt install libgl1"
        )
    else:
        remedy = f"Install the package that `apt-file search {library}` names; then run make again"
    return Finding("error", name, f"the system lacks the shared library {library}", remedy)


def main() -> int:
    """Prints the errors of all packages; returns the exit status."""
    findings = [check_import(name, module) for name, module in MODULES.items()]
    errors = [finding for finding in findings if finding.is_error]
    for error in errors:
        print(error, file=sys.stderr)  # noqa: T201 - tqdm may be missing, too
    return 2 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
