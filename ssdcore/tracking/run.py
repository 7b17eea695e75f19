"""A run as a stage sees it: it can always be spoken to, and never stops or stalls the stage."""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssdcore.tracking.context import MODEL_TAG, identity, provenance, run_name
from ssdcore.tracking.quiet import quiet
from ssdcore.tracking.store import locate
from ssdcore.tracking.values import Sample, cut, finite_or_nan, flatten, safe_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ssdcore.tracking.session import Session

FLUSH_SECONDS = 5.0


@contextmanager
def tracked(
    stage: str,
    *,
    params: Mapping[str, Any],
    experiment: str,
    model_sha256: str = "",
    device: str = "",
    enabled: bool = True,
) -> Iterator[Run]:
    """Opens the run of a stage and ends it with the block.

    One run spans the stages of an experiment without an id being kept anywhere: train opens a
    new one and marks it by `Run.set_model`; a stage that names the model joins the newest run
    with that model and these parameters, and opens its own where there is none.

    It ends FINISHED; KILLED on Ctrl-C; FAILED, with the tag `error`, where the block raises
    anything else. The block's exceptions always pass through. Trouble with the store never does:
    it is told once on stderr, and the stage goes on untracked.

    Args:
        stage: the stage's name in dvc.yaml.
        params: all parameters of the experiment, as read from params.yaml.
        experiment: MLflow's name for the group of runs to compare.
        model_sha256: of the checkpoint that the stage uses; empty always opens a new run.
        device: what computes, for example "CPU"; empty leaves the tag out.
        enabled: False gives a run that does nothing, and MLflow is not even imported.
    """
    run = Run(stage)
    try:
        if enabled:
            run._open(params, experiment, model_sha256, device)
        yield run
    except KeyboardInterrupt:
        run._end("KILLED")
        raise
    except BaseException as error:
        run._end("FAILED", f"{type(error).__name__}: {error}")
        raise
    run._end("FINISHED")


class Run:
    """One MLflow run, made by `tracked`; silent where tracking is off, has failed or has ended."""

    def __init__(self, stage: str) -> None:
        self._stage, self._uri = stage, ""
        self._session: Session | None = None
        self._samples: list[Sample] = []
        self._flushed_s = time.monotonic()

    @property
    def id(self) -> str:
        """MLflow's id of the run; empty where nothing is tracked."""
        return self._session.run_id if self._session else ""

    def set_model(self, sha256: str) -> None:
        """Marks this run as the one that trained the checkpoint, for later stages to join."""
        self.set_tags({MODEL_TAG: sha256})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Sets tags; an existing one is replaced."""
        self._send(lambda session: session.set_tags(tags))

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Notes the values of one step; they are sent every few seconds and by `flush`.

        A call of its own for each value would take MLflow 10 ms, a thousand in one take 70 ms.
        What MLflow forbids in a name becomes `_`; an infinite value becomes NaN.
        """
        if self._session is None:
            return
        now_ms = time.time_ns() // 1_000_000
        self._samples += [
            Sample(safe_name(name), finite_or_nan(value), now_ms, step)
            for name, value in values.items()
        ]
        if time.monotonic() - self._flushed_s >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Sends the metrics noted so far."""
        samples, self._samples = self._samples, []
        self._send(lambda session: session.log_metrics(samples))
        self._flushed_s = time.monotonic()

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Copies a file or folder into the run's `folder`.

        Raises:
            FileNotFoundError: `path` does not exist.
        """
        found = path.resolve(strict=True)
        self._send(lambda session: session.log_artifact(found, folder))

    def log_image(self, rgb: NDArray[np.uint8], name: str, step: int = 0) -> None:
        """Stores an image, uint8 (H, W, 3), that the run's page shows by step.

        Raises:
            ValueError: it is of another type or shape.
        """
        if rgb.dtype != "uint8" or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"{name}: found {rgb.dtype} {rgb.shape}, expected uint8 (H, W, 3).")
        key = safe_name(name, ascii_only=True)
        self._send(lambda session: session.log_image(rgb, key, step))

    def log_dataset(self, name: str, digest: str, source: str) -> None:
        """Names the data that the stage read: its hash, and its folder or URL."""
        self._send(lambda session: session.log_dataset(name, digest, source, self._stage))

    def _open(
        self, params: Mapping[str, Any], experiment: str, model_sha256: str, device: str
    ) -> None:
        """Takes the connection; imports MLflow, which costs 4 s."""
        store = locate()
        self._uri = store.uri
        key = identity(params, model_sha256)
        tags = provenance(Path.cwd()) | key | ({"device": device} if device else {})
        with self._guarded():
            from ssdcore.tracking.session import start

            self._session = start(
                store,
                experiment,
                self._stage,
                name=run_name(tags),
                params=flatten(params),
                tags=tags,
                join=key if model_sha256 else {},
            )

    def _end(self, status: str, error: str = "") -> None:
        self.flush()
        self._send(lambda session: session.finish(status, error))
        self._session = None

    def _send(self, call: Callable[[Session], None]) -> None:
        if self._session is not None:
            with self._guarded():
                call(self._session)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Keeps MLflow quiet; at its first failure warns and turns this run off."""
        from ssdcore.tracking.session import FAILURES

        try:
            with quiet():
                yield
        except FAILURES as error:
            self._session = None
            self._samples.clear()
            reason = cut(f"{type(error).__name__}: {error}".partition("\n")[0], 300)
            warning = (
                f"warning: tracking at {self._uri} failed ({reason}); {self._stage} goes on "
                "untracked and sends nothing more. tracking.enabled: false turns tracking off."
            )
            print(re.sub(r"//[^/@\s]+@", "//***@", warning), file=sys.stderr)  # no passwords
