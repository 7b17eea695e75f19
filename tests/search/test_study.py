import time
from pathlib import Path
from typing import Any

import pytest

from ssdcore.core.errors import InputError
from ssdcore.search.space import Space
from ssdcore.search.study import Study, best

BASE = {
    "train.lr_max": 0.2, "train.epochs": 5, "train.loss": "focal", "model.aspect_ratios": None,
}  # fmt: skip
SPACE = {
    "study": "s", "trials": 9, "sampler": "tpe", "seed": 1,
    "prune": {"after_trials": 1, "after_epochs": 0}, "fixed": {"train.validate_every": 1},
    "params": {
        "train.lr_max": {"low": 0.01, "high": 1, "log": True},
        "train.epochs": {"low": 1, "high": 9},
        "train.loss": {"choices": ["focal", "multibox"]},
        "model.aspect_ratios": {"choices": [None, [[2], [2, 3]]]},
    },
}  # fmt: skip


def study(folder: Path, origin: str = "o", **changes: Any) -> Study:
    return Study(folder, Space.model_validate({**SPACE, **changes}), BASE, origin)


def run(one: Study, number: int) -> list[dict[str, Any]]:
    """Runs trials whose AP is their learning rate; returns what they changed."""
    changes = []
    for _ in range(number):
        trial = one.propose()
        one.end(trial, trial.changes["train.lr_max"])
        changes.append(dict(trial.changes))
    return changes


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 11), ("random", 3)])
def test_the_same_seed_proposes_the_same_also_after_an_interruption(tmp_path, sampler, trials):
    """After ten trials TPE learns from them."""
    rules = {"sampler": sampler, "params": {"train.lr_max": SPACE["params"]["train.lr_max"]}}
    whole = run(study(tmp_path / "a", **rules), trials)
    first = run(study(tmp_path / "b", **rules), trials - 1)
    rest = run(study(tmp_path / "b", **rules, trials=trials), 1)
    assert first + rest == whole
    assert len({str(changes) for changes in whole}) == trials
    assert run(study(tmp_path / "c", **{**rules, "seed": 2}), 1) != whole[:1]


def test_values_have_the_types_of_the_parameters(tmp_path):
    for changes in run(study(tmp_path), 6):
        assert isinstance(changes["train.lr_max"], float)
        assert isinstance(changes["train.epochs"], int)
        assert changes["train.loss"] in ("focal", "multibox")
        assert changes["model.aspect_ratios"] in (None, [[2], [2, 3]])
        assert changes["train.validate_every"] == 1
        assert float(f"{changes['train.lr_max']:.4g}") == changes["train.lr_max"]


def test_a_proposal_of_few_digits_stays_within_its_bounds(tmp_path):
    bounds = {"low": 0.99991, "high": 0.99999}
    for changes in run(study(tmp_path, params={"train.lr_max": bounds}), 4):
        assert bounds["low"] <= changes["train.lr_max"] <= bounds["high"]


def test_a_begun_trial_is_taken_up_with_its_parameters(tmp_path):
    begun = study(tmp_path).propose()
    again = study(tmp_path)
    (left,) = again.trials()
    assert left.state == "running"
    taken = again.take_up(left)
    assert (taken.number, taken.name, taken.changes) == (0, "s-0", begun.changes)
    assert again.end(taken, 0.5).state == "complete"


def test_the_end_of_a_trial_is_noted_also_for_a_later_process(tmp_path):
    one = study(tmp_path)
    trial = one.propose()
    assert trial.ended_ms == 0
    before_ms = time.time() * 1000 - 1
    ended_ms = one.end(trial, 0.5).ended_ms
    assert before_ms <= ended_ms <= time.time() * 1000
    assert study(tmp_path).trials()[0].ended_ms == ended_ms


def test_a_trial_below_the_median_is_to_end(tmp_path):
    one = study(tmp_path)
    good, bad = one.propose(), one.propose()
    assert not one.report(good, 1, 0.5)
    one.end(good, 0.6)
    assert one.report(bad, 1, 0.1)
    ended = one.end(bad)
    assert (ended.state, ended.ap, ended.measured) == ("pruned", None, {1: 0.1})
    assert best(one.trials()).name == "s-0"


def test_without_pruning_none_is_to_end(tmp_path):
    one = study(tmp_path, prune=None)
    good, bad = one.propose(), one.propose()
    one.report(good, 1, 0.5)
    one.end(good, 0.6)
    assert not one.report(bad, 1, 0.0)


def test_a_failed_trial_says_why_and_is_not_the_best(tmp_path):
    one = study(tmp_path)
    assert best(one.trials()) is None
    failed = one.end(one.propose(), reason="no room")
    assert (failed.state, failed.reason) == ("failed", "no room")
    assert best(one.trials()) is None


def test_the_parameter_that_decides_is_the_most_important(tmp_path):
    two = {key: SPACE["params"][key] for key in ("train.lr_max", "train.loss")}
    one = study(tmp_path, sampler="random", params=two)
    run(one, 3)
    assert one.importance() == {}
    run(one, 9)
    shares = one.importance()
    assert next(iter(shares)) == "train.lr_max"
    assert sum(shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 2}, "seed of the study s: found 2, expected 1, as s began"),
        ({"fixed": {}}, "fixed of the study s: "),
        ({"origin": "other"}, "expected the commit and the files that s began with"),
    ],
    ids=["seed", "fixed", "origin"],
)
def test_a_study_does_not_go_on_with_something_else(tmp_path, changes, message):
    study(tmp_path).propose()
    with pytest.raises(InputError) as caught:
        study(tmp_path, **changes)
    assert message in str(caught.value)
    assert "Name another study" in str(caught.value)
