"""A run as a stage sees it: it can always be spoken to, and never stops or stalls the stage."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ssdcore.core.dvc_environment import experiment_tags
from ssdcore.core.errors import Stopped
from ssdcore.core.failure import mark_as_tracked
from ssdcore.tracking.background import Background
from ssdcore.tracking.context import MODEL_TAG, identity, provenance, run_name
from ssdcore.tracking.events import Artifact, Dataset, Event, Finish, Image, Metrics, Open, Tags
from ssdcore.tracking.spool import HOME, Spool, settle
from ssdcore.tracking.store import locate, root_folder
from ssdcore.tracking.tell import REMEDY, tell
from ssdcore.tracking.values import MAX_TAG, cut, distinct_names, finite_or_nan, flatten, safe_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

MAX_IMAGE_NAME = 150  # characters; MLflow makes a file's name of it and a hundred more


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

    One run spans the stages of an experiment without an id being kept anywhere: train opens a
    new one and marks it by `Run.set_model`; a stage that names the model joins the newest run
    with that model and these parameters, and opens its own where there is none. In an experiment
    of DVC's it joins only that experiment's, so that each has one.

    What the run is told is written to a spool on disk, in microseconds, and a process of its own
    delivers it to MLflow. Where that can't be done, one warning on stderr says so, the stage goes
    on and its spool stays: the next stage sends it, as does `ssdcore.tracking.sync`. The end of
    the block waits for the delivery, but not long: 10 s at most, 2 s for a slow store, or 3% of
    the time that the run was open where that is more, and not at all for a store out of reach.

    It ends FINISHED; KILLED on Ctrl-C and where a signal stopped the stage; FAILED, with the tag
    `error`, where the block raises anything else. The block's exceptions always pass through.
    Ctrl-C while its end waits only ends the wait.

    Args:
        stage: the stage's name in dvc.yaml.
        params: all parameters of the experiment, as read from params.yaml.
        experiment: MLflow's name for the group of runs to compare.
        model_sha256: of the checkpoint that the stage uses; empty always opens a new run.
        device: what computes, for example "CPU"; empty leaves the tag out.
        enabled: False gives a run that does nothing.
        key: `Run.key` of the run to go on with, for a stage that was interrupted; empty opens
            another.
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
    """One MLflow run, made by `tracked`; silent where tracking is off, has failed or has ended.

    Attributes:
        key: what tells the run from all others, wherever it is kept. A stage that joins
            another's run does not use it.
    """

    def __init__(self, stage: str, key: str = "") -> None:
        self.key = key or uuid4().hex
        self._stage, self._uri, self._root = stage, "", Path()
        self._spool: Spool | None = None
        self._sender: Background | None = None
        self._broken = self._told = False
        self._opened_s = time.monotonic()

    def set_model(self, sha256: str) -> None:
        """Marks this run as the one that trained the checkpoint, for later stages to join."""
        self.set_tags({MODEL_TAG: sha256})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags; an existing one is replaced."""
        self._note(Tags(_now_ms(), {name: cut(value, MAX_TAG) for name, value in tags.items()}))

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Notes the values of one step; they are sent every few seconds, and soon after `flush`.

        What MLflow forbids in a name becomes `_`; an infinite value becomes NaN.
        """
        finite = {safe_name(name): finite_or_nan(value) for name, value in values.items()}
        self._note(Metrics(_now_ms(), int(step), finite))

    def log_metrics_of(
        self, folder: str, things: Sequence[tuple[str, Mapping[str, float]]], step: int
    ) -> None:
        """Notes values of things of any names, as folder/NAME/metric; see `distinct_names`."""
        parts = distinct_names(name for name, _ in things)
        values = {
            f"{folder}/{part}/{metric}": value
            for part, (_, metrics) in zip(parts, things, strict=True)
            for metric, value in metrics.items()
        }
        self.log_metrics(values, step)

    def flush(self) -> None:
        """Lets what was noted so far be sent now; does not wait for it."""
        if self._sender:
            self._sender.send()

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Stores a file or folder, as it is now, in the run's `folder`.

        Files of a megabyte and more may be changed afterwards only by replacing them, as
        `ssdcore.core.files` does, not by writing into them.

        Raises:
            FileNotFoundError: `path` does not exist.
            ValueError: `folder` lies outside the run's own.
        """
        path.resolve(strict=True)
        if self._spool and not self._broken:
            with self._guarded():
                for kept in self._spool.keep(path.absolute(), folder):
                    self._spool.append(Artifact(_now_ms(), kept))

    def log_image(self, rgb: NDArray[np.uint8], name: str, step: int = 0) -> None:
        """Stores an image, uint8 (H, W, 3), that the run's page shows by step.

        Raises:
            ValueError: it is of another type or shape.
        """
        if rgb.dtype != "uint8" or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"{name}: found {rgb.dtype} {rgb.shape}, expected uint8 (H, W, 3).")
        safe, key = safe_name(name, ascii_only=True)[:MAX_IMAGE_NAME], str(uuid4())
        if self._spool and not self._broken:
            with self._guarded():
                self._spool.keep_pixels(rgb, key)
                self._spool.append(Image(_now_ms(), safe, int(step), key))

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Names the data that the stage read: its hash, and its folder or URL."""
        self._note(Dataset(_now_ms(), name, digest, source))

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
        """Opens the run, or joins the newest one that has all the tags of `join`; see `tracked`."""
        self._root, store = root_folder(), locate()
        self._uri = store.uri
        tags = provenance(Path.cwd()) | identity(params, model_sha256)
        tags |= {"device": device} if device else {}
        opening = Open(
            time_ms=_now_ms(),
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
        with self._guarded():
            self._spool = Spool(self._root, opening)
        if self._spool:
            try:
                self._sender = Background(self._spool.folder)
            except OSError as error:  # too many processes, or no memory for one
                tell(f"warning: what {self._stage} tracks can't be sent now ({error}). {REMEDY}")

    def end(self, status: str, error: str = "") -> None:
        """Ends the run as FINISHED, FAILED or KILLED, and waits a little for its delivery."""
        if self._spool is None:
            return
        self._broken = False  # there may be room again, and of all things the end should be known
        self._note(Finish(_now_ms(), status, cut(error, MAX_TAG)))
        spool, self._spool = self._spool, None
        patience = f"Still sending to {self._uri}; Ctrl-C leaves the rest for later."
        open_s = time.monotonic() - self._opened_s
        if self._sender and self._sender.close(open_s, patience):
            with self._guarded():
                settle(spool.folder)
        else:
            kept = spool.folder.relative_to(self._root)
            tell(f"{self._stage}: not all is sent to {self._uri}; {kept} keeps it. {REMEDY}")
        spool.close()

    def _note(self, event: Event) -> None:
        if self._spool and not self._broken:
            with self._guarded():
                self._spool.append(event)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """At the first failure to write the spool warns, and turns this run off."""
        try:
            yield
        except (OSError, NotImplementedError) as error:  # the latter where there are no file locks
            self._broken = True
            if not self._told:
                self._told = True
                reason = f"{type(error).__name__}: {error}"
                tell(
                    f"warning: tracking can't write to {self._root / HOME} ({reason}); "
                    f"{self._stage} goes on untracked. tracking.enabled: false turns tracking off."
                )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
