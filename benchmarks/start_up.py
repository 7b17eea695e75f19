"""What runs before the work: imports, `--help`, a no-op `dvc repro`, and each stage of a small one.

`python -m benchmarks.start_up` clones the last commit, runs its pipeline on a few drawn images
with a tiny network, and splits each stage into Python's start and end, imports, tracking and work;
what is left of `dvc repro` is DVC's own. The stages run unchanged: `benchmarks/hook` times them
from outside, on Linux. Then `dvc repro` runs again with nothing to do. The table goes to standard
output, the figures to benchmarks/results/start_up.json. About three minutes on two cores.

Modules are compiled once, as in an environment that `make env` has made, and not at each start:
the bytecode lies in a folder of its own, which a first run of everything fills. That one does not
count.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.frame import (
    ROOT,
    circumstances,
    parser,
    rounded,
    spread,
    summary,
    table,
    take_turns,
    write_results,
)
from benchmarks.workspace import command, environment, write_params
from ssdcore.dvc.clone import make_clone

HOOK = Path(__file__).parent / "hook"
ROUNDS = 5
STAGES = sorted(path.stem for path in (ROOT / "stages").glob("[!_]*.py"))
CHANGES = {
    "dataset.shapes.train_images": 20,
    "dataset.shapes.val_images": 8,
    "model.width": 0.02,
    "train.epochs": 1,
    "export.calibration_images": 8,
    "export.parity_images": 8,
}
PARTS = ("Python", "imports", "tracking", "other")
"""As benchmarks/hook names them; `other` is the stage's own work."""


def main() -> None:
    own = parser(__doc__)
    own.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = own.parse_args()
    machine = circumstances("dvc", "mindspore", "mlflow", "typer")
    with tempfile.TemporaryDirectory(prefix="start-up-") as temporary:
        compiled = with_bytecode(Path(temporary) / "bytecode")
        seconds = take_turns(commands(compiled), arguments.rounds)
        pipeline = measure_pipeline(Path(temporary), compiled, arguments.rounds)
    content = {
        "commands": {name: summary(values) for name, values in seconds.items()},
        "rounds": arguments.rounds,
        **pipeline,
    }
    print(as_table(content))
    if not arguments.print_only:
        write_results("start_up", content, machine)


def with_bytecode(folder: Path) -> dict[str, str]:
    """Returns an environment in which compiled modules are kept in `folder`."""
    own = environment() | {"PYTHONPYCACHEPREFIX": str(folder), "DVC_NO_ANALYTICS": "true"}
    return {
        name: value
        for name, value in own.items()
        if name not in ("PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI")
    }


def commands(env: dict[str, str]) -> dict[str, Callable[[], Any]]:
    """Returns what starts and ends at once."""
    python = sys.executable
    lines = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import ssdcore'": [python, "-c", "import ssdcore"],
        "python -m dvc --version": [python, "-m", "dvc", "--version"],
        **{f"python -m stages.{name} --help": [*command(name), "--help"] for name in STAGES},
    }
    return {name: lambda line=line: run(ROOT, env, *line) for name, line in lines.items()}


def measure_pipeline(folder: Path, env: dict[str, str], rounds: int) -> dict[str, Any]:
    """Runs a small pipeline in a clone, all of it again, and then with nothing to do."""
    clone, times, walls = folder / "clone", folder / "times", folder / "walls"
    make_clone(ROOT, "HEAD", clone)
    write_params(clone, CHANGES)
    hooked = env | {"STAGE_TIMES": str(times)}
    hooked["PATH"] = f"{write_python(folder / 'bin', walls)}{os.pathsep}{os.environ['PATH']}"
    hooked["PYTHONPATH"] = f"{HOOK}{os.pathsep}{hooked['PYTHONPATH']}"
    repro = [sys.executable, "-m", "dvc", "repro"]
    run(clone, hooked, *repro)
    for notes in (times, walls):
        notes.unlink()
    began = time.perf_counter()
    run(clone, hooked, *repro, "--force")
    whole = time.perf_counter() - began
    again = take_turns({"again": lambda: run(clone, hooked, *repro)}, rounds)
    stages = {row["stage"]: row for row in map(json.loads, times.read_text().splitlines())}
    for line in walls.read_text().splitlines():
        name, seconds = line.split()
        stages[name]["whole_s"] = rounded(float(seconds))
    for row in stages.values():
        row["seconds"] = {part: rounded(row["seconds"].get(part, 0.0)) for part in PARTS}
    return {"repro_s": rounded(whole), "no_op": summary(again["again"]), "stages": stages}


def write_python(folder: Path, walls: Path) -> Path:
    """Writes a `python` that notes how long each stage took, from outside; returns its folder."""
    folder.mkdir()
    path = folder / "python"
    path.write_text(
        "#!/bin/sh\n"
        "STAGE_BEGAN=$(date +%s.%N); export STAGE_BEGAN\n"
        f'{shlex.quote(sys.executable)} "$@"; status=$?\n'
        'case "$2" in stages.*)\n'
        '  echo "${2#stages.} $(echo "$STAGE_BEGAN $(date +%s.%N)" | awk \'{ print $2 - $1 }\')" '
        f">> {shlex.quote(str(walls))};;\n"
        "esac\n"
        "exit $status\n"
    )
    path.chmod(0o755)
    return folder


def run(folder: Path, env: dict[str, str], *words: str) -> None:
    """Runs a command; what it says is shown only where it fails.

    Raises:
        SystemExit: it failed.
    """
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)} failed:\n{done.stdout}{done.stderr}")


def as_table(content: dict[str, Any]) -> str:
    """Renders the figures in markdown."""
    rows = [[f"`{name}`", *spread(row)] for name, row in content["commands"].items()]
    rows.append(["`dvc repro` with nothing to do", *spread(content["no_op"])])
    stages = [
        [
            name,
            f"{row['whole_s']:.1f}",
            f"{row['whole_s'] - sum(row['seconds'][part] for part in PARTS[1:]):.1f}",
            *(f"{row['seconds'][part]:.1f}" for part in PARTS[1:]),
            ", ".join(row["loaded"]),
        ]
        for name, row in content["stages"].items()
    ]
    of_dvc = content["repro_s"] - sum(row["whole_s"] for row in content["stages"].values())
    stages.append(["DVC's own", f"{of_dvc:.1f}", "", "", "", "", ""])
    stages.append(["the whole `dvc repro`", f"{content['repro_s']:.1f}", "", "", "", "", ""])
    header = ["stage, s", "whole", "Python's start and end", "imports", "tracking", "work"]
    return "\n\n".join(
        [
            table(["s", "median", "lowest to highest"], rows),
            table([*header, "loads"], stages),
        ]
    )


if __name__ == "__main__":
    main()
