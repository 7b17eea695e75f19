"""The search: proposes trials, runs them, prunes them, and records their results."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from time import sleep

from ssdcore.core.errors import RunError
from ssdcore.core.signals import Signals
from ssdcore.dvc.experiments import names_at, results_of
from ssdcore.report.words import setting
from ssdcore.search.runs import TrialRun, read_measured
from ssdcore.search.space import Start
from ssdcore.search.study import Study, Trial

POLL_S = 0.5
"""Seconds between two checks of the running trials."""
FIRST_FAILURES = 3
"""Number of first trials that end the search if all of them fail."""
EPOCHS = "train.epochs"

Event = tuple[Trial, str]
"""A trial as it is now, and what happened to it, in words."""


class Search:
    """Runs the trials of a study, `jobs` at a time, until a signal; a folder has their files."""

    def __init__(
        self, study: Study, start: Start, jobs: int, folder: Path, signals: Signals
    ) -> None:
        self._study, self._start, self._jobs = study, start, jobs
        self._folder, self._signals = folder, signals
        self._runs: dict[int, TrialRun] = {}
        self._pruned: set[int] = set()

    def run(self) -> Iterator[Event]:
        """Runs until the study has all of its trials, and yields what happens.

        Raises:
            Stopped: a signal requested it; the trials that ran have saved their states.
            RunError: the first trials have all failed.
            InputError: a trial would start from other files than those before it.
        """
        trials = self._study.trials()
        begun = [self._study.take_up(one) for one in trials if one.state == "running"]
        ahead = max(self._start.space.trials - len(trials), 0)
        try:
            while begun or ahead or self._runs:
                while (begun or ahead) and len(self._runs) < self._jobs:
                    if begun:
                        trial, how = begun.pop(0), "resumes"
                    else:
                        trial, how, ahead = self._study.propose(), "begins", ahead - 1
                    yield from self._begin(trial, how)
                for number in list(self._runs):
                    yield from self._look(number)
                self._signals.check()
                if self._runs:
                    sleep(POLL_S)
        finally:
            self._stop_all()

    def _begin(self, trial: Trial, how: str) -> Iterator[Event]:
        run = TrialRun(trial, self._folder)
        epoch = max(trial.measured, default=self._epochs(trial))
        if epoch < self._epochs(trial) and self._study.is_hopeless(trial):
            self._pruned.add(trial.number)  # the search was killed before it noted that
            run.stop()
        elif trial.name not in names_at(self._start.baseline) and not run.is_running():
            self._start.require_same()
            run.begin()
        self._runs[trial.number] = run
        searched = (f"{key} {setting(trial.changes[key])}" for key in self._start.space.params)
        yield trial, f"{how}: {', '.join(searched)}"

    def _look(self, number: int) -> Iterator[Event]:
        run = self._runs[number]
        was_running = run.is_running()  # before its results are read
        if was_running:
            yield from self._report(run)
            return
        del self._runs[number]
        trial = run.trial
        figures, validations = results_of(trial.name, self._start.baseline) or (None, "")
        ap = figures.get("AP") if figures else None
        if ap is not None and ap >= 0:
            # the copy may be gone before the last epochs were seen
            for _ in self._note(trial, read_measured(validations)):
                pass
            ended = self._study.end(trial, ap)
            yield ended, f"ends with AP {ended.ap:.4f}"
        elif number in self._pruned:
            run.discard_state()
            ended = self._study.end(trial)
            yield ended, f"is pruned after epoch {max(ended.measured)}"
        elif figures is None and self._signals.stop is None and run.begin_again():
            self._runs[number] = run
            yield trial, "restarts: DVC failed, or its process was killed"
        elif self._signals.stop is None:
            reason = "no AP: val shows no objects" if figures is not None else run.reason()
            ended = self._study.end(trial, reason=reason)
            yield ended, f"fails: {reason}"
            self._require_success(run)

    def _report(self, run: TrialRun) -> Iterator[Event]:
        trial = run.trial
        if trial.number in self._pruned:
            return
        for epoch, ap, is_worse in self._note(trial, run.measured()):
            yield trial, f"epoch {epoch}: AP {ap:.4f}"
            if is_worse and epoch < self._epochs(trial):
                self._pruned.add(trial.number)
                run.stop()
                return

    def _note(
        self, trial: Trial, measured: Mapping[int, float]
    ) -> Iterator[tuple[int, float, bool]]:
        """Notes what is new, and yields epoch, AP, and whether the trial is worse than others."""
        noted = self._study.trials()[trial.number].measured
        for epoch, ap in measured.items():
            if epoch not in noted:
                yield epoch, ap, self._study.report(trial, epoch, ap)

    def _epochs(self, trial: Trial) -> int:
        return int({**self._start.base, **trial.changes}[EPOCHS])

    def _require_success(self, run: TrialRun) -> None:
        states = [one.state for one in self._study.trials() if one.state != "running"]
        if len(states) == FIRST_FAILURES and set(states) == {"failed"}:
            raise RunError(f"The first {FIRST_FAILURES} trials failed; {run.log} says why")

    def _stop_all(self) -> None:
        """Ends the running trials, and waits. A killed search leaves them to the next one."""
        for run in self._runs.values():
            run.stop()
        while any(run.is_running() for run in self._runs.values()):
            sleep(POLL_S)
