"""The order in which spools are delivered, and which are left alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ssdcore.tracking import backlog
from ssdcore.tracking.backlog import deliver_waiting, first_event
from ssdcore.tracking.events import Artifact, Finish, Tags
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.receiver import GoneError, UnavailableError
from ssdcore.tracking.spool import HOME, JOURNAL, REFUSED, Spool, set_aside, settle, spools
from tests.tracking.spools import FakeRun, opening, spooled

FINISH = Finish(99, "FINISHED", "")
PROJECT = Path(__file__).parents[2]


def deliver(root, run, wanted=lambda _: True):
    return list(deliver_waiting(root, run.connect, Pace(), wanted))


def stages(run):
    return [opened.stage for opened, _ in run.connected]


def test_the_oldest_goes_first_and_all_are_gone_then(tmp_path):
    made = [spooled(tmp_path, FINISH, stage=stage) for stage in ("train", "evaluate", "report")]
    run = FakeRun()
    sent = deliver(tmp_path, run)
    assert stages(run) == ["train", "evaluate", "report"]
    assert [one.folder for one in sent] == made
    assert not any(one.left or one.refused or one.running for one in sent)
    assert spools(tmp_path) == []
    assert deliver(tmp_path, run) == []


def test_a_running_stage_is_left_alone(tmp_path):
    running = Spool(tmp_path, opening())
    waiting = spooled(tmp_path, FINISH, stage="evaluate")
    run = FakeRun()
    sent = {one.folder: one for one in deliver(tmp_path, run)}
    assert sent[running.folder].running
    assert not sent[waiting].running
    assert stages(run) == ["evaluate"]
    assert spools(tmp_path) == [running.folder]
    running.close()
    deliver(tmp_path, run)
    assert spools(tmp_path) == []


def test_a_running_stage_of_another_process_is_left_alone(tmp_path):
    code = """
import sys
from pathlib import Path
from ssdcore.tracking.spool import Spool
from tests.tracking.spools import opening
spool = Spool(Path(sys.argv[1]), opening())
print("made", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", code, tmp_path]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"made\n"
        (sent,) = deliver(tmp_path, FakeRun())
        assert sent.running
        process.kill()
        process.wait()
        (sent,) = deliver(tmp_path, run := FakeRun())
    assert not sent.running
    assert run.all("finish")[0][0] == "KILLED"
    assert spools(tmp_path) == []


def test_a_store_out_of_reach_holds_up_its_own_spools_only(tmp_path):
    def fails(kind, what):
        if kind == "connect" and what.store == "down":
            raise UnavailableError("refused")

    down = [spooled(tmp_path, FINISH, store="down") for _ in range(2)]
    spooled(tmp_path, FINISH, stage="evaluate", store="up")
    down.append(spooled(tmp_path, FINISH, store="down"))
    asked = []
    run = FakeRun(lambda kind, what: (asked.append(kind), fails(kind, what)))
    sent = deliver(tmp_path, run)
    assert [one.left for one in sent] == ["refused", "refused", "", "refused"]
    assert all(one.blocks for one in sent if one.left)
    assert spools(tmp_path) == down
    assert asked.count("connect") == 2  # not once for each spool


def test_a_spool_that_waits_for_files_holds_up_no_other(tmp_path):
    def fails(kind, what):
        if kind == "file":
            raise UnavailableError("No space left")

    spool = Spool(tmp_path, opening())
    (tmp_path / "a").touch()
    spool.keep(tmp_path / "a", "")
    spool.append(Artifact(1, "a"))
    spool.append(FINISH)
    spool.close()
    spooled(tmp_path, FINISH, stage="evaluate")
    first, second = deliver(tmp_path, FakeRun(fails))
    assert (first.left, first.blocks) == ("No space left", False)
    assert second.left == ""
    assert spools(tmp_path) == [spool.folder]


def test_a_deleted_run_is_put_aside_and_holds_up_no_other(tmp_path):
    def fails(kind, what):
        if kind == "connect" and what.stage == "train":
            raise GoneError("the run is deleted")

    folder = spooled(tmp_path, Tags(1, {"a": "b"}), FINISH)
    spooled(tmp_path, FINISH, stage="evaluate")
    first, second = deliver(tmp_path, run := FakeRun(fails))
    assert (first.refused, first.left) == ("the run is deleted", "")
    assert second.refused == ""
    assert stages(run) == ["evaluate"]
    assert spools(tmp_path) == []
    assert first.kept == set_aside(folder)
    assert "the run is deleted" in (first.kept / REFUSED).read_text()

    first.kept.rename(folder)  # the run is restored, and the user puts its spool back
    (folder / REFUSED).unlink()
    deliver(tmp_path, run := FakeRun())
    assert run.described["a"] == "b"


def test_only_what_is_wanted_is_sent(tmp_path):
    spooled(tmp_path, FINISH, store="other")
    other = spools(tmp_path)
    spooled(tmp_path, FINISH, stage="evaluate")
    run = FakeRun()
    deliver(tmp_path, run, lambda opened: opened.store != "other")
    assert stages(run) == ["evaluate"]
    assert spools(tmp_path) == other


@pytest.mark.parametrize("journal", [b"", b'{"event": "Op', b"\0\0\n", b'{"event": "Finish"}\n'])
def test_a_spool_without_a_beginning_is_put_aside(tmp_path, journal):
    folder = spooled(tmp_path)
    (folder / JOURNAL).write_bytes(journal)
    spooled(tmp_path, FINISH, stage="evaluate")
    first, second = deliver(tmp_path, FakeRun())
    assert "no beginning" in first.refused
    assert second.refused == ""
    assert (set_aside(folder) / JOURNAL).read_bytes() == journal
    assert json.loads((set_aside(folder) / REFUSED).read_text())
    assert spools(tmp_path) == []


def test_a_spool_that_its_stage_removes_meanwhile(tmp_path, monkeypatch):
    folder = spooled(tmp_path, FINISH)
    spooled(tmp_path, FINISH, stage="evaluate")

    def removing(path):
        found = first_event(path)
        if path == folder:
            settle(folder)
        return found

    monkeypatch.setattr(backlog, "first_event", removing)
    (sent,) = deliver(tmp_path, run := FakeRun())
    assert stages(run) == ["evaluate"]
    assert sent.folder != folder
    assert list((tmp_path / HOME).iterdir()) == []
