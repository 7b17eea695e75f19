"""Damages valid files at random, and finds the readers that fail on them."""

import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from ssdcore.core.errors import InputError

LIMIT_S = 5.0
MOST_CHANGES = 4  # in one copy
TOKENS = tuple(  # what parsers stumble over
    b"\0,\xff\xfe,\r,\n,[,],{,},(,:,&a ,*a,!!int ,%,',\",\\u,<,</,>,<!--,<![CDATA[,&#0;,&#xD800;,"
    b"-1,1e999,NaN,9999999999999999999999,null,true,0x1F,PK\x01\x02,PK\x03\x04,\xef\xbb\xbf,\x1b["
    .split(b",")
)  # fmt: skip


class Reader(NamedTuple):
    """A reader of users' files: name and bytes of a small intact file, and what reads its path."""

    file_name: str
    valid: bytes
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...] = (InputError,)  # what it may raise


class TooSlow(BaseException):
    """No Exception, so that no reader catches it."""


def mutations(data, count, seed=1):
    """Yields `count` damaged copies of `data`, the same for the same seed."""
    rng = Random(seed)
    for _ in range(count):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, MOST_CHANGES)):
            start = rng.randint(0, len(damaged))
            end = min(start + rng.choice((1, 1, 4, 30)), len(damaged))
            match rng.randrange(7):
                case 0 if damaged:  # flip a bit
                    damaged[min(start, len(damaged) - 1)] ^= 1 << rng.randrange(8)
                case 1:  # overwrite
                    damaged[start:end] = rng.randbytes(end - start)
                case 2:  # leave out
                    del damaged[start:end]
                case 3:  # repeat
                    damaged[start:start] = bytes(damaged[start:end]) * rng.choice((1, 3, 1000))
                case 4:  # cut off
                    if rng.random() < 0.3:
                        del damaged[start:]
                case 5:  # insert
                    damaged[start:start] = rng.choice(TOKENS) * rng.choice((1, 1, 2, 3000))
                case _:  # replace
                    damaged[start:end] = rng.choice(TOKENS)
        yield bytes(damaged)


def faults(reader, count, folder):
    """Yields a line for each damaged copy that the reader fails on; leaves that copy in `folder`.

    Needs the main thread: an alarm ends a reader that hangs.
    """
    for number, data in enumerate(mutations(reader.valid, count)):
        path = folder / f"{number}-{reader.file_name}"
        path.write_bytes(data)
        try:
            with time_limit(LIMIT_S):
                reader.read(path)
        except reader.errors:
            pass
        except (Exception, TooSlow) as error:
            yield f"{path}: {type(error).__name__}: {error}"[:300]
            continue
        path.unlink(missing_ok=True)


@contextmanager
def time_limit(seconds):
    def stop(*_):
        raise TooSlow(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
