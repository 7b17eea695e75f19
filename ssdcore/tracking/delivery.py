"""One spool's way to its store: in order, again where it is not sure, and past what is refused."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ssdcore.tracking.context import STAGE_TAG
from ssdcore.tracking.events import Artifact, Dataset, Finish, Image, Metrics, Open, Tags
from ssdcore.tracking.journal import Entry, Progress, batches, read
from ssdcore.tracking.kept import load_pixels, sendable, version_of
from ssdcore.tracking.pace import Pace
from ssdcore.tracking.receiver import Connect, GoneError, Receiver, RefusedError, UnavailableError
from ssdcore.tracking.spool import FILES, IMAGES, JOURNAL, REFUSED
from ssdcore.tracking.values import Param, Record, Tag

VANISHED = "the process ended without a word: it was killed, or the machine stopped"


class FilesUnavailableError(UnavailableError):
    """All was stored but files or images, which can't be now."""


class Delivery:
    """Sends a spool as far as it is written; repeated as it grows, or after a failure.

    Files that can't be stored now (the disk for artifacts is full) don't hold up the rest: they
    are tried again at the next call. What the store refuses for good goes to refused.jsonl.

    Args:
        folder: the spool.
        opening: its first event.
        connect: opens the run, or goes on with it.
        pace: is told of every question.
        on_refused: called with the reason when the first thing is refused.
    """

    def __init__(
        self,
        folder: Path,
        opening: Open,
        connect: Connect,
        pace: Pace,
        on_refused: Callable[[str], None],
    ) -> None:
        self._folder, self._opening, self._connect = folder, opening, connect
        self._pace, self._on_refused = pace, on_refused
        self._progress = Progress.of(folder)
        self._receiver: Receiver | None = None
        self._gone = self._told = False
        self._files_trouble = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is left that the store may yet take."""
        return self._gone or (self._progress.ended and not self._progress.deferred)

    def advance(self, *, files: bool = True, abandoned: bool = False) -> None:
        """Sends what the journal has by now.

        Args:
            files: False leaves files and images for later.
            abandoned: whether the stage is gone: a run that it did not end is ended as KILLED.

        Raises:
            UnavailableError: the rest has to wait.
            FilesUnavailableError: only files have to.
        """
        if self._gone:
            return
        try:
            self._files_trouble = "" if files else "left for later"
            self._send_deferred()
            for batch in batches(read(self._folder, self._progress.offset)):
                self._send(batch)
                self._progress.offset = batch[-1].end
                self._progress.save(self._folder)
            if abandoned and not self._progress.ended:
                written_s = (self._folder / JOURNAL).stat().st_mtime
                self._finish(Finish(int(written_s * 1000), "KILLED", VANISHED))
                self._progress.save(self._folder)
        except GoneError as error:
            self._gone = True
            self._set_aside(f"all from byte {self._progress.offset} of {JOURNAL} on", error)
        except OSError as error:  # of the spool; those of the store are UnavailableError by now
            raise UnavailableError(f"{type(error).__name__}: {error}") from error
        if self._progress.deferred and not self._gone:
            raise FilesUnavailableError(self._files_trouble)

    def _send_deferred(self) -> None:
        for start in list(self._progress.deferred):
            if self._stored(next(read(self._folder, start))):
                self._progress.deferred.remove(start)
                self._progress.save(self._folder)

    def _send(self, batch: Sequence[Entry]) -> None:
        entry, run = batch[0], self._run
        match entry.event:
            case Open():
                self._open(run)
            case Metrics():
                self._log([sample for one in batch for sample in one.samples])
            case Tags(tags=tags):
                self._log([Tag(*item) for item in tags.items()])
            case Dataset(name=name, digest=digest, source=source):
                with self._asking(entry.event):
                    run.log_dataset(name, digest, source, self._opening.stage)
            case Artifact() | Image():
                if not self._stored(entry):
                    self._progress.deferred.append(entry.start)
            case Finish():
                self._finish(entry.event)
            case None:
                line = f"bytes {entry.start} to {entry.end} of {JOURNAL}"
                self._set_aside(line, RefusedError("no event that is known here"))

    @property
    def _run(self) -> Receiver:
        """The run; the first question for it opens it, which takes longer than others."""
        if self._receiver is None:
            self._receiver = self._connect(self._opening, self._progress.run_id)
        return self._receiver

    def _open(self, run: Receiver) -> None:
        """Tells the run of its stage; what it knows already stays as it is.

        But for the origin of a stage that was interrupted: it goes on in another experiment.
        """
        opening, self._progress.run_id = self._opening, run.run_id
        stages = [*filter(None, run.tags.get(STAGE_TAG, "").split(",")), opening.stage]
        known = {} if opening.resumes else run.tags
        tags = {name: value for name, value in opening.tags.items() if name not in known}
        tags[STAGE_TAG] = ",".join(dict.fromkeys(stages))
        params = [Param(*item) for item in opening.params.items() if item[0] not in run.params]
        self._log([*params, *(Tag(*item) for item in tags.items())])

    def _log(self, records: Sequence[Record]) -> None:
        """Sends records in one request; where it is refused, halves find what to set aside."""
        run = self._run
        try:
            with self._pace.asking():
                run.log(records)
        except RefusedError as error:
            if len(records) == 1:
                self._set_aside(records[0], error)
                return
            half = len(records) // 2
            self._log(records[:half])
            self._log(records[half:])

    def _finish(self, event: Finish) -> None:
        run = self._run
        with self._asking(event):
            run.finish(event.status, event.error, event.time_ms)
        self._progress.ended = True

    def _stored(self, entry: Entry) -> bool:
        """Says whether a file or image is in the store, or refused, rather than to be deferred."""
        if self._files_trouble:
            return False
        try:
            match entry.event:
                case Artifact(path=path):
                    self._send_file(path)
                case Image(time_ms=time_ms, name=name, step=step, key=key):
                    pixels = load_pixels(self._folder / IMAGES / f"{key}.npy")
                    self._run.log_image(pixels, name, step, time_ms, key)
        except RefusedError as error:
            self._set_aside(entry.event, error)
        except UnavailableError as error:
            self._files_trouble = str(error)
            return False
        return True

    def _send_file(self, path: str) -> None:
        """Sends what is kept under `path`; not again where that is what was sent last.

        The spool keeps the newest file only, so after a long outage the first of many events sends
        what all of them tell of.
        """
        kept = self._folder / FILES / path
        with sendable(kept) as file:
            version = version_of(kept)
            if self._progress.stored.get(path) != version:
                folder = str(PurePosixPath(path).parent)
                self._run.log_file(file, "" if folder == "." else folder)
                self._progress.stored[path] = version

    @contextmanager
    def _asking(self, what: object) -> Iterator[None]:
        try:
            with self._pace.asking():
                yield
        except RefusedError as error:
            self._set_aside(what, error)

    def _set_aside(self, what: object, error: Exception) -> None:
        line = json.dumps({"reason": str(error), "refused": str(what)})
        with (self._folder / REFUSED).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if not self._told:
            self._told = True
            self._on_refused(str(error))
