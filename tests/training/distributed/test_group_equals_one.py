"""Two processes equal one, in steps and in evaluation.

One launch runs group_work.py in two processes; the results of each are compared here with those
of one process. It ends with a kill. tests/stages/test_train_stage.py has a whole training.
"""

import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pytest

from ssdcore.data.loader import TrainingBatch
from ssdcore.models.device import configure
from ssdcore.training.distributed.group import ALONE
from ssdcore.training.distributed.launch import launch
from tests.clone import UNCOMPILED
from tests.training.distributed import group_work
from tests.training.distributed.group_work import PARAMS, ROOT, TinyTraining, Work, tiny_batches
from tests.training.distributed.test_msrun import running

pytestmark = pytest.mark.slow
TWO = PARAMS.runtime.model_copy(update={"devices": 2})


@pytest.fixture(scope="module")
def work(images) -> Work:
    """Ten images, and a score that detections in five of them reach."""
    configure("CPU")
    shards = [str(shard) for shard in images.shards]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in UNCOMPILED.items():
            patch.setenv(name, value)
        everything = group_work.predict(Work(str(images.annotations), shards, 0.0), ALONE, 10)
    best: dict[int, float] = {}
    for result in everything:
        best[result["image_id"]] = max(result["score"], best.get(result["image_id"], 0.0))
    return Work(str(images.annotations), shards, median(best.values()))


class Answers:
    """The results of one of two processes."""

    def __init__(self, folder: Path, rank: int) -> None:
        self.words: dict[str, Any] = json.loads((folder / f"of_{rank}.json").read_text())
        with np.load(folder / f"of_{rank}.npz") as arrays:
            self.arrays = dict(arrays)

    def of(self, part: str) -> dict[str, Any]:
        found = {k: v for k, v in self.arrays.items() if k.startswith(f"{part}/")}
        assert found
        return {key.removeprefix(f"{part}/"): value for key, value in found.items()}


class Job(NamedTuple):
    """A launch that has ended: its folder, its status and its messages."""

    folder: Path
    status: int
    errors: str


@pytest.fixture(scope="module")
def job(work, tmp_path_factory) -> Job:
    folder = tmp_path_factory.mktemp("group")
    (folder / "work.json").write_text(json.dumps(work._asdict()))
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(StringIO()) as errors:
        patch.setenv("PYTHONPATH", str(ROOT))
        module = "tests.training.distributed.group_work"
        status = launch(module, [str(folder)], TWO, folder / "logs")
    return Job(folder, status, errors.getvalue())


@pytest.fixture(scope="module")
def answers(job) -> list[Answers]:
    return [Answers(job.folder, rank) for rank in (0, 1)]


@pytest.fixture(scope="module")
def tiny() -> TinyTraining:
    configure("CPU")
    return TinyTraining(ALONE)


def test_a_process_killed_while_another_waits_for_it_ends_the_job(job):
    assert job.status == 1
    headline, *log = job.errors.splitlines()
    assert headline.startswith("error: worker_1 was killed or crashed; the end of ")
    assert log[-1] == "  process 1 has done its part"
    assert running(job.folder) == []


def assert_close(one: dict[str, Any], two: dict[str, Any], tolerance: float) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=0, atol=tolerance, err_msg=name)


def test_each_knows_its_rank(answers):
    assert [each.words["group"] for each in answers] == [[0, 2], [1, 2]]
    assert [each.words["exchanged"]["is_writer"] for each in answers] == [True, False]


def test_all_receive_the_same(answers):
    """Values of different sizes reach both, in the order of the ranks."""
    for each in answers:
        exchanged = each.words["exchanged"]
        assert exchanged["gathered"] == [[0.1], [1.1, 1.1]]
        assert exchanged["any"] == [False, True, True]
        assert exchanged["refused"].startswith("the place: found 'not the same in all processes'")


def test_the_log_says_how_they_divide_the_work(answers):
    for each in answers:
        assert each.words["notes"] == [
            f"2 processes, {2 * PARAMS.train.batch_size} images per update; "
            "batch norm uses each process's own batch, its statistics are averaged"
        ]


def test_accumulated_batches_of_two_are_those_of_one(answers, tiny):
    """One of the four batches has no objects, and its process another divisor than the others."""
    alone = tiny.accumulate()
    moved = [np.abs(v - tiny.initial[name]).max() for name, v in alone.items() if name != "losses"]
    assert min(moved) > 1e-3
    for each in answers:
        assert_close(alone, each.of("accumulated"), 1e-5)


def test_all_have_the_same_network_after_every_step(answers):
    """Statistics of batch norm and the moving average of the weights included."""
    assert answers[0].arrays.keys() == answers[1].arrays.keys()
    for name, value in answers[0].arrays.items():
        np.testing.assert_array_equal(value, answers[1].arrays[name], err_msg=name)


def test_the_statistics_of_batch_norm_are_the_processes_mean(answers, tiny):
    """The mean over equal batches is that of all; the variance omits that between the batches."""
    first, *_, last = tiny_batches()
    both = TrainingBatch(*map(np.concatenate, zip(first, last, strict=True)))
    large, *halves = (tiny.normalise(batch) for batch in (both, first, last))
    two = answers[0].of("normalised")
    mean, variance = "0.norm.moving_mean", "0.norm.moving_variance"
    np.testing.assert_allclose(two[mean], large[mean], atol=1e-6)
    for name in (mean, variance):
        assert (halves[0][name] != halves[1][name]).any()
        expected = (halves[0][name] + halves[1][name]) / 2
        np.testing.assert_allclose(two[name], expected, atol=1e-6)


def test_what_overflows_in_one_process_is_skipped_by_both(answers):
    for each in answers:
        assert each.words["overflow"] == {"updated": False, "scale": 2**15, "weights kept": True}


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("batch_size", [3, 10])
def test_two_predict_exactly_the_same_as_one(answers, work, batch_size):
    """In batches of 3 the last is of one image; of 10 the second process gets none at all."""
    alone = group_work.predict(work, ALONE, batch_size)
    assert len({result["image_id"] for result in alone}) == 5
    for each in answers:
        assert each.words["predictions"][str(batch_size)] == alone


def test_a_stop_of_one_ends_the_measurement_of_both(answers):
    """Also of the one that waits with its detections."""
    assert [each.words["stopped"] for each in answers] == ["another process", "SIGTERM"]
