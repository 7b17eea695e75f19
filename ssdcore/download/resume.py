"""Fetches a file in several attempts; each resumes where the previous one stopped.

Downloaded bytes are kept when the process ends: the next run resumes like the next attempt.
"""

import os
import shutil
from pathlib import Path
from random import Random
from time import sleep

from ssdcore.core.errors import InputError
from ssdcore.core.files import read_json, write_json
from ssdcore.core.messages import say
from ssdcore.core.progress import Progress, format_bytes
from ssdcore.download.streams import NOTHING, FetchError, Kept, Stream, open_stream

ATTEMPTS = 8
"""Consecutive attempts without a new byte after which the fetch fails."""
BACKOFF_S = 1.0
"""Maximum pause after the first of them; it doubles each time up to `MAX_PAUSE_S`."""
MAX_PAUSE_S = 60.0
MAX_RETRY_AFTER_S = 600.0
"""Maximum wait that a server may ask for with Retry-After."""
FREE_BYTES = 256 << 20
"""Disk space to leave free."""


class PartFile:
    """The bytes `.<name>.part` and the note `.<name>.part.json`, beside the target.

    The note is written before the first byte and never changed. Bytes without a note, or with one
    of another address or a smaller file, are ignored.
    """

    def __init__(self, target: Path, address: str) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._target, self._address = target, address
        self._note = target.with_name(f".{target.name}.part.json")

    def kept(self) -> Kept:
        """Returns what earlier attempts fetched."""
        try:
            note = read_json(self._note)
            have = self.path.stat().st_size
            size, version = note["size"], str(note["version"])
            fits = note["address"] == self._address and (size is None or have <= int(size))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return NOTHING  # no bytes yet, or a damaged note
        return Kept(have, size, version) if fits else NOTHING

    def start(self, size: int | None, version: str) -> None:
        """Starts over with no bytes, for a file of this size and version."""
        self.drop()
        write_json(self._note, {"address": self._address, "size": size, "version": version})
        self.path.touch()

    def append(self, stream: Stream, progress: Progress) -> int:
        """Writes the stream to the disk, up to the first piece beyond its size.

        The bytes are flushed to the disk after an error, too.

        Returns:
            The bytes in the file.
        """
        end = stream.start
        with self.path.open("ab") as file:
            try:
                for piece in stream.pieces:
                    file.write(piece)
                    end += len(piece)
                    progress.advance(len(piece))
                    if stream.size is not None and end > stream.size:
                        break
            finally:
                file.flush()
                os.fsync(file.fileno())
        return end

    def drop(self) -> None:
        """Removes bytes and note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self) -> None:
        """Renames the complete file to the target."""
        self.path.replace(self._target)
        self._note.unlink(missing_ok=True)


def fetch(address: str, part: PartFile, name: str, key: str) -> bool:
    """Fetches all of `address` into `part`; prints progress and failures under `name`.

    Returns:
        Whether one attempt brought all bytes, so that they cannot come from two versions.

    Raises:
        InputError: about the parameter `key`: the file cannot be fetched, or the disk is too
            small. The bytes that arrived stay in `part`.
        OSError: `part` cannot be written.
    """
    most, fruitless, rng = part.kept().have, 0, Random()
    while True:
        try:
            return _attempt(address, part, name, key)
        except FetchError as error:
            have = part.kept().have
            fruitless = 0 if have > most else fruitless + 1
            most = max(have, most)
            too_long = error.wait_s > MAX_RETRY_AFTER_S
            if too_long or not error.again or fruitless >= ATTEMPTS:
                raise _failure(error, address, part, key) from error
            # random, so that the clients of a server that was down do not return all at once
            limit_s = min(BACKOFF_S * 2 ** max(fruitless - 1, 0), MAX_PAUSE_S)
            pause_s = max(rng.uniform(limit_s / 2, limit_s), error.wait_s)
            say(f"{name}: {error}; next attempt in {pause_s:.1f} s")
            sleep(pause_s)


def _attempt(address: str, part: PartFile, name: str, key: str) -> bool:
    """Fetches the missing bytes; returns whether those were all."""
    kept = part.kept()
    if kept.have == kept.size:
        return False  # the last run ended before it renamed the file
    with open_stream(address, kept) as stream:
        if stream.start == 0:
            part.start(stream.size, stream.version)
        if stream.size is not None:
            _require_space(part.path.parent, stream.size - stream.start, address, key)
        with Progress(stream.size, stream.start, file=name) as progress:
            end = part.append(stream, progress)
    if stream.size is not None and end > stream.size:
        part.drop()
        raise FetchError(f"more bytes arrived than the {stream.size} announced", again=True)
    if stream.size is not None and end < stream.size:
        raise FetchError(f"broke off after {end} of {stream.size} bytes", again=True)
    return stream.start == 0


def _require_space(folder: Path, needed: int, address: str, key: str) -> None:
    """Refuses to start a download that does not fit on the disk."""
    free, wanted = shutil.disk_usage(folder).free, needed + FREE_BYTES
    if free < wanted:
        found = f"{format_bytes(free)} free in {folder} for {format_bytes(needed)} of {address}"
        remedy = "Free some space, or set XDG_CACHE_HOME to a folder on a larger disk"
        raise InputError(key, found, f"at least {format_bytes(wanted)} free", remedy)


def _failure(error: FetchError, address: str, part: PartFile, key: str) -> InputError:
    remedy = "Fix the address or the connection, or download the file and give its path"
    if have := part.kept().have:
        kept = f"{format_bytes(have)} are in {part.path}"
        remedy += f". {kept}: the next run resumes there, or starts over if you delete the file"
    return InputError(key, address, f"a file that can be fetched ({error})", remedy)
