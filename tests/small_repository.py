"""Makes a repository of made-up DVC outs, with two commits, a tag and an experiment."""

import json
import os
import subprocess
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

OUTS = [
    "data/raw", "data/mindrecord", "plots/history.csv", "plots/validation.csv",
    "evaluation/predictions.json", "evaluation/per_class.csv", "evaluation/pr_curves.csv",
]  # fmt: skip
ERRORS = "evaluation/errors.csv"
CLASSES = {7: "cat", 9: "<b>dog</b>"}
OBJECTS = {1: 7, 2: 7, 3: 9}
"""The class of the only object, by image; its box is the same in all images."""
BBOX = [10.0, 10.0, 30.0, 20.0]
NOON = "1706961600 +0000"  # 3 February 2024
OUTER = ("DVC_", "GIT_")
"""Prefixes of variables that may point at the repository around the tests."""
SETTINGS = {
    "DVC_NO_ANALYTICS": "true", "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_DATE": NOON, "GIT_COMMITTER_DATE": NOON,
}  # fmt: skip


def make_repository(folder: Path, git_root: Path | None = None) -> None:
    """Makes the tag `old`, the branch `main` after it, and an experiment `try` from `main`.

    They find 1, 2 and 3 of the three images' objects, and `old` has no errors.csv. The working
    folder is as `main` has it, apart from train.lr_max. With `git_root`, a folder above, it is a
    DVC project in a subfolder of a git repository.
    """
    folder.mkdir(parents=True)
    run(git_root or folder, "git", "init", "--quiet", "--initial-branch", "main")
    for key in ("user.name", "user.email"):  # DVC's own commits ignore the environment
        run(folder, "git", "config", key, "a")
    dvc(folder, "init", "--quiet", *(["--subdir"] if git_root else []))
    _write(folder, lr_max=0.1, found=[1], outs=OUTS)
    _commit(folder, "Begin\n\nSlowly.")
    run(folder, "git", "tag", "--annotate", "--message", "The first", "old")
    _write(folder, lr_max=0.2, found=[1, 2], outs=[*OUTS, ERRORS])
    _commit(folder, "Go <on>")
    _write(folder, lr_max=0.4, found=[1, 2, 3], outs=[*OUTS, ERRORS])
    dvc(folder, "exp", "save", "--quiet", "--force", "--name", "try")
    run(folder, "git", "checkout", "--quiet", ".")
    dvc(folder, "checkout", "--quiet", "--force")
    _write_params(folder, lr_max=0.5)


def run(folder: Path, *command: str) -> None:
    """Runs a command that must succeed in the repository."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OUTER)}
    env = inherited | SETTINGS
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def dvc(folder: Path, *arguments: str) -> str:
    """Runs a DVC command in this process, as DVC's import takes a second; returns its output."""
    from dvc.cli import main

    with (
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
        redirect_stdout(StringIO()) as output,
    ):
        warnings.simplefilter("ignore")
        patch.chdir(folder)
        for name in [k for k in os.environ if k.startswith(OUTER)]:
            patch.delenv(name)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.setenv("DVC_TEST", "true")  # else JSON passes by a redirected output
        assert main([*arguments]) == 0, arguments
    return output.getvalue()


def _commit(folder: Path, message: str) -> None:
    dvc(folder, "commit", "--quiet", "--force")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", message)


def _write(folder: Path, *, lr_max: float, found: Sequence[int], outs: Sequence[str]) -> None:
    share = len(found) / len(OBJECTS)
    pipeline = {"stages": {"make": {"cmd": "exit 1", "outs": list(outs)}}}
    _json(folder / "dvc.yaml", pipeline)  # JSON is YAML
    _write_params(folder, lr_max)
    _text(folder / ".gitignore", "\n".join(f"/{out}" for out in [*OUTS, ERRORS]))
    _text(
        folder / "requirements.lock", "mindspore==2.8.0 \\\n    --hash=sha256:00\nnumpy==1.26.4\n"
    )
    figures = {"AP": share, "AP50": share, "APs": -1.0}
    _json(folder / "metrics/evaluate.json", {"bbox": figures, "images": 3, "device": "CPU"})
    _json(folder / "metrics/train.json", {"loss": 3 - share, "best": {"AP": share}})
    _text(folder / "plots/history.csv", "step,epoch,loss,val_AP\n1,1,4,\n2,1,3,0.25\n")
    _text(folder / "plots/validation.csv", f"step,epoch,val_AP,val_AP50\n2,1,{share},{share}\n")
    classes = "".join(f"{name},{share},{share},{share},3\n" for name in CLASSES.values())
    _text(folder / "evaluation/per_class.csv", f"name,AP,AP50,AR100,objects\n{classes}")
    curves = "".join(f"{name},0.0,1.0\n{name},1.0,{share}\n" for name in CLASSES.values())
    _text(folder / "evaluation/pr_curves.csv", f"class,recall,precision\n{curves}")
    _json(
        folder / "evaluation/predictions.json",
        [
            {"image_id": image, "category_id": OBJECTS[image], "bbox": BBOX, "score": 0.9}
            for image in found
        ],
    )
    if ERRORS in outs:
        _text(folder / ERRORS, f"kind,AP50_cost\nmissed,{1 - share}\n")
    _write_data(folder / "data")


def _write_params(folder: Path, lr_max: float) -> None:
    _text(folder / "params.yaml", f"train:\n  lr_max: {lr_max}\n  optimizer: adam\n")


def _write_data(folder: Path) -> None:
    val = {"images": "data/raw/val", "annotations_sha256": "ab", "images_sha256": "cd"}
    _json(folder / "raw/source.json", {"splits": {"val": val}})
    _json(
        folder / "mindrecord/ground_truth_val.json",
        {
            "images": [
                {"id": n, "file_name": f"{n}.png", "height": 60, "width": 80} for n in OBJECTS
            ],
            "annotations": [
                {"id": n, "image_id": n, "category_id": c, "bbox": BBOX, "iscrowd": 0}
                for n, c in OBJECTS.items()
            ],
            "categories": [{"id": id_, "name": name} for id_, name in CLASSES.items()],
        },
    )
    for number in OBJECTS:
        image_file = cv2.imencode(".png", np.full((60, 80, 3), 40 * number, np.uint8))[1].tobytes()
        (folder / "raw/val").mkdir(exist_ok=True)
        (folder / f"raw/val/{number}.png").write_bytes(image_file)


def _json(path: Path, value: Any) -> None:
    _text(path, json.dumps(value))


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # it may be a link into DVC's cache
    path.write_text(text, encoding="utf-8")
