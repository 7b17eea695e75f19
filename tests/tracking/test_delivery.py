"""What reaches a store, in which order, and what happens to the rest."""

import json
import os
import stat

import numpy as np
import pytest

from ssdcore.tracking.delivery import VANISHED, Delivery, FilesUnavailableError
from ssdcore.tracking.events import Artifact, Dataset, Finish, Image, Metrics, Tags
from ssdcore.tracking.journal import MAX_SAMPLES, Progress
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.receiver import GoneError, RefusedError, UnavailableError
from ssdcore.tracking.spool import FILES, JOURNAL, REFUSED, Spool
from ssdcore.tracking.values import Sample
from tests.tracking.spools import FakeRun, opening, spooled

FINISH = Finish(99, "FINISHED", "")


def delivery(folder, run, told=None, **fields):
    told = [] if told is None else told
    return Delivery(folder, opening(**fields), run.connect, Pace(), told.append)


def metrics(*steps):
    return [Metrics(step, step, {"loss": float(step)}) for step in steps]


def refused(folder):
    lines = (folder / REFUSED).read_text().splitlines()
    return [(line["reason"], line["refused"]) for line in map(json.loads, lines)]


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path, opening())
    yield spool
    spool.close()


def test_everything_arrives_in_order(spool, tmp_path):
    (tmp_path / "page.html").write_text("<h1>")
    spool.append(Dataset(1, "shapes", "c0ffee", "data/raw"))
    for event in metrics(1, 2):
        spool.append(event)
    spool.append(Tags(3, {"note": "x"}))
    spool.keep(tmp_path / "page.html", "pages/old")
    spool.append(Artifact(4, "pages/old/page.html"))
    spool.keep(tmp_path / "page.html", "")
    spool.append(Artifact(4, "page.html"))
    spool.keep_pixels(np.full((1, 1, 3), 7, np.uint8), "k")
    spool.append(Image(5, "gallery/00", 3, "k"))
    spool.append(FINISH)
    run = FakeRun()
    sending = delivery(spool.folder, run)
    sending.advance()
    assert sending.complete
    assert run.told == [
        ("log", [("dvc.stage", "train")]),
        ("dataset", ("shapes", "c0ffee", "data/raw", "train")),
        ("log", [Sample("loss", 1.0, 1, 1), Sample("loss", 2.0, 2, 2)]),
        ("log", [("note", "x")]),
        ("file", ("pages/old", "page.html", "<h1>")),
        ("file", ("", "page.html", "<h1>")),
        ("image", ([[[7, 7, 7]]], "gallery/00", 3, 5, "k")),
        ("finish", ("FINISHED", "", 99)),
    ]
    assert not (spool.folder / REFUSED).exists()


def test_a_run_is_told_what_it_does_not_know(tmp_path):
    fields = {"params": {"a": "1", "b": "2"}, "tags": {"device": "CPU", "git": "9"}}
    folder = spooled(tmp_path, stage="report", **fields)
    run = FakeRun()
    run.params, run.tags = {"a": "0"}, {"device": "GPU", "dvc.stage": "train,report,x"}
    delivery(folder, run, stage="report", **fields).advance()
    assert run.described == {"b": "2", "git": "9", "dvc.stage": "train,report,x"}


def test_a_growing_spool_is_sent_as_it_grows_and_opened_once(spool):
    run = FakeRun()
    sending = delivery(spool.folder, run)
    for event in metrics(1, 2, 3):
        spool.append(event)
        sending.advance()
        sending.advance()
    assert [sample.step for sample in run.samples] == [1, 2, 3]
    assert not sending.complete
    assert len(run.connected) == 1
    spool.append(FINISH)
    sending.advance()
    assert sending.complete


def test_metrics_go_by_the_thousand(spool):
    for step in range(1250):
        spool.append(Metrics(1, step, {"a": 1.0, "b": 2.0}))
    run = FakeRun()
    delivery(spool.folder, run).advance()
    sizes = [len(batch) for batch in run.all("log")[1:]]
    assert sizes == [MAX_SAMPLES, MAX_SAMPLES, 500]
    assert [sample.step for sample in run.samples[::2]] == list(range(1250))


def test_another_process_goes_on_where_one_was_killed(spool):
    run = FakeRun()
    spool.append(metrics(1)[0])
    delivery(spool.folder, run).advance()
    spool.append(metrics(2)[0])
    delivery(spool.folder, run).advance()
    assert [sample.step for sample in run.samples] == [1, 2]
    assert [run_id for _, run_id in run.connected] == ["", "run-1"]


def test_what_was_sent_but_not_noted_is_sent_again(spool, monkeypatch):
    """Killed between the two, it can't know; the store keeps equal things once."""
    run = FakeRun()
    spool.append(metrics(1)[0])
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "save", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            delivery(spool.folder, run).advance()
    assert run.samples == []
    delivery(spool.folder, run).advance()
    assert run.all("log") == [[("dvc.stage", "train")]] * 2 + [[Sample("loss", 1.0, 1, 1)]]


