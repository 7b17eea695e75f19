"""What DVC shows of a training that runs is what the VS Code extension shows: it calls the same.

The training is that of a network of a few layers.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.clone import ROOT, UNCOMPILED, environment, make_clone, run
from tests.small_repository import dvc

pytestmark = pytest.mark.slow
EPOCHS = 900
"""Of one step."""
HISTORIES = {
    "--temp": ".dvc/tmp/exps/standalone/*/plots/history.csv", "workspace": "plots/history.csv",
}  # fmt: skip
"""Where a training writes its steps."""
TIMEOUT_S = 240


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose training lasts until it is stopped."""
    folder = tmp_path_factory.mktemp("running") / "clone"
    folder.mkdir()
    make_clone(folder)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    params["train"].update(epochs=EPOCHS, validate_every=1)
    yaml.dump(params, folder / "params.yaml")
    stages = (folder / "dvc.yaml").read_text()
    tiny = stages.replace("python -m stages.train", "python -m tests.stages.tiny_train")
    assert tiny != stages
    (folder / "dvc.yaml").write_text(tiny)
    run(folder, "git", "commit", "--quiet", "--all", "--message", "Train for long")
    return folder


@pytest.fixture(params=HISTORIES)
def row(request: pytest.FixtureRequest, clone: Path) -> Iterator[Any]:
    """`row()` returns what `dvc exp show --json` has of the training that runs."""
    words = [] if request.param == "workspace" else [request.param]
    line = ["dvc", "exp", "run", "--quiet", "--name", "live", *words, "train"]
    with (clone.parent / "log").open("w") as log:
        process = subprocess.Popen(
            line, cwd=clone, env=environment() | UNCOMPILED | {"PYTHONPATH": str(ROOT)},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip

    def row() -> dict[str, Any]:
        assert process.poll() is None, (clone.parent / "log").read_text()
        workspace, baseline = json.loads(dvc(clone, "exp", "show", "--json"))
        if not words:
            return workspace
        found = [one for one in baseline["experiments"] or [] if one["name"] == "live"]
        return found[0]["revs"][0] | {"executor": found[0]["executor"]} if found else {}

    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not any(clone.glob(HISTORIES[request.param])):
            assert time.monotonic() < deadline
            assert process.poll() is None, (clone.parent / "log").read_text()
            time.sleep(0.1)
        yield row
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait()
        shutil.rmtree(clone / ".ssd")  # else the next one resumes it


def steps(row: dict[str, Any]) -> int:
    """Returns how many steps of training the metrics of a row know."""
    metrics = (row.get("data") or {}).get("metrics", {}).get("metrics/train.json", {})
    return (metrics.get("data") or {}).get("steps", 0)


def test_metrics_and_plots_move(row, clone):
    seen: list[int] = []
    deadline = time.monotonic() + TIMEOUT_S
    while len(set(seen)) < 2:
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
        now = row()
        number = steps(now)
        if 0 < number <= EPOCHS:  # until the first epoch ends, DVC shows the commit's 1,000 steps
            seen.append(number)
            assert now["data"]["params"]["params.yaml"]["data"]["train"]["epochs"] == EPOCHS
    assert seen == sorted(seen)
    assert seen[-1] < EPOCHS
    if "executor" in now:
        assert now["executor"]["state"] == "running"
        return
    plots = json.loads(dvc(clone, "plots", "diff", "--json"))
    drawn = [one for one in plots["data"]["Loss"] if "workspace" in one["revisions"]]
    assert drawn
