import socket

import pytest

from ssdcore.core.errors import InputError
from ssdcore.params.reader import read_params
from ssdcore.training.distributed import launch as module
from ssdcore.training.distributed.launch import NODE_RANK, is_to_launch
from ssdcore.training.distributed.worker import ROLE


@pytest.fixture
def runtime(request):
    defaults = read_params(request.config.rootpath / "params.yaml").runtime
    return lambda **changes: defaults.model_copy(update=changes)


def test_only_the_first_process_of_several_starts_others(runtime, monkeypatch):
    monkeypatch.delenv(ROLE, raising=False)
    assert not is_to_launch(runtime())
    assert is_to_launch(runtime(devices=2))
    assert is_to_launch(runtime(machines=2, master="10.0.0.1:8118"))
    monkeypatch.setenv(ROLE, "MS_WORKER")
    assert not is_to_launch(runtime(devices=2))


@pytest.mark.parametrize("given", [None, "", "-1", "2", "first"])
def test_a_machine_without_its_number_is_refused(monkeypatch, given):
    monkeypatch.delenv(NODE_RANK, raising=False)
    if given is not None:
        monkeypatch.setenv(NODE_RANK, given)
    with pytest.raises(InputError, match=r"SSD_NODE_RANK.*0 to 1.*SSD_NODE_RANK=0"):
        module._node_rank(2)
    assert module._node_rank(1) == 0


def test_the_number_is_read(monkeypatch):
    monkeypatch.setenv(NODE_RANK, "1")
    assert module._node_rank(2) == 1


def test_a_taken_port_is_refused_on_the_first_machine_and_met_on_the_others():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=r"runtime\.master: found .*expected a free port"):
            module._meeting_point(f"127.0.0.1:{port}", node_rank=0)
        assert module._meeting_point(f"127.0.0.1:{port}", node_rank=1) == ("127.0.0.1", port)


def test_one_machine_takes_a_free_port():
    host, port = module._meeting_point(None, 0)
    with socket.socket() as probe:
        probe.bind((host, port))