def test_a_failure_keeps_the_rest_and_its_order(spool):
    def fails(kind, what):
        if down and kind == "log" and isinstance(what[0], Sample) and what[0].step >= 2:
            raise UnavailableError("down")

    down = True
    run = FakeRun(fails)
    for event in (*metrics(1), Tags(1, {"a": "b"}), *metrics(2), Tags(2, {"c": "d"}), FINISH):
        spool.append(event)
    sending = delivery(spool.folder, run)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="down"):
            sending.advance()
    assert [sample.step for sample in run.samples] == [1]
    assert "c" not in run.described
    assert not sending.complete
    down = False
    sending.advance()
    assert [sample.step for sample in run.samples] == [1, 2]
    assert [kind for kind, _ in run.told] == ["log"] * 5 + ["finish"]


def test_files_that_have_to_wait_hold_up_nothing_else(spool, tmp_path):
    def fails(kind, what):
        if full and kind in {"file", "image"}:
            raise UnavailableError("No space left")

    full = True
    run = FakeRun(fails)
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        spool.keep(tmp_path / name, "")
        spool.append(Artifact(1, name))
    spool.keep_pixels(np.zeros((1, 1, 3), np.uint8), "k")
    for event in (Image(1, "i", 0, "k"), *metrics(1), FINISH):
        spool.append(event)
    sending = delivery(spool.folder, run)
    with pytest.raises(FilesUnavailableError, match="No space left"):
        sending.advance()
    assert [sample.step for sample in run.samples] == [1]
    assert run.all("finish") == [("FINISHED", "", 99)]
    assert not sending.complete
    again = delivery(spool.folder, run)  # by another process
    with pytest.raises(FilesUnavailableError):
        again.advance()
    full = False
    again.advance()
    assert again.complete
    assert run.all("file") == [("", "a", "a"), ("", "b", "b")]
    assert len(run.all("image")) == 1
    assert len(run.all("finish")) == 1


def test_a_full_disk_is_asked_once_a_round(spool, tmp_path):
    asked = []

    def fails(kind, what):
        if kind == "file":
            asked.append(what)
            raise UnavailableError("No space left")

    (tmp_path / "a").write_text("a")
    spool.keep(tmp_path / "a", "")
    for _ in range(5):
        spool.append(Artifact(1, "a"))
    sending = delivery(spool.folder, FakeRun(fails))
    for round_ in (1, 2):
        with pytest.raises(FilesUnavailableError):
            sending.advance()
        assert len(asked) == round_


def test_a_file_that_was_logged_often_is_sent_once_a_version(spool, tmp_path):
    def log(text):
        (tmp_path / "part").write_text(text)
        (tmp_path / "part").replace(tmp_path / "best.ckpt")
        spool.keep(tmp_path / "best.ckpt", "model")
        spool.append(Artifact(1, "model/best.ckpt"))

    run = FakeRun()
    for epoch in range(100):
        log(f"epoch {epoch}")
    sending = delivery(spool.folder, run)
    sending.advance()
    assert run.all("file") == [("model", "best.ckpt", "epoch 99")]
    log("epoch 100")
    delivery(spool.folder, run).advance()  # another process knows what was sent
    sending = delivery(spool.folder, run)
    spool.append(Artifact(1, "model/best.ckpt"))
    sending.advance()
    assert run.all("file")[1:] == [("model", "best.ckpt", "epoch 100")]


def test_what_no_database_takes_can_be_set_aside(spool):
    def fails(kind, what):
        if kind == "dataset":
            raise RefusedError("bad \udcff")

    spool.append(Dataset(1, "\udcff", "", "/data/\udcff"))
    spool.append(FINISH)
    sending = delivery(spool.folder, FakeRun(fails))
    sending.advance()
    assert sending.complete
    assert "data/\\udcff" in refused(spool.folder)[0][1]


def test_files_can_be_left_out(spool, tmp_path):
    (tmp_path / "a").write_text("a")
    spool.keep(tmp_path / "a", "")
    spool.append(Artifact(1, "a"))
    spool.append(FINISH)
    run = FakeRun()
    sending = delivery(spool.folder, run)
    with pytest.raises(FilesUnavailableError):
        sending.advance(files=False)
    assert run.all("file") == []
    assert run.all("finish")
    sending.advance()
    assert run.all("file") == [("", "a", "a")]


