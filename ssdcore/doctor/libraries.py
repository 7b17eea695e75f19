"""Checks that OpenCV and MindSpore load, and names the system library that one of them lacks.

`make env` runs this module after it has installed the packages.
"""

import os
import re
import subprocess
import sys

from ssdcore.doctor.finding import Finding

MODULES = {"OpenCV": "cv2", "MindSpore": "mindspore"}
"""The packages that load shared libraries of the system."""
MISSING = re.compile(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object")
DEBIAN_PACKAGES = {
    "libGL.so.1": "libgl1",
    "libbz2.so.1": "libbz2-1.0",
    "libgcc_s.so.1": "libgcc-s1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "liblzma.so.5": "liblzma5",
    "libstdc++.so.6": "libstdc++6",
    "libz.so.1": "zlib1g",
}


def check_import(name: str, module: str) -> Finding:
    """Imports a module in a separate process, because native code may crash."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; print({module}.__version__)"],
        env=os.environ | {"GLOG_v": "3"},  # suppresses MindSpore's warnings
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        return import_fault(name, done.stderr, done.returncode)
    return Finding("ok", name, done.stdout.strip())


def import_fault(name: str, stderr: str, status: int) -> Finding:
    """Explains why a process that imported a package ended with `status`, not 0."""
    if not (missing := MISSING.search(stderr)):
        lines = stderr.strip().splitlines() or [f"exit status {status}, no message"]
        return Finding("fault", name, f"cannot be imported: {lines[-1]}", "Run make env")
    library = missing[1]
    if library == "libGL.so.1":  # only a build with windows loads it
        remedy = (
            "Uninstall opencv-python and opencv-contrib-python, then run make env: "
            "opencv-python-headless does not need libGL; or sudo apt install libgl1"
        )
    elif package := DEBIAN_PACKAGES.get(library):
        remedy = f"On Debian or Ubuntu: sudo apt install {package}; then run make again"
    else:
        remedy = f"Install the package that `apt-file search {library}` names; then run make again"
    return Finding("fault", name, f"the system lacks the shared library {library}", remedy)


def main() -> int:
    """Prints the faults of all packages; returns the exit status."""
    findings = [check_import(name, module) for name, module in MODULES.items()]
    faults = [finding for finding in findings if finding.is_fault]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 2 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
