from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ssdcore.core.files import sha256_of_json
from ssdcore.params.reader import read_params
from ssdcore.tracking.failed import record_failure
from ssdcore.tracking.spool import spools
from tests.tracking.spools import evaluate, train

PARAMS_FILE = Path(__file__).parents[2] / "params.yaml"

pytestmark = pytest.mark.usefixtures("here", "root")


@pytest.fixture
def paws(root, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "furry-paws")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "b" * 40)


@pytest.fixture
def write(tmp_path, experiment):
    """`write(lr_max=3)` writes params.yaml with that in the section train."""

    def write(tracking: Any = None, **train: Any) -> Path:
        values = YAML(typ="safe", pure=True).load(PARAMS_FILE)
        values["train"] |= train
        default = values["tracking"] | {"experiment": experiment}
        values["tracking"] = default if tracking is None else tracking
        YAML().dump(values, tmp_path / "params.yaml")
        return tmp_path / "params.yaml"

    return write


@pytest.fixture
def runs(root, ask):
    """`runs()` returns the runs of the store with their ends, and the spools that wait."""

    def runs() -> tuple[dict[str, int], list[Path]]:
        experiments = [one.experiment_id for one in ask("search_experiments")]
        found = ask("search_runs", experiments)
        return {run.info.run_id: run.info.end_time for run in found}, spools(root)

    return runs


@pytest.mark.usefixtures("paws")
def test_a_first_stage_opens_a_run(write, stored):
    path = write(lr_max=0.25)
    record_failure("convert", path, "InputError: no images")
    (run,) = stored()
    assert (run.info.status, run.info.run_name) == ("FAILED", "furry-paws")
    assert run.data.params["train.lr_max"] == "0.25"
    tags = run.data.tags
    assert (tags["error"], tags["dvc.stage"]) == ("InputError: no images", "convert")
    assert (tags["dvc.exp_name"], tags["dvc.baseline_rev"]) == ("furry-paws", "b" * 40)
    assert tags["params.sha256"] == sha256_of_json(read_params(path).model_dump(mode="json"))


@pytest.mark.usefixtures("paws")
def test_a_later_stage_joins_the_experiments_run(write, experiment, stored):
    key = train(experiment)
    record_failure("report", write(), "KeyError: 'AP'")
    (run,) = stored()
    assert run.data.tags["run.key"] == key
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "KeyError: 'AP'")
    assert run.data.tags["dvc.stage"] == "train,report"
    assert run.data.params["train.lr_max"] == "0.001"  # as train had it
    evaluate(experiment)
    assert [found.info.status for found in stored()] == ["FINISHED"]


@pytest.mark.parametrize("other", ["DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"])
@pytest.mark.usefixtures("paws")
def test_the_run_of_another_experiment_is_unchanged(write, experiment, stored, monkeypatch, other):
    train(experiment)
    monkeypatch.setenv(other, "c" * 40)
    record_failure("report", write(), "KeyError: 'AP'")
    assert sorted(run.info.status for run in stored()) == ["FAILED", "FINISHED"]


@pytest.mark.usefixtures("paws")
def test_invalid_parameters_are_stored_as_they_are(write, stored):
    record_failure("train", write(lr_max="abc", epochs=2.5, none=None), "InputError: abc")
    (run,) = stored()
    params = run.data.params
    assert [params[f"train.{key}"] for key in ("lr_max", "epochs", "none")] == [
        "abc",
        "2.5",
        "None",
    ]


@pytest.mark.parametrize(
    "tracking",
    [{"enabled": False, "experiment": "x"}, {"enabled": True, "experiment": 7}, [1], {"a": "b"}],
)
@pytest.mark.usefixtures("paws")
def test_nothing_is_recorded_without_an_experiment_or_if_tracking_is_off(write, tracking, runs):
    before = runs()
    record_failure("train", write(tracking=tracking), "InputError")
    assert runs() == before


@pytest.mark.parametrize("text", ["a: [", "- 1", None])
@pytest.mark.usefixtures("paws")
def test_nothing_is_recorded_without_readable_parameters(tmp_path, text, runs):
    path = tmp_path / "params.yaml"
    if text:
        path.write_text(text)
    before = runs()
    record_failure("train", path, "InputError")
    assert runs() == before
