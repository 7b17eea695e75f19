"""A repository whose pipeline takes a second: AP follows from the learning rate."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.project import ROOT, run_inside, stage_inside, start
from tests.small_repository import dvc, run

PIPELINE = {
    "stages": {
        "evaluate": {
            "cmd": "python stage.py",
            "params": ["train"],
            "deps": ["stage.py"],
            "outs": ["plots/validation.csv"],
            "metrics": [{"metrics/validation.json": {"cache": False}}],
        }
    }
}
STAGE = """
import json, math, os, pathlib, time
from ruamel.yaml import YAML

params = YAML(typ="safe").load(pathlib.Path("params.yaml"))["train"]
ran = pathlib.Path(os.environ["DVC_ROOT"], "ran.txt")
with ran.open("a") as file:
    file.write(os.environ["DVC_EXP_NAME"] + "\\n")
if params["momentum"] == 0.5:
    raise SystemExit("error: momentum 0.5")
ap = round(max(1 - abs(math.log10(params["lr_max"] / 0.1)), 0.001), 6)
pathlib.Path("plots").mkdir(exist_ok=True)
rows = "step,epoch,val_AP,val_AP50\\n"
for epoch in range(1, params["epochs"] + 1):
    waits = ap < 0.1 and epoch > 1 and not pathlib.Path(os.environ["DVC_ROOT"], "fast").exists()
    time.sleep(30 if waits else 0.1)
    rows += f"{epoch},{epoch},{ap * epoch / params['epochs']},1\\n"
    pathlib.Path("plots/validation.csv").write_text(rows)
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/validation.json").write_text(json.dumps({"bbox": {"AP": ap, "AP50": ap}}))
"""
SPACE = {
    "study": "s", "trials": 3, "sampler": "random", "seed": 1, "prune": None,
    "fixed": {"train.epochs": 2},
    "params": {"train.lr_max": {"low": 0.02, "high": 0.5, "log": True}},
}  # fmt: skip


class Repository:
    """The repository, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def space(self, **changes: Any) -> None:
        (self.folder / "search.yaml").write_text(json.dumps({**SPACE, **changes}))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return start(self.folder, "-m", "stages.search", *words)

    def search(self, *words: str, status: int = 0) -> str:
        """Runs the command in this process; returns what it prints."""
        done = stage_inside(self.folder, "search", *words)
        assert done.exit_code == status, done.output
        return done.output

    def ran(self) -> list[str]:
        """Returns the experiment of each start of the stage."""
        path = self.folder / "ran.txt"
        return path.read_text().split() if path.exists() else []

    def experiments(self) -> list[str]:
        listed = subprocess.run(
            ["git", "for-each-ref", "--format=%(refname)", "refs/exps"],
            cwd=self.folder, capture_output=True, text=True, check=True,
        ).stdout.split()  # fmt: skip
        return sorted(ref.rpartition("/")[2] for ref in listed if "/exec/" not in ref)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search") / "template"
    folder.mkdir()
    run(folder, "git", "init", "--quiet", "--initial-branch", "main")
    for key in ("user.name", "user.email"):
        run(folder, "git", "config", key, "a")
    dvc(folder, "init", "--quiet")
    params = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(params.replace("enabled: true", "enabled: false"))
    (folder / "dvc.yaml").write_text(json.dumps(PIPELINE))
    (folder / "stage.py").write_text(STAGE)
    (folder / ".gitignore").write_text(
        "/ran.txt\n/fast\n/.ssd\n/plots\n/report\n/mlflow.db*\n/mlartifacts\n"
    )
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Begin")
    return folder


@pytest.fixture(scope="session")
def ended(template: Path) -> tuple[Repository, str]:
    """A search of two trials at a time that has ended, and what it printed.

    Two trials end, one fails, and one with a bad rate is pruned; MLflow has them.
    """
    repository = Repository(shutil.copytree(template, template.with_name("ended"), symlinks=True))
    params = repository.folder / "params.yaml"
    params.write_text(params.read_text().replace("enabled: false", "enabled: true"))
    rates = {"choices": [0.1, 0.11, 0.12, 0.001]}
    repository.space(
        trials=4, seed=64, prune={"after_trials": 1, "after_epochs": 0},
        params={"train.lr_max": rates, "train.momentum": {"choices": [0.5, 0.9, 0.91, 0.92]}},
    )  # fmt: skip
    return repository, run_inside(repository.folder, "search", "--jobs", "2")


@pytest.fixture
def repository(template: Path, tmp_path: Path) -> Repository:
    shutil.copytree(template, tmp_path / "r", symlinks=True)
    return Repository(tmp_path / "r")


@pytest.fixture
def searched(ended: tuple[Repository, str], tmp_path: Path) -> Repository:
    """A copy of the repository of `ended`."""
    return Repository(shutil.copytree(ended[0].folder, tmp_path / "r", symlinks=True))
