"""When the sender sends, pauses, speaks and gives up; with a stage and a store of the test's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ssdcore.tracking import sender as sender_module
from ssdcore.tracking.backlog import one_sender
from ssdcore.tracking.events import Artifact, Finish, Metrics, Open
from ssdcore.tracking.receiver import GoneError, RefusedError, UnavailableError
from ssdcore.tracking.sender import LEFT, LONGEST_PAUSE_S, Sender
from ssdcore.tracking.spool import LOCK, Spool, spools
from tests.tracking.spools import FakeRun, opening, spooled

FINISH = Finish(99, "FINISHED", "")


class FakeOrders:
    """A stage that does one thing of `plan` at each pause, and ends when there is none left."""

    def __init__(self, *plan: Callable[[], object]) -> None:
        self.plan = list(plan)
        self.pauses: list[tuple[float, bool]] = []
        self.closed_s: float | None = None
        self.orphaned = False
        if not plan:
            self.close()

    def close(self) -> None:
        self.closed_s = 1.0

    def wait(self, seconds: float, *, heed_send: bool = True) -> None:
        self.pauses.append((seconds, heed_send))
        self.plan.pop(0)()
        if not self.plan:
            self.close()


class Failing:
    """Raises at chosen questions, counted from 0; counts all."""

    def __init__(self, at: Callable[[int], bool], kinds: tuple[str, ...] = ("log",)) -> None:
        self.asked, self.at, self.kinds = 0, at, kinds

    def __call__(self, kind: str, what: Any) -> None:
        if kind in self.kinds:
            self.asked += 1
            if self.at(self.asked - 1):
                raise UnavailableError("down")


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, opening(store="sqlite:///mlflow.db"))
    yield spool
    spool.close()


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    """The sleeps of the sender, which take no time here."""
    naps: list[float] = []
    monkeypatch.setattr(sender_module, "sleep", naps.append)
    return naps


@pytest.fixture(autouse=True)
def root(tmp_path, no_environment, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def send(spool: Spool, orders: FakeOrders, run: FakeRun, **fields: Any) -> int:
    first = opening(**{"store": "sqlite:///mlflow.db", **fields})
    assert isinstance(first, Open)
    return Sender(spool.folder, first, orders, run.connect).run()  # type: ignore[arg-type]


def nothing() -> None:
    pass


def test_a_stage_that_has_ended_is_sent_and_done(spool, capfd):
    spool.append(FINISH)
    assert send(spool, FakeOrders(), run := FakeRun()) == 0
    assert run.all("finish")
    assert capfd.readouterr() == ("", "")


def test_without_its_last_word_it_is_not_done(spool):
    assert send(spool, FakeOrders(), FakeRun()) == LEFT


def test_it_looks_every_few_seconds_and_when_asked(spool):
    steps = [lambda step=step: spool.append(Metrics(1, step, {"a": 1.0})) for step in range(3)]
    orders = FakeOrders(*steps, lambda: spool.append(FINISH))
    assert send(spool, orders, run := FakeRun()) == 0
    assert [sample.step for sample in run.samples] == [0, 1, 2]
    assert orders.pauses == [(5.0, True)] * 4


def test_a_single_failure_is_not_worth_a_word(spool, capfd):
    orders = FakeOrders(nothing, lambda: spool.append(FINISH))
    assert send(spool, orders, FakeRun(Failing(lambda n: n == 0))) == 0
    assert orders.pauses == [(1.0, False), (5.0, True)]
    assert capfd.readouterr() == ("", "")


def test_pauses_double_up_to_a_minute_and_one_warning_is_enough(spool, capfd):
    orders = FakeOrders(*[nothing] * 9)
    assert send(spool, orders, FakeRun(Failing(lambda _: True))) == LEFT
    assert [seconds for seconds, _ in orders.pauses] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert LONGEST_PAUSE_S == 60
    assert not any(heed for _, heed in orders.pauses)
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert "failed (down); train goes on" in err
    assert f"kept in .ssd/tracking/{spool.folder.name}" in err


def test_a_store_that_comes_back_is_used_as_before(spool, capfd):
    orders = FakeOrders(*[nothing] * 4, lambda: spool.append(FINISH))
    assert send(spool, orders, run := FakeRun(Failing(lambda n: n < 3))) == 0
    assert orders.pauses == [(1.0, False), (2.0, False), (4.0, False), (5.0, True), (5.0, True)]
    assert run.all("finish")
    assert capfd.readouterr().err.count("\n") == 1


def test_the_end_tries_twice(spool, naps, capfd):
    spool.append(FINISH)
    assert send(spool, FakeOrders(), FakeRun(Failing(lambda n: n == 0))) == 0
    assert naps == [1.0]
    assert capfd.readouterr() == ("", "")


def test_the_end_tries_no_more_than_twice(spool, naps, capfd):
    spool.append(FINISH)
    run = FakeRun(failing := Failing(lambda _: True))
    assert send(spool, FakeOrders(), run) == LEFT
    assert failing.asked == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_a_store_known_to_be_down_is_tried_once_more_at_the_end(spool):
    orders = FakeOrders(*[nothing] * 3)
    run = FakeRun(failing := Failing(lambda _: True))
    assert send(spool, orders, run) == LEFT
    assert failing.asked == 4


def test_a_full_disk_is_not_filled_again_at_the_end(spool, tmp_path, capfd):
    (tmp_path / "a").touch()
    spool.keep(tmp_path / "a", "")
    spool.append(Artifact(1, "a"))
    orders = FakeOrders(nothing, nothing, lambda: spool.append(FINISH))
    run = FakeRun(failing := Failing(lambda _: True, ("file",)))
    assert send(spool, orders, run) == LEFT
    assert failing.asked == 3
    assert run.all("finish") == [("FINISHED", "", 99)]
    assert capfd.readouterr().err.count("\n") == 1


def test_older_spools_of_the_store_go_first(spool, tmp_path):
    fields = {"store": "sqlite:///mlflow.db"}
    older = [spooled(tmp_path, FINISH, stage="evaluate", **fields), spooled(tmp_path, FINISH)]
    spool.append(FINISH)
    assert send(spool, FakeOrders(), run := FakeRun()) == 0
    assert [opened.stage for opened, _ in run.connected] == ["evaluate", "train"]
    assert spools(tmp_path) == [spool.folder, older[1]]  # another store's is not ours to send


def test_nothing_is_sent_before_what_is_older(spool, tmp_path):
    spooled(tmp_path, FINISH, stage="evaluate", store="sqlite:///mlflow.db")
    spool.append(FINISH)

    def fails(kind: str, what: Any) -> None:
        if kind == "connect" and what.stage == "evaluate":
            raise UnavailableError("down")

    assert send(spool, FakeOrders(), run := FakeRun(fails)) == LEFT
    assert run.told == []


def test_who_opens_a_run_of_its_own_does_not_wait_for_another_sender(spool, tmp_path):
    spool.append(FINISH)
    with one_sender(tmp_path):
        assert send(spool, FakeOrders(), FakeRun()) == 0


def test_who_goes_on_with_a_run_waits_for_another_sender(tmp_path, monkeypatch):
    fields = {"store": "sqlite:///mlflow.db", "join": {"model": "x"}}
    spool = Spool(tmp_path, opening("evaluate", **fields))
    spool.append(FINISH)
    asked: list[bool] = []
    acquire = FileLock.acquire

    def noting(lock: FileLock, *arguments: Any, blocking: bool = True, **others: Any) -> Any:
        if Path(lock.lock_file).name != LOCK:
            asked.append(blocking)
        return acquire(lock, *arguments, blocking=blocking, **others)

    monkeypatch.setattr(FileLock, "acquire", noting)
    assert send(spool, FakeOrders(), FakeRun(), stage="evaluate", join={"model": "x"}) == 0
    assert asked == [True]
    spool.close()


@pytest.mark.parametrize("error", [RefusedError, GoneError])
def test_what_is_refused_is_told_with_its_place(spool, capfd, error):
    def fails(kind: str, what: Any) -> None:
        if kind == "log":
            raise error("never")

    spool.append(FINISH)
    assert send(spool, FakeOrders(), FakeRun(fails)) == 0
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert f"for good (never); that is kept in .ssd/tracking/refused/{spool.folder.name}" in err


def test_a_stage_that_was_killed_is_taken_over_and_settled(tmp_path):
    spool = Spool(tmp_path, opening(store="sqlite:///mlflow.db"))
    spool.close()
    orders = FakeOrders()
    orders.orphaned = True
    assert send(spool, orders, run := FakeRun()) == 0
    assert run.all("finish")[0][0] == "KILLED"
    assert spools(tmp_path) == []


def test_a_stage_that_was_killed_and_is_taken_over_by_another(spool, monkeypatch):
    monkeypatch.setattr(sender_module, "CLAIM_S", 0.0)  # the fixture still holds its lock
    orders = FakeOrders()
    orders.orphaned = True
    assert send(spool, orders, run := FakeRun()) == LEFT
    assert run.told == []
