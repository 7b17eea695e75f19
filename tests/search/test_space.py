import json
from pathlib import Path
from typing import Any

import pytest

from ssdcore.core.errors import InputError
from ssdcore.search.space import SPACE, read_space
from tests.clone import ROOT

PARAMS = ROOT / "params.yaml"
RIGHT = {
    "study": "s", "trials": 3, "sampler": "random", "seed": 1, "prune": None, "fixed": {},
    "params": {"train.lr_max": {"low": 0.1, "high": 1}},
}  # fmt: skip


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "search.yaml"
    path.write_text(json.dumps({**RIGHT, **changes}))
    return path


def test_the_file_of_a_fresh_clone_is_right():
    space, base = read_space(ROOT / SPACE, PARAMS)
    assert set(space.params) <= set(base)


def test_fixed_parameters_are_part_of_what_the_trials_change(tmp_path):
    _, base = read_space(write(tmp_path, fixed={"train.epochs": 2}), PARAMS)
    assert base["train.epochs"] == 2


def one(key: str, **values: Any) -> dict[str, Any]:
    return {"params": {key: values}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (one("train.lrmax", low=1, high=2), "train.lrmax: .* (did you mean lr_max?)"),
        (one("train.lr_max", low=0, high=2), "train.lr_max: found 0.0, expected greater than 0"),
        (one("train.epochs", low=1.5, high=4), "train.epochs: found 1.5, expected a whole number"),
        (one("train.lr_max", low=1), "params.train.lr_max.choices: .* low and high, or else"),
        (one("train.lr_max", low=2, high=1), "params.train.lr_max.high: .* above low, 2"),
        (one("train.lr_max", low=0, high=1, log=True), "log: .* a low above 0 and no step"),
        (one("train.lr_max", low=1, high=2, step=0), "step: found 0, expected greater than 0"),
        (one("train.epochs", low=2, high=4, step=0.5), "train.epochs: found 2.5, expected a whole"),
        (one("train.epochs", low=1, high=2, step=1.5), "train.epochs: found 1.0, expected a whole"),
        (one("train.loss", choices=["focal", "mutlibox"]), "(did you mean multibox?)"),
        (one("dataset.limit", low=1, high=9), "AP compares on the same data alone"),
        ({"fixed": {"train.lr_max": 0.1}}, "train.lr_max: found 'fixed and searched'"),
        ({"fixed": {"train.epochs": "two"}}, "train.epochs: found 'two', expected a whole number"),
        ({"study": "a b"}, "study: found 'a b', expected up to 60 letters, digits"),
        ({"sampler": "grid"}, "sampler: found 'grid', expected 'tpe' or 'random'"),
        ({"trails": 3}, "trails: found 3, expected a known key"),
    ],
    ids=str,
)
def test_a_mistake_is_named_before_anything_runs(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_space(path, PARAMS)
    first, _, rest = message.partition(" .* ")
    assert str(path) in str(caught.value)
    assert first in str(caught.value)
    assert rest in str(caught.value)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"search\.yaml: found 'no file'"):
        read_space(tmp_path / "search.yaml", PARAMS)
