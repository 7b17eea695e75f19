import shutil

import mindspore  # noqa: F401  # before MLflow: the other order aborts Python
import pytest

from ssdcore.tracking.spool import JOURNAL, spools
from tests.project import HEAVY, ROOT, loaded, run_inside, stage, stage_inside
from tests.tracking.spools import FINISH, STORE, metrics, open_spool, spooled


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ".dvc").mkdir()
    return tmp_path


@pytest.fixture
def store(repository, database):
    shutil.copy(database, repository)
    return "sqlite:///mlflow.db"


def test_an_unknown_word_is_a_usage_error(repository):
    done = stage(repository, "doctor", "heal")
    assert done.returncode == 2
    assert "heal" in done.stderr


def test_nothing_to_send_needs_no_mlflow(repository):
    status, lines, packages = loaded(repository, "doctor", "sync")
    assert (status, lines) == (0, ["Nothing to send."])
    assert not packages & HEAVY
    assert [path.name for path in repository.iterdir()] == [".dvc"]


def test_what_is_sent_is_listed_and_what_is_left_is_one_line_and_status_1(repository, store):
    fields = {"store": store}
    sent = [
        spooled(repository, *metrics(1), FINISH, **fields),
        spooled(repository, FINISH, stage="report", **fields),
    ]
    left = [spooled(repository, FINISH), spooled(repository, FINISH, stage="report")]
    running = open_spool(repository, stage="evaluate", **fields)
    done = stage_inside(repository, "doctor", "sync")
    running.close()
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{sent[0].name}: sent",
        f"{sent[1].name}: sent",
        f"{running.folder.name}: its stage is running and uploads it",
    ]
    assert STORE.startswith("http://127.0.0.1")
    assert done.stderr.startswith(
        f"left in .ssd/tracking: {left[0].name}, {left[1].name} (ConnectionRefusedError"
    )
    assert done.stderr.count("\n") == 1
    assert spools(repository) == [*left, running.folder]


def test_what_is_refused_is_told_once(repository, store):
    folder = spooled(repository, FINISH, store=store)
    (folder / JOURNAL).write_bytes(b"\0\n")
    done = stage_inside(repository, "doctor", "sync")
    assert (done.exit_code, done.stderr) == (0, "")
    (kept,) = spools(repository, refused=True)
    assert done.stdout == (
        f"{folder.name}: the store rejected part of it ({JOURNAL} has no beginning); "
        f"saved in {kept}\n"
    )
    assert run_inside(repository, "doctor", "sync") == "Nothing to send.\n"


def test_every_check_prints_a_line(repository):
    text = (ROOT / "params.yaml").read_text()
    (repository / "mine.yaml").write_text(text.replace("parity_images", "parity_pictures"))
    done = stage_inside(repository, "doctor", "--params", "mine.yaml")
    lines = [line.split(None, 1) for line in done.stdout.replace("to do", "todo").splitlines()]
    grades = {text.split(":")[0]: grade for grade, text in lines}
    assert list(grades) == [
        "Python", "packages", "OpenCV", "disk", "git", "parameters", "device", "model", "data",
        "DVC", "MLflow",
    ]  # fmt: skip
    assert "mine.yaml, data set shapes" in done.stdout
    assert grades["packages"] == "error"  # there is no requirements.lock here
    assert grades["parameters"] == grades["device"] == grades["MLflow"] == "ok"
    assert grades["model"] == grades["data"] == "todo"
    assert "model: no model/best.ckpt yet. Run dvc repro.\n" in done.stdout
    errors = sum(grade == "error" for grade in grades.values())
    assert done.exit_code == 1
    note = "export.parity_pictures is now export.parity_images."
    assert done.stderr == f"mine.yaml: {note}\n{errors} to fix\n"
