"""Keeps the MLflow run of a search up to date."""

from math import inf
from pathlib import Path
from time import monotonic

from ssdcore.core.messages import say
from ssdcore.search.start import Start
from ssdcore.search.study import Study
from ssdcore.tracking.sender import sync
from ssdcore.tracking.store import UnavailableError, locate

EVERY_S = 30.0


class SearchRun:
    """The MLflow run of a search. A store that does not answer is tried again at the end."""

    def __init__(self, start: Start, study: Study) -> None:
        self._start, self._study = start, study
        self._next_s = 0.0 if start.params.tracking.enabled else inf

    def update(self) -> None:
        """Brings the run up to date, every half minute."""
        if monotonic() >= self._next_s:
            self._next_s = monotonic() + EVERY_S
            self._record("RUNNING", None)

    def end(self, status: str, page: Path | None = None) -> str:
        """Completes the run; returns its address, "" if there is none."""
        return self._record(status, page) if self._start.params.tracking.enabled else ""

    def _record(self, status: str, page: Path | None) -> str:
        from ssdcore.tracking.parent import Child, Parent, record_search  # imports MLflow

        start, trials = self._start, self._study.trials()
        rules = {"search": start.space.model_dump(mode="json")}
        experiment = start.params.tracking.experiment
        parent = Parent(experiment, self._study.key, start.space.study, rules)
        children = [
            Child(one.name, start.baseline, one.state, one.changes, one.ap) for one in trials
        ]
        shares = self._study.importance() if page else {}
        metrics = {f"importance/{key}": share for key, share in shares.items()}
        try:
            has_all = page is not None and not any(sent.left for sent in sync())
            return record_search(locate(), parent, children, metrics, status, page, has_all=has_all)
        except (UnavailableError, TimeoutError) as error:
            self._next_s = inf
            text = f"warning: MLflow does not answer ({error}); the same command tries again"
            say(text, error=True)
            return ""
