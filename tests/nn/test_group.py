"""Processes that train together, against one that does the same work alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ssdcore.errors import InputError
from ssdcore.nn.group import ALONE, Group

ROOT = Path(__file__).parents[2]
LAUNCH = """
import sys
from pathlib import Path
from ssdcore.params_file import read_params
from ssdcore.processes.launch import launch
runtime = read_params(Path(sys.argv[1])).runtime.model_copy(update={"devices": 2})
sys.exit(launch(sys.argv[2], sys.argv[3:], runtime))
"""


def python(folder, *command, timeout=240):
    """Runs Python in a folder, with the project and this folder to import from."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DVC_")}
    environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", "GLOG_v": "3"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=timeout,
    )  # fmt: skip


def in_group(folder, module, *arguments):
    return python(folder, "-c", LAUNCH, str(ROOT / "params.yaml"), module, *arguments)


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch_and_find_the_same(five_pictures, tmp_path):
    """Five pictures: one batch of four an epoch, and shares of three and two to detect in."""
    pictures = five_pictures.annotations.parents[1]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    done = python(tmp_path, "-m", "group_script", str(pictures), str(tmp_path / "one"), "4")
    assert done.returncode == 0, done.stderr
    done = in_group(tmp_path, "group_script", str(pictures), str(tmp_path / "two"), "2")
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(tmp_path / "one/weights0.npz") as alone:
        for rank in (0, 1):
            with np.load(tmp_path / f"two/weights{rank}.npz") as ours:
                assert set(ours) == set(alone)
                for name in alone:
                    np.testing.assert_allclose(ours[name], alone[name], rtol=1e-5, atol=1e-5)
    alone = (tmp_path / "one/found0.json").read_text()
    images = {result["image_id"] for result in json.loads(alone)}
    assert len(images) > 0
    for rank in (0, 1):
        assert (tmp_path / f"two/found{rank}.json").read_text() == alone


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("raise", 1, ["error: worker_1 ended with status 1; the end of", "one of us has to"]),
        ("kill", 1, ["error: worker_1 was killed or crashed; the end of", "process 1 is there"]),
        ("mistake", 2, ["error: a.json: found 1, expected 2."]),
    ],
)
def test_a_process_that_ends_ends_them_all(tmp_path, how, status, said):
    done = in_group(tmp_path, "failing_script", how)
    assert done.returncode == status, done.stdout + done.stderr
    assert "process 0 is there" in done.stdout
    assert "never said" not in done.stdout
    for text in said:
        assert text in done.stderr


def test_alone_nothing_is_asked_of_others(rng):
    rows = rng.normal(size=(3, 2)).astype(np.float32)
    assert ALONE.is_writer
    assert not Group(1, 2).is_writer
    (gathered,) = ALONE.gather(rows)
    np.testing.assert_array_equal(gathered, rows)
    assert ALONE.any(True, False) == [True, False]
    ALONE.require_same("a", b"1")


def test_different_answers_are_refused(monkeypatch):
    group = Group(0, 2)
    monkeypatch.setattr(Group, "gather", lambda self, rows: [rows, rows + 1])
    with pytest.raises(InputError, match="the weights: found 'not the same in all processes'"):
        group.require_same("the weights", b"12")
    monkeypatch.setattr(Group, "gather", lambda self, rows: [rows, np.array([0, 1], np.float32)])
    assert group.any(True, False) == [True, True]
