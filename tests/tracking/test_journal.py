"""Reading a journal that others write, and crash at."""

import pytest

from ssdcore.tracking.events import Tags, dump
from ssdcore.tracking.journal import Progress, read
from ssdcore.tracking.spool import DELIVERED, JOURNAL
from tests.tracking.spools import opening, spooled

FIRST, SECOND = Tags(1, {"a": "1"}), Tags(2, {"b": "2"})


def test_reading_goes_on_where_it_stopped(tmp_path):
    folder = spooled(tmp_path, FIRST, SECOND)
    entries = list(read(folder))
    assert [entry.event for entry in entries] == [opening(), FIRST, SECOND]
    assert [entry.start for entry in entries[1:]] == [entry.end for entry in entries[:-1]]
    assert entries[-1].end == (folder / JOURNAL).stat().st_size
    assert [entry.event for entry in read(folder, entries[1].start)] == [FIRST, SECOND]
    assert list(read(folder, entries[-1].end)) == []


@pytest.mark.parametrize("cut", [1, 10, len(dump(SECOND)) - 1])
def test_a_line_without_its_end_waits_for_it(tmp_path, cut):
    folder = spooled(tmp_path, FIRST)
    whole = list(read(folder))
    with (folder / JOURNAL).open("ab") as file:
        file.write(dump(SECOND)[:cut])
    assert list(read(folder)) == whole
    with (folder / JOURNAL).open("ab") as file:
        file.write(dump(SECOND)[cut:])
    assert [entry.event for entry in read(folder, whole[-1].end)] == [SECOND]


def test_what_is_no_event_is_passed_by(tmp_path):
    folder = spooled(tmp_path)
    with (folder / JOURNAL).open("ab") as file:
        file.write(b"\0\0\0\n" + dump(FIRST))
    assert [entry.event for entry in read(folder)] == [opening(), None, FIRST]


def test_progress_is_kept(tmp_path):
    progress = Progress("r", 12, [3, 4], ended=True, stored={"a": [1, 2, 3]})
    progress.save(tmp_path)
    assert Progress.of(tmp_path) == progress


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"colour": 1}'])
def test_without_readable_progress_all_is_sent_again(tmp_path, text):
    if text is not None:
        (tmp_path / DELIVERED).write_text(text)
    assert Progress.of(tmp_path) == Progress("", 0, [], ended=False)
