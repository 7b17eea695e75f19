"""The exchange between processes that train together, of one process alone."""

from ssdcore.training.distributed.group import ALONE, Group


def test_one_process_communicates_with_nobody():
    assert ALONE.is_writer
    assert not Group(1, 2).is_writer
    assert ALONE.gather("value") == ["value"]
    assert ALONE.any(True, False) == [True, False]
    ALONE.require_same("a", b"1")
