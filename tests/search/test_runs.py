"""What a trial leaves: its log, and the saved state of its training."""

import json
from pathlib import Path

import pytest

from ssdcore.search.runs import TrialRun, read_measured
from ssdcore.search.study import Trial


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrialRun:
    monkeypatch.chdir(tmp_path)
    return TrialRun(Trial(3, "rates-3", "running", {"train.lr_max": 0.1}), tmp_path)


def test_a_stages_own_message_is_the_reason(run):
    run.log.write_text(
        "Running stage 'train':\nerror: step 4: loss nan is not finite\n"
        "ERROR: failed to reproduce 'train': failed to run: python -m stages.train, exited with 1\n"
        "error: DVC: failed to reproduce 'train'\n"
    )
    assert run.reason() == "error: step 4: loss nan is not finite"
    assert not run.begin_again()  # the stage itself failed


def test_without_a_message_the_last_line_is_the_reason(run):
    assert run.reason() == "it printed nothing"
    run.log.write_text("one\ntwo\n\n")
    assert run.reason() == "two"


def test_the_saved_state_of_a_pruned_trial_is_removed_and_no_other(run):
    train = Path(".ssd/train")
    for folder, name in (("a-2", "rates-3"), ("b-2", "rates-2"), ("c-2", None)):
        snapshot = train / folder / "0000000010"
        snapshot.mkdir(parents=True)
        experiment = {"dvc.exp_name": name} if name else {}
        content = {"notes": {"experiment": experiment, "run": "x"}}
        (snapshot / "progress.json").write_text(json.dumps(content))
    run.discard_state()
    assert sorted(path.name for path in train.iterdir() if path.is_dir()) == ["b-2", "c-2"]


def test_epochs_without_a_measurement_are_left_out():
    text = "step,epoch,val_AP,val_AP50\n20,1,0.25,0.5\n40,2,,\n60,3,0.5,0.75\n"
    assert read_measured(text) == {1: 0.25, 3: 0.5}
    assert read_measured("") == {}
