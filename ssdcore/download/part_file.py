"""What has come of a file so far, in a form that outlives the process."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ssdcore.core.files import write_json
from ssdcore.download.source import NOTHING, Beginning


class PartFile:
    """The bytes `.<name>.part` and the note `.<name>.part.json`, beside the target.

    Bytes without a note, or with one about more or other bytes, count as nothing: the note is
    written before the first byte and never changed.

    Args:
        target: the name that the whole file is to have.
        address: where it comes from; the note of another address does not count.
    """

    def __init__(self, target: Path, address: str) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self._target, self._address = target, address
        self._note = target.with_name(f".{target.name}.part.json")

    def kept(self) -> Beginning:
        """Returns what is there."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            have = self.path.stat().st_size
            size, version = note["size"], str(note["version"])
            fits = note["address"] == self._address and (size is None or have <= int(size))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return NOTHING  # nothing yet, or no note of ours
        return Beginning(have, size, version) if fits else NOTHING

    def begin(self, size: int | None, version: str) -> None:
        """Starts over, for a file of so many bytes and such a version."""
        self.drop()
        write_json(self._note, {"address": self._address, "size": size, "version": version})
        self.path.touch()

    @contextmanager
    def appending(self) -> Iterator[BinaryIO]:
        """Yields the bytes, open for more; on the disk when done, with an error too."""
        with self.path.open("ab") as file:
            try:
                yield file
            finally:
                file.flush()
                os.fsync(file.fileno())

    def drop(self) -> None:
        """Removes bytes and note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become_target(self) -> None:
        """Gives the bytes, which are whole, their name."""
        self.path.replace(self._target)
        self._note.unlink(missing_ok=True)
