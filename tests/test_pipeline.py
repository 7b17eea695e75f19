"""Runs the commands of README.md on ten images, in one clone and in order, as a new user does.

The user's home is empty, git does not know them, and the outs of the clone's author are not there.
After a command, tests check what it left in files, in DVC and in MLflow.
"""

import json
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ssdcore.params.reader import read_params
from ssdcore.tracking.spool import spools
from tests import clone as clones
from tests import outcomes
from tests.clone import ROOT, UNCOMPILED, make_clone
from tests.outcomes import figures, listed, rate
from tests.pages import first_page
from tests.readme import RUN
from tests.small_repository import dvc

pytestmark = pytest.mark.slow
TRACKED = {"train", "evaluate", "export", "report"}
EXPERIMENT = "dvc exp run -S train.lr_max=0.05"
QUEUED = {0.02, 0.2}
"""The learning rates of the experiments that README's command queues."""
QUEUED_UNTIL = "evaluate"
"""The last stage of those, which have a tiny network; `EXPERIMENT` shows the whole pipeline."""
REPRODUCED = "reproduced"
"""The clone as `dvc repro` left it."""
TIMEOUT_S = 300


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    make_clone(folder)
    return folder


def run(folder: Path, *command: str, **more: str) -> str:
    """Runs a command that must succeed as a user without a git identity; returns its output."""
    home = folder.with_name("home")
    home.mkdir(exist_ok=True)
    return clones.run(folder, *command, home=home, **more)


@pytest.mark.parametrize("command", RUN)
def test_it_runs(clone, command):
    words, output = shlex.split(command), ""
    if command.startswith("mlflow ui"):
        assert "<title>MLflow</title>" in first_page(clone, command)
    elif command == "dvc queue start":
        run_the_queue(clone, words)
    elif "--queue" in words:
        take_the_tiny_network(clone)
        run(clone, *words, QUEUED_UNTIL)
    else:  # `dvc repro` alone compiles its networks
        output = run(clone, *words, **({} if command == "dvc repro" else UNCOMPILED))
    if command.startswith("cp presets/"):
        assert read_params(clone / "params.yaml") == read_params(ROOT / words[1])
    if check := AFTER.get(command):
        check(clone, output)


def runs(clone: Path) -> list[dict[str, Any]]:
    """Returns every run in the clone's MLflow store, once all is sent: a busy machine lags."""
    if spools(clone):
        run(clone, "python", "-m", "stages.doctor", "sync")
    return outcomes.runs(clone)


def change_params(clone: Path, section: str, **values: object) -> None:
    yaml = YAML()
    params = yaml.load(clone / "params.yaml")
    params[section].update(values)
    yaml.dump(params, clone / "params.yaml")


def take_the_tiny_network(clone: Path) -> None:
    """What DVC and MLflow make of two experiments at a time does not depend on the network."""
    pipeline = clone / "dvc.yaml"
    text = pipeline.read_text()
    for stage in ("train", QUEUED_UNTIL):
        assert f"python -m stages.{stage}\n" in text
        text = text.replace(f"python -m stages.{stage}\n", f"python -m tests.stages.tiny_{stage}\n")
    pipeline.write_text(text)


def run_the_queue(clone: Path, words: list[str]) -> None:
    """Runs the queued experiments and an invalid one with two workers."""
    dvc(clone, "exp", "run", "--quiet", "--queue", "--name", "bad", "-S", "train.epochs=2.5")
    env = clones.environment(clone.with_name("home")) | UNCOMPILED | {"PYTHONPATH": str(ROOT)}
    nowhere, ended = subprocess.DEVNULL, len(refs(clone)) + len(QUEUED)
    # The workers would hold a pipe until they end, a minute after the last experiment.
    line = [*words, "--jobs", "2"]
    subprocess.run(line, cwd=clone, env=env, stdout=nowhere, stderr=nowhere, check=True)
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while len(refs(clone)) < ended or is_busy(clone):
            assert time.monotonic() < deadline, dvc(clone, "queue", "status")
            time.sleep(0.5)
    finally:
        dvc(clone, "queue", "stop", "--kill")
        run(clone, "git", "checkout", "--quiet", "HEAD", "--", "dvc.yaml")


