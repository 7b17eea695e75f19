import shutil
import threading
import time
from typing import Any

import pytest
from filelock import FileLock

from ssdcore.core.errors import RunError
from ssdcore.tracking import sender
from ssdcore.tracking.mlflow_writer import KILLED
from ssdcore.tracking.sender import sync, upload
from ssdcore.tracking.spool import HOME, JOURNAL, REFUSED, spools
from tests.project import ROOT, start
from tests.tracking.spools import FINISH, SQLITE, event, line, metrics, open_spool, spooled


def keys(runs: list[Any]) -> list[str]:
    return [run.data.tags["run.key"] for run in runs]


def test_the_oldest_spool_goes_first(root, experiment, stored):
    """So a spool that joins a run finds it."""
    fields = {"store": SQLITE, "experiment": experiment}
    made = [spooled(root, FINISH, tags={"model": "m"}, **fields)]
    for stage in ("evaluate", "report"):
        made.append(spooled(root, FINISH, stage=stage, join={"model": "m"}, **fields))
    assert [(sent.folder, sent.left, sent.refused) for sent in sync()] == [
        (folder, "", "") for folder in made
    ]
    (run,) = stored()
    assert run.data.tags["dvc.stage"] == "train,evaluate,report"
    assert spools(root) == []


def test_a_running_stage_is_left_alone_until_it_ends_or_is_killed(root, experiment, stored):
    script = f"""
import sys
from pathlib import Path
from tests.tracking.spools import metrics, open_spool
spool = open_spool(Path(sys.argv[1]), *metrics(1), store={SQLITE!r}, experiment={experiment!r})
print("created", flush=True)
sys.stdin.read()
"""
    with start(ROOT, "-c", script, root) as process:
        assert process.stdout.readline() == "created\n"
        (sent,) = sync()
        assert sent.running
        assert stored() == []
        process.kill()
        process.wait()
    (sent,) = sync()
    assert not sent.running
    (run,) = stored()
    assert (run.info.status, run.data.metrics) == ("KILLED", {"loss": 0.25})
    assert run.data.tags["error"] == KILLED


def test_a_stages_process_uploads_older_spools_of_its_store_only(root, experiment, stored):
    fields = {"store": SQLITE, "experiment": experiment}
    older = spooled(root, FINISH, key="older", **fields)
    other = spooled(root, FINISH)
    spool = open_spool(root, *metrics(1), key="own", **fields)
    assert [sent.folder for sent in upload(root, spool.folder)] == [older, spool.folder]
    assert spools(root) == [other, spool.folder]
    assert {key: run.info.status for key, run in zip(keys(stored()), stored(), strict=True)} == {
        "older": "FINISHED",
        "own": "RUNNING",
    }
    spool.append(line(FINISH))
    spool.close()
    list(upload(root, spool.folder))
    assert spools(root) == [other]
    shutil.rmtree(other)


def test_a_store_out_of_reach_blocks_only_its_own_spools(root, experiment, stored):
    blocked = [spooled(root, FINISH), spooled(root, FINISH)]
    spooled(root, FINISH, store=SQLITE, experiment=experiment)
    first, second, third = sync()
    assert first.left.startswith("ConnectionRefusedError: [Errno ")
    assert (second.left, third.left) == (first.left, "")
    assert spools(root) == blocked
    assert len(stored()) == 1
    for folder in blocked:
        shutil.rmtree(folder)


@pytest.mark.parametrize("journal", [b"", b'{"event": "Op', b"\0\0\n", b'{"event": "Finish"}\n'])
def test_a_spool_without_a_beginning_is_moved_away(own, journal):
    folder = spooled(own)
    (folder / JOURNAL).write_bytes(journal)
    (sent,) = sync()
    assert "no beginning" in sent.refused
    assert spools(own, refused=True) == [sent.folder]
    assert (sent.folder / JOURNAL).read_bytes() == journal
    assert (sent.folder / REFUSED).is_file()
    assert list(sync()) == []
    assert spooled(own).name != folder.name  # the number is still in use


def test_a_store_that_mlflow_does_not_know_is_named(own):
    folder = spooled(own, FINISH, store="nowhere://")
    (sent,) = sync()
    assert "nowhere://" in sent.left
    assert spools(own) == [folder]


def test_what_a_killed_process_left_of_an_uploaded_spool_is_removed(own):
    (spooled(own) / JOURNAL).unlink()
    assert list(sync()) == []
    assert spools(own) == []


def test_a_run_that_cannot_be_opened_blocks_no_other(root, experiment, stored):
    blocked = spooled(root, FINISH, store=SQLITE, experiment="")
    spooled(root, FINISH, store=SQLITE, experiment=experiment)
    first, second = sync()
    assert "Invalid" in first.left
    assert second.left == ""
    assert len(stored()) == 1
    shutil.rmtree(blocked)


def test_one_process_at_a_time_uploads(root, experiment, monkeypatch):
    spooled(root, event("Tags", tags={}), FINISH, store=SQLITE, experiment=experiment)
    lock = FileLock(root / HOME / "upload.lock", thread_local=False)
    lock.acquire()
    with monkeypatch.context() as patch, pytest.raises(RunError, match="has been sending"):
        patch.setattr(sender, "SYNC_S", 0.1)
        list(sync())
    threading.Timer(0.5, lock.release).start()
    began = time.monotonic()
    assert [sent.left for sent in sync()] == [""]
    assert time.monotonic() - began > 0.3
