"""The run as a stage uses it. It never stops or slows the stage."""

from __future__ import annotations

import io
import json
import math
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from ssdcore.core.errors import Stopped
from ssdcore.core.experiment import experiment_tags, mark_as_tracked
from ssdcore.tracking.context import MODEL_TAG, identity, provenance, run_name
from ssdcore.tracking.names import MAX_TAG, cut, flatten, safe_name
from ssdcore.tracking.spool import HOME, Spool
from ssdcore.tracking.store import REMEDY, locate, root_folder, warn
from ssdcore.tracking.upload_process import UploadProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGE_NAME = 150  # characters; a hundred more follow in the file name
THUMBNAIL_PX = (256, 256)
MAX_WAITING = 10_000
"""Events that wait in memory while the disk is full."""


@contextmanager
def tracked(
    stage: str,
    *,
    params: Mapping[str, Any],
    experiment: str,
    model_sha256: str = "",
    device: str = "",
    enabled: bool = True,
    key: str = "",
) -> Iterator[Run]:
    """Opens the run of a stage and ends it with the block.

    One run spans the stages of an experiment. Train opens a run and marks it by `Run.set_model`; a
    stage that names the model joins the newest run with that model and these parameters, or opens
    its own if there is none. In a DVC experiment it joins only that experiment's run.

    The stage writes events to a spool on disk, in microseconds, and a separate process uploads them
    to MLflow. If that fails, one warning says so, and the next stage or `sender.sync` uploads them.
    The end of the block waits for the upload 10 s at most, 2 s if the store is slow, or 3% of the
    time that the run was open if that is more, and for the import of MLflow; it doesn't wait for a
    store that can't be reached.

    The run ends as FINISHED; as KILLED on Ctrl-C and if a signal stopped the stage; as FAILED, with
    the tag `error`, if the block raises anything else. Exceptions of the block always pass through.
    Ctrl-C during the wait at the end only ends the wait.

    Args:
        stage: the stage's name in dvc.yaml.
        params: all parameters of the experiment, as read from params.yaml.
        experiment: MLflow's name for the group of runs to compare.
        model_sha256: of the checkpoint that the stage uses; empty always opens a new run.
        device: the device that computes, for example "CPU"; empty leaves the tag out.
        enabled: False gives a run that does nothing.
        key: `Run.key` of the run to continue, for a resumed stage; empty opens a new run.
    """
    run = Run(stage, key)
    try:
        if enabled:
            run.begin(
                params,
                experiment,
                model_sha256,
                device,
                join=identity(params, model_sha256) | experiment_tags() if model_sha256 else {},
                resumes=bool(key),
            )
        yield run
    except (KeyboardInterrupt, Stopped):
        run.end("KILLED")
        raise
    except BaseException as error:
        run.end("FAILED", f"{type(error).__name__}: {error}")
        mark_as_tracked(error)
        raise
    run.end("FINISHED")