def refs(clone: Path) -> list[str]:
    """Returns git's references to the experiments with results; DVC needs a second to say more."""
    return run(clone, "git", "for-each-ref", "refs/exps/??/*/*").splitlines()


def is_busy(clone: Path) -> bool:
    status = dvc(clone, "queue", "status")
    return "Queued" in status or "Running" in status


def after_repro(clone: Path, output: str) -> None:
    metrics = json.loads((clone / "metrics/evaluate.json").read_text())
    assert metrics["images"] == 2
    assert 0 <= metrics["bbox"]["AP"] <= metrics["bbox"]["AP50"] <= 1
    conversion = json.loads((clone / "data/mindrecord/conversion.json").read_text())
    assert conversion["train"]["images"]["kept"] == 6
    page = (clone / "report/index.html").read_text()
    assert "circle" in page
    assert len(list((clone / "report/gallery").iterdir())) == 2
    parity = json.loads((clone / "export/parity.json").read_text())
    of_val = json.loads((clone / "metrics/validation.json").read_text())
    assert parity["checkpoint"]["AP"] == pytest.approx(of_val["bbox"]["AP"])
    assert parity["onnx"]["offsets"] < 1e-4
    assert (clone / "export/ssd300.onnx").is_file()
    assert "up to date" in dvc(clone, "repro")

    shutil.copytree(clone, clone.with_name(REPRODUCED), symlinks=True)
    change_params(clone, "tracking", enabled=True)  # of the experiments


def after_an_experiment(clone: Path, output: str) -> None:
    assert "Running stage 'train'" in output
    assert "Running stage 'download'" not in output
    assert "Running stage 'convert'" not in output
    (first,) = runs(clone)
    assert first["status"] == "FINISHED"
    assert set(first["dvc.stage"].split(",")) == TRACKED
    metrics = json.loads((clone / "metrics/evaluate.json").read_text())
    assert first["AP"] == pytest.approx(metrics["bbox"]["AP"])
    assert Path(first["artifacts"].removeprefix("file://")).is_relative_to(clone / "mlartifacts")
    _, rows = listed(clone)
    assert list(rows) == [first["dvc.exp_name"]]
    assert rate(rows[first["dvc.exp_name"]]) == float(first["train.lr_max"]) == 0.05


def after_the_queue(clone: Path, output: str) -> None:
    """Two workers lose no run, and the invalid experiment is in DVC and in MLflow."""
    commit, rows = listed(clone)
    by_name = {found["dvc.exp_name"]: found for found in runs(clone) if "dvc.exp_name" in found}
    failed, row = by_name["bad"], rows["bad"]
    assert failed["status"] == "FAILED"
    assert "train.epochs: found 2.5, expected a whole number" in failed["error"]
    assert row["params"]["params.yaml"]["data"]["train"]["epochs"] == 2.5
    queued = {name: row for name, row in rows.items() if rate(row) in QUEUED}
    assert sorted(map(rate, queued.values())) == sorted(QUEUED)
    for name, row in queued.items():
        stored = by_name[name]
        assert stored["status"] == "FINISHED"
        assert set(stored["dvc.stage"].split(",")) == {"train", QUEUED_UNTIL}
        assert stored["dvc.baseline_rev"] == commit
        assert stored["dvc.data_md5"] == row["outs"]["data/mindrecord"]["hash"]
        assert float(stored["train.lr_max"]) == rate(row)
        assert figures(row).keys() >= {"AP", "AP50", "AP75"}
        assert stored.items() >= {key: figures(row)[key] for key in ("AP", "AP50")}.items()


def after_ranking(clone: Path, output: str) -> None:
    _, rows = listed(clone)
    highest = max(figures(row, "validation")["AP"] for name, row in rows.items() if name != "bad")
    assert f", AP {highest:.4f}" in output
    assert any(f"dvc exp apply {name}\n" in output for name in rows)
    assert any(f"/runs/{found['id']}?" in output for found in runs(clone))


