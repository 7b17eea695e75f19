"""What runs before the work: imports, `--help`, a no-op `dvc repro`, and each stage of a small one.

Clones the last commit and runs its pipeline on a few drawn images with a tiny network, then runs
`dvc repro` again with nothing to do. The stages also run one by one, each split into Python's start
and end, imports, tracking and work; what they leave of `dvc repro` is DVC's own time. About three
minutes on two cores.

Modules are compiled once, as in an environment that `make env` built: bytecode goes to a folder of
its own, which a first run fills. That run does not count.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import harness, timed_stage
from benchmarks.timed_stage import IMPORTS, OTHER, TRACKING

ROUNDS = 5
COMMANDS = sorted(path.stem for path in (harness.ROOT / "stages").glob("[!_]*.py"))
PIPELINE = ("download", "convert", "train", "evaluate", "export", "report")
CHANGES = {
    "dataset.shapes.train_images": 20,
    "dataset.shapes.val_images": 8,
    "dataset.shapes.test_images": 0,
    "model.width": 0.02,
    "train.epochs": 1,
    "export.calibration_images": 8,
    "export.parity_images": 8,
}
PARTS = (IMPORTS, TRACKING, OTHER)
"""Without Python's own start and end; `OTHER` is the stage's work."""


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns the times of the commands, of the pipeline and of its stages, in seconds."""
    rounds = 1 if quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="start-up-") as temporary:
        folder = Path(temporary)
        env = with_bytecode(folder / "bytecode")
        seconds = harness.take_turns(commands(env), rounds)
        clone, alone = folder / "clone", folder / "alone"
        call(harness.ROOT, env, "git", "clone", "--quiet", str(harness.ROOT), str(clone))
        for place in (clone, alone):
            harness.write_params(place, CHANGES)
        (alone / ".git").mkdir()  # marks the repository that tracking keeps its files in
        repro = (sys.executable, "-m", "dvc", "repro")
        full = harness.take_turns({"": lambda: call(clone, env, *repro, "--force")}, 1)
        compiled = ("compileall", "-q", "benchmarks", "ssdcore", "stages")
        call(harness.ROOT, env, sys.executable, "-m", *compiled)
        no_op = harness.take_turns({"": lambda: call(clone, env, *repro)}, rounds)
        stages = {name: timed_stage.run(alone, name, env) for name in PIPELINE}
    return {
        "commands": {name: harness.summary(values) for name, values in seconds.items()},
        "rounds": rounds,
        "repro_s": harness.rounded(full[""][0]),
        "no_op": harness.summary(no_op[""]),
        "stages": {
            name: {
                "whole_s": harness.rounded(times["whole"]),
                "seconds": {part: harness.rounded(s) for part, s in in_parts(times).items()},
                "loaded": times["loaded"],
            }
            for name, times in stages.items()
        },
    }


def in_parts(times: dict[str, Any]) -> dict[str, float]:
    """Returns a stage's seconds by `PARTS`; all parts of the work are one."""
    imports, tracking = (times["parts"].get(part, 0.0) for part in (IMPORTS, TRACKING))
    work = sum(times["parts"].values()) - imports - tracking
    return {IMPORTS: imports, TRACKING: tracking, OTHER: work}


def with_bytecode(folder: Path) -> dict[str, str]:
    """Returns an environment in which compiled modules are kept in `folder`."""
    env = harness.environment() | {"PYTHONPYCACHEPREFIX": str(folder), "DVC_NO_ANALYTICS": "true"}
    for name in ("PYTHONDONTWRITEBYTECODE", "MLFLOW_TRACKING_URI"):
        env.pop(name, None)
    # `python` in dvc.yaml is this one
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    return env


def commands(env: dict[str, str]) -> dict[str, Callable[[], Any]]:
    """Returns what runs the commands that do no work, by their text."""
    python = sys.executable
    lines = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import ssdcore'": [python, "-c", "import ssdcore"],
        "python -m dvc --version": [python, "-m", "dvc", "--version"],
        **{
            f"python -m stages.{name} --help": [*harness.command(name), "--help"]
            for name in COMMANDS
        },
    }
    return {name: partial(call, harness.ROOT, env, *line) for name, line in lines.items()}


def call(folder: Path, env: dict[str, str], *line: str) -> None:
    """Runs a command; prints its output only if it fails.

    Raises:
        SystemExit: it failed.
    """
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{shlex.join(line)} failed:\n{done.stdout}{done.stderr}")


def as_table(content: harness.Content) -> str:
    """Returns a table of the commands and one of the stages."""
    rows = [[f"`{name}`", *harness.spread(row)] for name, row in content["commands"].items()]
    rows.append(["`dvc repro` with nothing to do", *harness.spread(content["no_op"])])
    stages = []
    for name, row in content["stages"].items():
        parts = [row["seconds"][part] for part in PARTS]
        seconds = [row["whole_s"], row["whole_s"] - sum(parts), *parts]
        stages.append([name, *(f"{s:.1f}" for s in seconds), ", ".join(row["loaded"])])
    of_dvc = content["repro_s"] - sum(row["whole_s"] for row in content["stages"].values())
    stages.append(["DVC's own", f"{of_dvc:.1f}", *[""] * 5])
    stages.append(["the whole `dvc repro`", f"{content['repro_s']:.1f}", *[""] * 5])
    commands_table = harness.table(["s", "median", "lowest to highest"], rows)
    header = ["stage, s", "whole", "Python's start and end", "imports", "tracking", "work", "loads"]
    return f"{commands_table}\n\n{harness.table(header, stages)}"


if __name__ == "__main__":
    harness.run("start_up", __doc__, measure, as_table, "dvc", "mindspore", "mlflow", "typer")