def test_what_is_refused_is_set_aside_alone(spool):
    def fails(kind, what):
        if kind == "log" and any(getattr(record, "step", 0) in {17, 400} for record in what):
            raise RefusedError("bad step")

    run, told = FakeRun(fails), []
    for event in (*metrics(*range(500)), FINISH):
        spool.append(event)
    sending = delivery(spool.folder, run, told)
    sending.advance()
    assert sending.complete
    good = [step for step in range(500) if step not in {17, 400}]
    assert [sample.step for sample in run.samples] == good
    assert told == ["bad step"]
    found = refused(spool.folder)
    assert [reason for reason, _ in found] == ["bad step"] * 2
    assert ["step=17" in found[0][1], "step=400" in found[1][1]] == [True, True]
    assert len(run.all("log")) < 50  # found by halves, not one by one


@pytest.mark.parametrize("kind", ["dataset", "finish", "file", "image"])
def test_each_kind_can_be_refused(spool, tmp_path, kind):
    def fails(asked, what):
        if asked == kind:
            raise RefusedError("never")

    (tmp_path / "a").write_text("a")
    spool.keep(tmp_path / "a", "")
    spool.keep_pixels(np.zeros((1, 1, 3), np.uint8), "k")
    for event in (Dataset(1, "d", "e", "f"), Artifact(1, "a"), Image(1, "i", 0, "k"), FINISH):
        spool.append(event)
    run, told = FakeRun(fails), []
    sending = delivery(spool.folder, run, told)
    sending.advance()
    assert sending.complete
    assert told == ["never"]
    assert {asked for asked, _ in run.told} == {"log", "dataset", "finish", "file", "image"} - {
        kind
    }


def test_nothing_more_is_sent_to_a_run_that_is_deleted(spool):
    def fails(kind, what):
        if deleted:
            raise GoneError("deleted")

    deleted = False
    run, told = FakeRun(fails), []
    sending = delivery(spool.folder, run, told)
    spool.append(metrics(1)[0])
    sending.advance()
    deleted = True
    for event in metrics(2, 3):
        spool.append(event)
        sending.advance()
    assert told == ["deleted"]
    assert sending.complete
    assert [sample.step for sample in run.samples] == [1]
    assert len(refused(spool.folder)) == 1


def test_a_line_that_is_no_event_is_set_aside(spool):
    with (spool.folder / JOURNAL).open("ab") as file:
        file.write(b"\0\0\n")
    spool.append(FINISH)
    run, told = FakeRun(), []
    sending = delivery(spool.folder, run, told)
    sending.advance()
    assert sending.complete
    assert told == ["no event that is known here"]


@pytest.mark.parametrize("lost", ["files/a", "images/k.npy"])
def test_a_file_that_the_disk_lost_is_set_aside(spool, tmp_path, lost):
    (tmp_path / "a").write_text("a")
    spool.keep(tmp_path / "a", "")
    spool.keep_pixels(np.zeros((1, 1, 3), np.uint8), "k")
    for event in (Artifact(1, "a"), Image(1, "i", 0, "k"), FINISH):
        spool.append(event)
    (spool.folder / lost).unlink()
    told = []
    sending = delivery(spool.folder, FakeRun(), told)
    sending.advance()
    assert sending.complete
    assert len(told) == 1


def test_a_stage_that_vanished_was_killed(tmp_path):
    folder = spooled(tmp_path, *metrics(1))
    os.utime(folder / JOURNAL, (5, 5))
    run = FakeRun()
    sending = delivery(folder, run)
    sending.advance()
    assert run.all("finish") == []
    sending.advance(abandoned=True)
    assert run.all("finish") == [("KILLED", VANISHED, 5000)]
    assert sending.complete
    delivery(folder, run).advance(abandoned=True)
    assert len(run.all("finish")) == 1


def test_a_stage_that_ended_by_itself_keeps_its_status(tmp_path):
    run = FakeRun()
    delivery(spooled(tmp_path, FINISH), run).advance(abandoned=True)
    assert run.all("finish") == [("FINISHED", "", 99)]


def test_a_file_that_dvc_has_protected_is_sent_as_a_copy(spool, tmp_path):
    """MLflow copies the rights along, and could not replace its copy later."""
    rights = []

    class Copying(FakeRun):
        def log_file(self, path, folder):
            rights.append(path.stat().st_mode & stat.S_IWUSR)
            super().log_file(path, folder)

    (tmp_path / "a").write_text("a")
    spool.keep(tmp_path / "a", "")
    (spool.folder / FILES / "a").chmod(0o444)
    spool.append(Artifact(1, "a"))
    run = Copying()
    delivery(spool.folder, run).advance()
    assert rights == [stat.S_IWUSR]
    assert run.all("file") == [("", "a", "a")]
    assert [path.name for path in (spool.folder / FILES).iterdir()] == ["a"]


def test_a_spool_that_cannot_be_written_is_a_failure_like_others(spool, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    run = FakeRun()
    spool.append(metrics(1)[0])
    sending = delivery(spool.folder, run)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "save", full)
        with pytest.raises(UnavailableError, match="OSError: No space left"):
            sending.advance()
    sending.advance()
    assert {sample.step for sample in run.samples} == {1}
