"""The whole pipeline on eight pictures, run as a user runs it: by DVC, from a clone."""

import json
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.clone import make_clone, run

TRACKED = {"train", "evaluate", "export", "report"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    make_clone(folder)
    return folder


def runs(folder: Path) -> list[dict[str, str]]:
    """Returns the parameters, metrics and tags of all MLflow runs of the clone's store."""
    script = (
        "import json, sys, mlflow\n"
        "client = mlflow.MlflowClient('sqlite:///' + sys.argv[1])\n"
        "found = client.search_runs([e.experiment_id for e in client.search_experiments()])\n"
        "print(json.dumps([{**r.data.params, **r.data.metrics, **r.data.tags,\n"
        "  'status': r.info.status, 'id': r.info.run_id, 'artifacts': r.info.artifact_uri}\n"
        " for r in found]))\n"
    )
    return json.loads(run(folder, sys.executable, "-c", script, str(folder / "mlflow.db")))


@pytest.mark.slow
def test_repro_then_nothing_then_an_experiment(clone):
    run(clone, "dvc", "repro")
    metrics = json.loads((clone / "metrics/evaluate.json").read_text())
    assert metrics["images"] == 2
    assert 0 <= metrics["bbox"]["AP"] <= metrics["bbox"]["AP50"] <= 1
    assert json.loads((clone / "data/mindrecord/conversion.json").read_text())["train"]["images"][
        "kept"
    ] == 6  # fmt: skip
    page = (clone / "report/index.html").read_text()
    assert "circle" in page
    assert len(list((clone / "report/gallery").iterdir())) == 2
    parity = json.loads((clone / "export/parity.json").read_text())
    assert parity["checkpoint"]["AP"] == pytest.approx(metrics["bbox"]["AP"])
    assert parity["onnx"]["offsets"] < 1e-4
    assert (clone / "export/ssd300.onnx").is_file()
    assert (clone / "export/ssd300.mindir").is_file()
    (first,) = runs(clone)
    assert first["status"] == "FINISHED"
    assert set(first["dvc.stage"].split(",")) == TRACKED
    assert first["evaluate/AP"] == pytest.approx(metrics["bbox"]["AP"])
    assert Path(first["artifacts"].removeprefix("file://")).is_relative_to(clone / "mlartifacts")

    assert "up to date" in run(clone, "dvc", "repro")
    assert "bbox.AP" in run(clone, "dvc", "metrics", "show")
    run(clone, "git", "add", ".")
    run(clone, "git", "commit", "--quiet", "--message", "Run")

    said = run(clone, "dvc", "exp", "run", "--temp", "--name", "gentle", "-S", "train.lr_max=0.001")
    assert "Running stage 'train'" in said
    assert "Running stage 'download'" not in said
    assert "Running stage 'convert'" not in said
    by_rate = {found["train.lr_max"]: found for found in runs(clone)}
    assert set(by_rate) == {"0.002", "0.001"}
    assert by_rate["0.001"]["dvc.exp_name"] == "gentle"
    assert set(by_rate["0.001"]["dvc.stage"].split(",")) == TRACKED
    assert "gentle" in run(clone, "dvc", "exp", "show", "--csv")


@pytest.mark.slow
def test_a_queue_with_two_workers_loses_no_run(clone):
    run(clone, "dvc", "repro", "--quiet")
    run(clone, "git", "add", ".")
    run(clone, "git", "commit", "--quiet", "--allow-empty", "--message", "Before the queue")
    run(clone, "dvc", "exp", "run", "--quiet", "--queue", "-S", "train.lr_max=0.0005,0.003,0.004")
    run(clone, "dvc", "exp", "run", "--quiet", "--queue", "--name", "bad", "-S", "train.epochs=2.5")
    run(clone, "dvc", "queue", "start", "--jobs", "2")
    try:
        deadline = time.monotonic() + 300
        while any(word in run(clone, "dvc", "queue", "status") for word in ("Queued", "Running")):
            assert time.monotonic() < deadline, run(clone, "dvc", "queue", "status")
            time.sleep(1)
    finally:
        run(clone, "dvc", "queue", "stop", "--kill")

    _, baseline = json.loads(run(clone, "dvc", "exp", "show", "--json"))
    rows = {found["name"]: found["revs"][0]["data"] for found in baseline["experiments"]}
    by_name = {found["dvc.exp_name"]: found for found in runs(clone) if "dvc.exp_name" in found}
    failed, rows_failed = by_name.pop("bad"), rows.pop("bad")
    assert failed["status"] == "FAILED"
    assert "train.epochs: found 2.5, expected a whole number" in failed["error"]
    assert rows_failed["params"]["params.yaml"]["data"]["train"]["epochs"] == 2.5
    assert len(rows) == 3
    for name, row in rows.items():
        stored = by_name[name]
        assert stored["status"] == "FINISHED"
        assert set(stored["dvc.stage"].split(",")) == TRACKED
        assert stored["dvc.baseline_rev"] == baseline["rev"]
        assert stored["dvc.data_md5"] == row["outs"]["data/mindrecord"]["hash"]
        assert (
            float(stored["train.lr_max"]) == row["params"]["params.yaml"]["data"]["train"]["lr_max"]
        )
        figures = row["metrics"]["metrics/evaluate.json"]["data"]["bbox"]
        assert len(figures) == 12
        assert figures == {key: stored[f"evaluate/{key}"] for key in figures}
    winner = max(rows, key=lambda name: AP(rows[name]))
    told = run(clone, sys.executable, "-m", "stages.experiments", "best")
    assert f"AP {AP(rows[winner]):.4f} " in told
    assert any(f"dvc exp apply {name}\n" in told for name in rows)
    assert any(f"/runs/{found['id']} " in told for found in by_name.values())


def AP(row: dict) -> float:  # noqa: N802 - the figure's name
    return row["metrics"]["metrics/evaluate.json"]["data"]["bbox"]["AP"]


@pytest.mark.slow
def test_local_pictures_go_the_same_way(clone):
    """The example that params.yaml names stands for the user's own photos."""
    run(clone, "dvc", "repro", "--quiet", "convert")
    yaml = YAML()
    params = yaml.load(clone / "params.yaml")
    params["dataset"]["name"] = "local"
    yaml.dump(params, clone / "params.yaml")
    run(clone, "dvc", "repro", "convert")
    conversion = json.loads((clone / "data/mindrecord/conversion.json").read_text())
    assert conversion["train"]["images"]["kept"] == 6
    assert conversion["val"]["images"]["kept"] == 2
    source = json.loads((clone / "data/raw/source.json").read_text())
    assert source["splits"]["val"]["images"] == "examples/local/val"
