"""Runs the benchmarks one after the other, then renders docs/performance.md.

`python -m benchmarks` runs all; names behind it choose some: `python -m benchmarks shares growth`.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
RENDERS = "performance"


def names(folder: Path = FOLDER) -> list[str]:
    """Returns the modules that measure: programs, but for the one that renders."""
    programs = (path for path in folder.glob("[!_]*.py") if "\ndef main() ->" in path.read_text())
    return sorted(path.stem for path in programs if path.stem != RENDERS)


def run_all(wanted: Sequence[str]) -> int:
    """Runs each in a process of its own, then renders; returns the first status that is not 0."""
    for number, name in enumerate([*wanted, RENDERS], start=1):
        print(f"== {number}/{len(wanted) + 1} benchmarks.{name}", flush=True)
        status = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], check=False
        ).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    wanted = parser.parse_args().names or names()
    if unknown := sorted(set(wanted) - set(names())):
        parser.error(f"no benchmark: {', '.join(unknown)}; there are {', '.join(names())}")
    sys.exit(run_all(wanted))