class Run:
    """One MLflow run, opened by `tracked`; does nothing if tracking is off or the run has ended.

    Attributes:
        key: identifies the run of a stage in all stores. A stage that joins another stage's run
            doesn't use it.
    """

    def __init__(self, stage: str, key: str = "") -> None:
        self.key = key or uuid4().hex
        self._stage, self._uri, self._root = stage, "", Path()
        self._opening = b""
        self._spool: Spool | None = None
        self._process: UploadProcess | None = None
        self._waiting: deque[Callable[[Spool], None]] = deque()
        self._lost = 0
        self._warned = False
        self._opened_s = time.monotonic()

    def set_model(self, sha256: str) -> None:
        """Marks this run as the one that trained the checkpoint, so that later stages join it."""
        self.set_tags({MODEL_TAG: sha256})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags; an existing one is replaced."""
        self._append("Tags", tags={name: cut(value, MAX_TAG) for name, value in tags.items()})

    def log_metrics(self, values: Mapping[str, float | None], step: int) -> None:
        """Logs the values of one step; they are uploaded every few seconds.

        An undefined value, None, is left out. Characters that MLflow forbids in a name become `_`.
        ±∞ becomes NaN, a gap in the chart; MLflow stores ∞ as 1.8e308, which flattens the chart.
        """
        known = {safe_name(name): value for name, value in values.items() if value is not None}
        finite = {n: float(v) if math.isfinite(v) else math.nan for n, v in known.items()}
        self._append("Metrics", step=int(step), values=finite)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Stores a file or folder, as it is now, in the run's `folder`.

        A later file of the same path replaces it.

        Raises:
            FileNotFoundError: `path` does not exist.
            ValueError: `folder` is outside the run's own.
        """
        path.resolve(strict=True)
        path, target = path.absolute(), PurePosixPath(folder)
        if target.is_absolute() or ".." in target.parts:
            raise ValueError(f"folder: found {folder!r}, expected a folder inside the run's own.")
        self._write(lambda spool: spool.keep(path, target))

    def log_image(self, rgb: NDArray[np.uint8], name: str, step: int = 0) -> None:
        """Stores an image, uint8 (H, W, 3), that the run's page shows by step.

        The page finds it by the names and the tag that MLflow's own `log_image` gives: a PNG, and a
        small WebP. The newest image is step 0, too, which the page shows first. A later image of
        the same name and step replaces it, so a resumed stage doubles none.
        """
        if not self._opening:
            return

        from PIL import Image

        safe = safe_name(name, ascii_only=True)[:MAX_IMAGE_NAME].replace("/", "~")
        stems = {f"{safe}+step+{int(step)}+timestamp+0+{UUID(int=0)}"}
        stems |= {f"{safe}+step+0+timestamp+0+newest"} if step else set()
        image, png, webp = Image.fromarray(rgb), io.BytesIO(), io.BytesIO()
        image.save(png, "PNG", compress_level=1)  # 10 ms; the default takes 75
        image.thumbnail(THUMBNAIL_PX)
        image.save(webp, "WEBP", method=0)
        for stem in stems:
            self._keep_bytes(f"images/{stem}.png", png.getvalue())
            self._keep_bytes(f"images/{stem}+compressed.webp", webp.getvalue())
        self.set_tags({"mlflow.loggedImages": "True"})

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Names the data that the stage read: its hash, and its folder or URL."""
        self._append("Dataset", name=name, digest=digest, source=source)

    def begin(
        self,
        params: Mapping[str, Any],
        experiment: str,
        model_sha256: str = "",
        device: str = "",
        *,
        join: Mapping[str, str],
        resumes: bool = False,
    ) -> None:
        """Opens the run, or joins the newest one that has all tags of `join`; see `tracked`."""
        self._root, store = root_folder(), locate()
        self._uri = store.uri
        tags = provenance(Path.cwd()) | identity(params, model_sha256)
        tags |= {"device": device} if device else {}
        self._opening = _line(
            "Open",
            store=store.written(self._root),
            experiment=experiment,
            stage=self._stage,
            key=self.key,
            name=run_name(tags),
            params=flatten(params),
            tags=tags,
            join=dict(join),
            resumes=resumes,
        )
        self._write_waiting()

    def end(self, status: str, error: str = "") -> None:
        """Ends the run as FINISHED, FAILED or KILLED, and waits for the upload; see `tracked`."""
        if not self._opening:
            return
        self._append("Finish", status=status, error=cut(error, MAX_TAG))
        while len(self._waiting) > 1:  # a file may not fit where a line does
            self._waiting.popleft()
            self._lost += 1
            self._write_waiting()
        self._lost += len(self._waiting)
        self._opening = b""
        if self._lost:
            warn(
                f"warning: {self._lost} events of {self._stage} are not tracked: they could not be "
                f"written to {self._root / HOME}."
            )
        if self._spool is None:
            return
        self._spool.close()
        if self._process:
            self._process.close(time.monotonic() - self._opened_s, self._uri)
        if self._spool.folder.exists():
            kept = self._spool.folder.relative_to(self._root)
            warn(
                f"{self._stage}: not everything is uploaded to {self._uri}; {kept} keeps it. "
                f"{REMEDY}"
            )

    def _append(self, kind: str, **fields: Any) -> None:
        line = _line(kind, **fields)
        self._write(lambda spool: spool.append(line))

    def _keep_bytes(self, path: str, content: bytes) -> None:
        self._write(lambda spool: spool.keep_bytes(path, content))

    def _write(self, one: Callable[[Spool], None]) -> None:
        """Writes one thing to the spool, after those that could not be written before."""
        if self._opening:
            self._waiting.append(one)
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popleft()
                self._lost += 1
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Writes all that waits, opening the spool first; the first failure prints a warning."""
        try:
            spool = self._spool or self._open()
            while self._waiting:
                self._waiting[0](spool)
                self._waiting.popleft()
        except (OSError, NotImplementedError) as error:  # the latter without file locks
            if not self._warned:
                self._warned = True
                warn(
                    f"warning: tracking can't write to {self._root / HOME} "
                    f"({type(error).__name__}: {error}); {self._stage} continues, and tries again "
                    "at each event. tracking.enabled: false turns tracking off."
                )

    def _open(self) -> Spool:
        self._spool = Spool(self._root, f"{self._stage}-{self.key[:8]}", self._opening)
        try:
            self._process = UploadProcess(self._spool.folder)
        except OSError as error:  # too many processes, or no memory for one
            warn(f"warning: what {self._stage} tracks can't be uploaded now ({error}). {REMEDY}")
        return self._spool


def _line(kind: str, **fields: Any) -> bytes:
    """Returns an event as a line of the spool's journal."""
    return json.dumps({"event": kind, "time_ms": _now_ms(), **fields}).encode() + b"\n"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