AFTER = {
    "dvc repro": after_repro,
    EXPERIMENT: after_an_experiment,
    "dvc queue start": after_the_queue,
    "python -m stages.experiments best": after_ranking,
}


def test_every_checked_command_is_in_the_readme():
    assert set(AFTER) - set(RUN) == set()


def test_the_results_of_all_commands_are_there(clone):
    """The experiments of the commands are in DVC, the report is there, git ignores the rest."""
    names = dvc(clone, "exp", "list", "--name-only").split()
    done = [c for c in RUN if c.startswith("dvc exp run") and "--queue" not in c]
    assert len(names) == len(done) + len(QUEUED)
    assert (clone / "report/index.html").exists()
    changed = run(clone, "git", "status", "--porcelain").split()[1::2]
    assert set(changed) <= {
        "dvc.lock",
        "metrics/evaluate.json",
        "metrics/train.json",
        "metrics/validation.json",
        "params.yaml",
    }


def test_local_images_take_the_same_path(clone):
    """The example in params.yaml stands for the user's own photos."""
    run(clone, "git", "checkout", "--quiet", "HEAD", "--", "params.yaml")
    change_params(clone, "dataset", name="local")
    run(clone, "dvc", "repro", "convert")
    conversion = json.loads((clone / "data/mindrecord/conversion.json").read_text())
    assert conversion["train"]["images"]["kept"] == 6
    assert conversion["val"]["images"]["kept"] == 2
    source = json.loads((clone / "data/raw/source.json").read_text())
    assert source["splits"]["val"]["images"] == "examples/local/val"


@pytest.fixture(scope="module")
def origin(clone, tmp_path_factory) -> Path:
    """The clone after `dvc repro`, in a commit, and its outs in a DVC remote."""
    folder = clone.with_name(REPRODUCED)
    if not folder.exists():  # this test runs alone
        run(clone, "dvc", "repro", "--quiet")
        shutil.copytree(clone, folder, symlinks=True)
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "--quiet", "--message", "Run")
    run(folder, "git", "tag", "--annotate", "ssd300@v1.0.0", "--message", "The first")
    remote = tmp_path_factory.mktemp("remote")
    dvc(folder, "remote", "add", "--quiet", "--default", "team", str(remote))
    run(folder, "git", "commit", "--quiet", "--message", "Add the remote", ".dvc/config")
    dvc(folder, "push", "--quiet")
    return folder


def test_a_fresh_clone_pulls_everything_and_runs_nothing(origin, tmp_path):
    run(tmp_path, "git", "clone", "--quiet", str(origin), "fresh")
    fresh = tmp_path / "fresh"
    assert not (fresh / "model").exists()
    dvc(fresh, "pull", "--quiet")
    output = run(fresh, "dvc", "repro")
    assert "Running stage" not in output
    assert "Data and pipelines are up to date." in output
    assert run(fresh, "git", "status", "--porcelain") == ""

    pulled, metrics = fresh / "evaluation/predictions.json", fresh / "metrics/evaluate.json"
    detections, figures = pulled.read_bytes(), json.loads(metrics.read_text())["bbox"]
    pulled.unlink()
    output = run(fresh, "dvc", "repro", "--single-item", "--force", "evaluate")
    assert "Running stage 'evaluate'" in output
    assert len(json.loads(detections)) > 0
    assert pulled.read_bytes() == detections
    assert json.loads(metrics.read_text())["bbox"] == figures


def test_the_model_is_downloaded_by_its_name_without_a_clone(origin, tmp_path):
    for extra in ((), ("--rev", "v1.0.0")):
        named = ("artifacts", "get", str(origin), "ssd300", *extra)
        dvc(tmp_path, *named, "--force", "--out", "named.ckpt")
        assert (tmp_path / "named.ckpt").read_bytes() == (origin / "model/best.ckpt").read_bytes()
        (tmp_path / "named.ckpt").unlink()
