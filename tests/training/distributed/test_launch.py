import socket

import pytest

from ssdcore.core.errors import InputError
from ssdcore.params.reader import read_params
from ssdcore.training.distributed.launch import NODE_RANK, is_first, is_launcher, launch
from ssdcore.training.distributed.worker import ROLE


@pytest.fixture
def runtime(request):
    defaults = read_params(request.config.rootpath / "params.yaml").runtime
    return lambda **changes: defaults.model_copy(update=changes)


def test_only_the_first_process_starts_others(runtime, monkeypatch):
    monkeypatch.delenv(ROLE, raising=False)
    assert not is_launcher(runtime())
    assert is_launcher(runtime(devices=2))
    assert is_launcher(runtime(machines=2, master="10.0.0.1:8118"))
    monkeypatch.setenv(ROLE, "MS_WORKER")
    assert not is_launcher(runtime(devices=2))


@pytest.mark.parametrize(
    ("machines", "number", "first"),
    [(1, None, True), (1, "1", True), (1, "first", True), (2, "00", True), (2, "1", False)],
)
def test_one_process_of_a_training_locks_its_outs(runtime, monkeypatch, machines, number, first):
    """With one machine, its number has no meaning."""
    monkeypatch.delenv(ROLE, raising=False)
    monkeypatch.delenv(NODE_RANK, raising=False)
    if number is not None:
        monkeypatch.setenv(NODE_RANK, number)
    assert is_first(runtime(machines=machines)) == first
    monkeypatch.setenv(ROLE, "MS_WORKER")
    assert not is_first(runtime(machines=machines))


@pytest.mark.parametrize("number", [None, "", "-1", "2", "first"])
def test_a_machine_without_its_number_is_refused(runtime, monkeypatch, tmp_path, number):
    monkeypatch.delenv(NODE_RANK, raising=False)
    if number is not None:
        monkeypatch.setenv(NODE_RANK, number)
    two = runtime(machines=2, master="127.0.0.1:8118")
    with pytest.raises(InputError, match=r"SSD_NODE_RANK.*0 to 1.*SSD_NODE_RANK=0"):
        launch("no.module", [], two, tmp_path)


def test_a_taken_port_is_refused_on_the_first_machine(runtime, monkeypatch, tmp_path):
    monkeypatch.setenv(NODE_RANK, "0")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        two = runtime(machines=2, master=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(InputError, match=r"runtime\.master: found .*expected a free port"):
            launch("no.module", [], two, tmp_path)
