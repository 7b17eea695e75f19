"""The attempts at fetching a file: each goes on where the one before it stopped."""

import shutil
from pathlib import Path
from random import Random
from time import sleep

from ssdcore.core.errors import InputError
from ssdcore.core.progress import ByteProgress, format_bytes
from ssdcore.download.part_file import PartFile
from ssdcore.download.source import FetchError, Source, Stream

ATTEMPTS = 8
"""Attempts in a row that bring nothing new before it is given up."""
BACKOFF_S = 1.0
"""Longest pause after the first of them; it doubles with each up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 60.0
PATIENCE_S = 600.0
"""Longest wait that a server may ask for with Retry-After."""
MARGIN = 256 << 20
"""Bytes that are to stay free on the disk."""


def fetch(source: Source, address: str, part: PartFile, name: str, key: str) -> bool:
    """Fetches all of `address` into `part`; says so, and how far it is, as `name`.

    Returns:
        Whether all bytes came in one attempt, so that none can be of another version.

    Raises:
        InputError: with place `key`: not to be had, or the disk is too small. What has come
            stays in `part`.
        OSError: `part` can't be written.
    """
    furthest, fruitless, dice = part.kept().have, 0, Random()
    with ByteProgress(name) as progress:
        while True:
            try:
                return _attempt(source, address, part, progress, key)
            except FetchError as error:
                have = part.kept().have
                fruitless = 0 if have > furthest else fruitless + 1
                furthest = max(have, furthest)
                too_long = error.wait_s > PATIENCE_S
                if too_long or not error.again or fruitless >= ATTEMPTS:
                    raise _given_up(error, address, part, key) from error
                # half of it by chance: many clients of a server that was down come one by one
                most = min(BACKOFF_S * 2 ** max(fruitless - 1, 0), LONGEST_PAUSE_S)
                pause = max(dice.uniform(most / 2, most), error.wait_s)
                progress.say(f"{name}: {error}; next attempt in {pause:.1f} s")
                sleep(pause)


def _attempt(
    source: Source, address: str, part: PartFile, progress: ByteProgress, key: str
) -> bool:
    """Fetches what is missing; returns whether that was everything."""
    kept = part.kept()
    if kept.have == kept.size:
        return False  # ended between the last byte and the renaming
    with source(address, kept) as stream:
        if stream.start == 0:
            part.begin(stream.size, stream.version)
        if stream.size is not None:
            _require_space(part.path.parent, stream.size - stream.start, address, key)
        progress.start_at(stream.start, stream.size)
        came = _append(stream, part, progress)
    end = stream.start + came
    if stream.size is not None and end > stream.size:
        part.drop()
        raise FetchError(f"more bytes came than the {stream.size} announced", again=True)
    if stream.size is not None and end < stream.size:
        raise FetchError(f"broke off after {end} of {stream.size} bytes", again=True)
    return stream.start == 0


def _append(stream: Stream, part: PartFile, progress: ByteProgress) -> int:
    """Writes the pieces to the part file, up to the first that is too much; returns the bytes."""
    came = 0
    with part.appending() as file:
        for piece in stream.pieces:
            file.write(piece)
            came += len(piece)
            progress.advance(len(piece))
            if stream.size is not None and stream.start + came > stream.size:
                break
    return came


def _require_space(folder: Path, needed: int, address: str, key: str) -> None:
    """Refuses to begin what can't be finished."""
    free, wanted = shutil.disk_usage(folder).free, needed + MARGIN
    if free < wanted:
        left = f"{format_bytes(free)} free in {folder} for {format_bytes(needed)} of {address}"
        remedy = "Make room, or set XDG_CACHE_HOME to a folder on a larger disk"
        raise InputError(key, left, f"at least {format_bytes(wanted)} free", remedy)


def _given_up(error: FetchError, address: str, part: PartFile, key: str) -> InputError:
    remedy = "Mend the address or the connection, or download the file and give its path"
    if have := part.kept().have:
        kept = f"{format_bytes(have)} are in {part.path}"
        remedy += f". {kept}: the next run goes on from there, or from the start if you delete it"
    return InputError(key, address, f"a file that can be fetched ({error})", remedy)
