"""What runs before the work: imports, `--help`, a no-op `dvc repro`, and each stage of a small one.

Clones the last commit and runs its pipeline on a few drawn images with a tiny network, then runs
`dvc repro` again with nothing to do, and each stage by itself; what they leave of the first
`dvc repro` is DVC's own time. About three minutes on two cores.
"""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import harness

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


def measure(*, quick: bool) -> dict[str, Any]:
    """Returns the times of the commands, of the pipeline and of its stages, in seconds."""
    rounds = 1 if quick else ROUNDS
    lines = {
        "python -c pass": ["-c", "pass"],
        "python -c 'import ssdcore'": ["-c", "import ssdcore"],
        "python -m dvc --version": ["-m", "dvc", "--version"],
        **{f"python -m stages.{name} --help": ["-m", f"stages.{name}", "--help"]
           for name in COMMANDS},
    }  # fmt: skip
    commands = {name: partial(call, harness.ROOT, *line) for name, line in lines.items()}
    seconds = harness.take_turns(commands, rounds)
    with tempfile.TemporaryDirectory(prefix="start-up-") as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(harness.ROOT), str(clone)], check=True)
        harness.write_params(clone, CHANGES)
        call(clone, "-m", "compileall", "-q", "ssdcore", "stages")
        repro = partial(call, clone, "-m", "dvc", "repro")
        whole = harness.take_turns({"": repro}, 1, warm_up=0)[""][0]
        no_op = harness.take_turns({"": repro}, rounds)[""]
        stages = {name: partial(call, clone, "-m", f"stages.{name}") for name in PIPELINE}
        alone = harness.take_turns(stages, 1, warm_up=0)
    return {
        "commands": {name: harness.summary(values) for name, values in seconds.items()},
        "repro_s": harness.rounded(whole),
        "no_op": harness.summary(no_op),
        "stages_s": {name: harness.rounded(values[0]) for name, values in alone.items()},
    }


def call(folder: Path, *arguments: str) -> None:
    """Runs this Python; a failure shows what it wrote to standard error."""
    # `python` in dvc.yaml is this one
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    line = [sys.executable, *arguments]
    env = harness.environment() | {"PATH": path, "DVC_NO_ANALYTICS": "true"}
    subprocess.run(line, cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)


def as_table(content: harness.Content) -> str:
    """Returns a table of the commands, with the slowest `--help`, and one of the stages."""
    found = dict(content["commands"])
    helps = {name: found.pop(name) for name in list(found) if name.endswith("--help")}
    slowest = max(helps, key=lambda name: helps[name]["median"])
    found |= {slowest: helps[slowest], "dvc repro": content["no_op"]}
    rows = [[f"`{name}`", *harness.spread(row)] for name, row in found.items()]
    rows[-2][0] += f", the slowest of {len(helps)}"
    rows[-1][0] += " with nothing to do"
    stages: dict[str, float] = content["stages_s"]
    own = {"DVC's own": content["repro_s"] - sum(stages.values())}
    all_of_it = {"the whole `dvc repro`": content["repro_s"]}
    parts = (stages | own | all_of_it).items()
    commands = harness.table(["s", "median", "lowest to highest"], rows)
    return f"{commands}\n\n{harness.table(['stage', 's'], [[n, f'{s:.1f}'] for n, s in parts])}"


if __name__ == "__main__":
    harness.run("start_up", __doc__, measure, as_table, "dvc", "mindspore", "mlflow", "typer")
