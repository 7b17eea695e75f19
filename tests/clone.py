"""Makes a repository with this code and a minimal pipeline, and runs a user's commands in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PARTS = (
    ".dvc/config",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "examples",
    "presets",
    "requirements.lock",
    "ssdcore",
    "stages",
)
BIN = Path(sys.executable).parent


def copy_project(folder: Path) -> None:
    """Copies this code into `folder`, without params.yaml, dvc.lock and history."""
    for part in PARTS:
        target = folder / part
        target.parent.mkdir(exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, target)


def make_clone(folder: Path) -> None:
    """Makes a committed repository in `folder`, with eight images and the narrowest network."""
    copy_project(folder)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["dataset"]["shapes"].update(train_images=6, val_images=2)
    params["model"]["width"] = 0.02
    params["train"].update(epochs=1, batch_size=3)
    params["report"]["images"] = 2
    yaml.dump(params, folder / "params.yaml")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Start")


def environment() -> dict[str, str]:
    """Returns the environment of a user who has activated `.venv` and set nothing else."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "MLFLOW_"))}
    return inherited | {
        "PATH": f"{BIN}{os.pathsep}{inherited['PATH']}",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
        "MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "true",
    }  # fmt: skip


def run(folder: Path, *command: str, **more: str) -> str:
    """Runs a command that must succeed, with `more` in its environment; returns its output."""
    done = subprocess.run(
        command, cwd=folder, env=environment() | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
