"""Events on their way through a line of text."""

import math

import pytest

from ssdcore.tracking.events import (
    KINDS,
    Artifact,
    Dataset,
    Finish,
    Image,
    Metrics,
    Open,
    Tags,
    dump,
    load,
)
from tests.tracking.spools import opening

EVENTS = [
    opening(name="furry-paws", params={"häst": "[1, 2]"}, join={"a": "b"}, resumes=True),
    Metrics(1, 2, {"AP/машина": 0.1 + 0.2, "big": -1e300}),
    Tags(1, {"note": "two\nlines"}),
    Dataset(1, "shapes", "c0ffee", "data/raw"),
    Artifact(1, "model/best.ckpt"),
    Image(1, "gallery/00", 3, "k"),
    Finish(1, "FAILED", "ValueError: \udcff"),
]


@pytest.mark.parametrize("event", EVENTS, ids=[type(event).__name__ for event in EVENTS])
def test_an_event_is_one_line_and_comes_back_the_same(event):
    line = dump(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert load(line) == event


def test_all_kinds_are_tried_above():
    assert {type(event) for event in EVENTS} == set(KINDS.values())


def test_nan_comes_back():
    event = load(dump(Metrics(1, 2, {"loss": math.nan})))
    assert isinstance(event, Metrics)
    assert math.isnan(event.values["loss"])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0\0\0\n",
        b"[1]\n",
        b'"text"\n',
        b'{"step": 1}\n',
        b'{"event": "Dance", "time_ms": 1}\n',
        b'{"event": "Tags", "time_ms": 1}\n',
        b'{"event": "Tags", "time_ms": 1, "tags": {}, "colour": "red"}\n',
        b'{"event": "Tags", "time_m',
    ],
)
def test_what_is_no_event_is_said_so(line):
    with pytest.raises(ValueError, match="no event"):
        load(line)


@pytest.mark.parametrize(
    ("fields", "follows"), [({}, False), ({"join": {"a": "b"}}, True), ({"resumes": True}, True)]
)
def test_which_runs_go_on_with_an_older_one(fields, follows):
    assert opening(**fields).follows is follows
    assert isinstance(opening(), Open)
