"""Makes a repository with this code and a minimal pipeline, and runs a user's commands in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PARTS = (
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvc/plots",
    ".dvcignore",
    ".gitignore",
    "docs/onnx_example.py",
    "dvc.yaml",
    "examples",
    "presets",
    "requirements.lock",
    "ssdcore",
    "stages",
)
BIN = Path(sys.executable).parent
UNCOMPILED = {"MS_JIT": "0"}
"""MindSpore's setting for networks that run without being compiled."""


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
    """Makes a committed repository of ten images, the narrowest network and no tracking.

    As in a clone, dvc.lock and metrics/ are those of the author, whose outs are not there.
    """
    copy_project(folder)
    shutil.copy(ROOT / "dvc.lock", folder)
    shutil.copytree(ROOT / "metrics", folder / "metrics")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["dataset"]["shapes"].update(train_images=6, val_images=2, test_images=2)
    params["model"]["width"] = 0.02
    params["train"].update(epochs=1, batch_size=6)
    params["report"]["images"] = 2
    params["evaluate"]["batch_size"] = 6
    params["export"]["formats"] = ["onnx"]
    params["tracking"]["enabled"] = False
    yaml.dump(params, folder / "params.yaml")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Start")


OTHERS = ("DVC_", "MLFLOW_", "GIT_", "XDG_CONFIG_HOME")
"""Beginnings of environment variables that belong to whoever runs the tests."""
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "a"), ("EMAIL", "a@b"))
}


def environment(home: Path | None = None) -> dict[str, str]:
    """Returns the environment of a user who has activated `.venv` and set nothing else.

    Args:
        home: a home folder of a user whom git does not know; None for one whom it knows.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
    stranger = {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    return inherited | (stranger if home else IDENTITY) | {
        "PATH": f"{BIN}{os.pathsep}{inherited['PATH']}",
        "MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "true",
    }  # fmt: skip


def run(folder: Path, *command: str, home: Path | None = None, **more: str) -> str:
    """Runs a command that must succeed, with `more` in its environment; returns its output."""
    env = environment(home) | more
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
