"""The study of Optuna: the trials, their results, and the next proposal."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from ssdcore.core.errors import InputError
from ssdcore.search.space import Space, is_whole, like

RULES, ORIGIN, KEY, REASON = "rules", "origin", "key", "reason"
"""Keys of the attributes of a study and of a trial."""
FOR_IMPORTANCE = 4
"""Minimum number of measured trials to estimate the parameters' importance."""


@dataclass(frozen=True)
class Trial:
    """A trial of a study.

    Attributes:
        number: from 0.
        name: of its DVC experiment.
        state: running, complete, pruned or failed.
        changes: the parameters that differ from params.yaml, by dotted key.
        ap: on val at the end; None if it has not come to its end.
        measured: AP on val by epoch, as far as the search has seen it.
        reason: why it failed.
        ended_ms: when it ended, in milliseconds since 1970; 0 if it runs.
    """

    number: int
    name: str
    state: str
    changes: Mapping[str, Any]
    ap: float | None = None
    measured: Mapping[int, float] = field(default_factory=dict)
    reason: str = ""
    ended_ms: int = 0


STATES = {
    TrialState.RUNNING: "running", TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}  # fmt: skip


class Study:
    """A study in an SQLite database, which resumes where its process ended.

    Args:
        folder: holds the database.
        space: what is searched.
        base: the parameters that the trials change, by dotted key.
        origin: identifies code, data and parameters that all trials share.

    Attributes:
        key: identifies the study in all stores.

    Raises:
        InputError: the study was begun with another space or another origin.
    """

    def __init__(self, folder: Path, space: Space, base: Mapping[str, Any], origin: str) -> None:
        self._space, self._base = space, base
        folder.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruning = space.prune
        self._study = optuna.create_study(
            study_name=space.study,
            storage=RDBStorage(f"sqlite:///{folder / 'study.db'}"),
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(pruning.after_trials, pruning.after_epochs)
            if pruning
            else optuna.pruners.NopPruner(),
        )
        self._open: dict[int, optuna.Trial] = {}
        if ORIGIN not in self._study.user_attrs:
            self._study.set_user_attr(RULES, space.rules())
            self._study.set_user_attr(KEY, uuid4().hex)
            self._study.set_user_attr(ORIGIN, origin)
        self.key = str(self._study.user_attrs[KEY])
        self._require_same(folder, space.rules(), origin)

    def _require_same(self, folder: Path, rules: Mapping[str, Any], origin: str) -> None:
        begun = self._study.user_attrs
        name = self._space.study
        remedy = f"Name another study, or restore what {name} began with"
        for key, value in rules.items():
            if value != begun[RULES].get(key):
                was = json.dumps(begun[RULES].get(key))
                raise InputError(
                    f"{key} of the study {name}", value, f"{was}, as {name} began", remedy
                )
        if origin != begun[ORIGIN]:
            expected = f"the commit and the files that {name} began with"
            raise InputError(str(folder), "changed files or another commit", expected, remedy)

    def trials(self) -> list[Trial]:
        """Returns all trials in the order of their numbers."""
        return [self._trial(one) for one in self._study.trials]

    def propose(self) -> Trial:
        """Begins a trial. It depends on the seed, its number and the trials that have ended."""
        number = len(self._study.trials)
        seed = int(np.random.SeedSequence((self._space.seed, number)).generate_state(1)[0])
        self._study.sampler = _sampler(self._space.sampler, seed)
        return self._suggest(self._study.ask())

    def take_up(self, trial: Trial) -> Trial:
        """Returns a trial that an earlier process began, with all of its parameters."""
        id_ = self._study.trials[trial.number]._trial_id
        return self._suggest(optuna.Trial(self._study, id_))

    def report(self, trial: Trial, epoch: int, ap: float) -> bool:
        """Records the AP of an epoch; returns whether the trial is to end.

        The median is of the same epoch, so later epochs are not recorded.
        """
        running = self._open[trial.number]
        running.report(ap, epoch)
        return running.should_prune()

    def is_hopeless(self, trial: Trial) -> bool:
        """Returns whether a trial is to end, by its recorded epochs."""
        return self._open[trial.number].should_prune()

    def end(self, trial: Trial, ap: float | None = None, *, reason: str = "") -> Trial:
        """Ends a trial: complete with an AP, failed with a reason, else pruned."""
        running = self._open.pop(trial.number)
        if reason:
            running.set_user_attr(REASON, reason)
        state = TrialState.FAIL if reason else TrialState.PRUNED
        self._study.tell(running, ap, state=None if ap is not None else state)
        return self._trial(self._study.trials[trial.number])

    def importance(self) -> dict[str, float]:
        """Returns the share of each parameter in the differences of AP, the highest first.

        By PED-ANOVA; empty with fewer than four measured trials, or if all are equal.
        """
        values = [one.ap for one in self.trials() if one.ap is not None]
        if len(values) < FOR_IMPORTANCE or len(set(values)) == 1:
            return {}
        # takes a second: it imports scikit-learn
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        return get_param_importances(self._study, evaluator=PedAnovaImportanceEvaluator())

    def _suggest(self, running: optuna.Trial) -> Trial:
        """Draws the parameters of a trial; those that it has already stay."""
        for key, one in self._space.params.items():
            if one.choices:
                texts = [json.dumps(choice) for choice in one.choices]  # Optuna stores no lists
                running.suggest_categorical(key, texts)
                continue
            low, high, *_ = one.ends()
            if is_whole(one, self._base[key]):
                running.suggest_int(key, low, high, step=int(one.step or 1), log=one.log)
            else:
                running.suggest_float(key, low, high, step=one.step, log=one.log)
        self._open[running.number] = running
        return self._trial(self._study.trials[running.number])

    def _trial(self, one: FrozenTrial) -> Trial:
        ranges = self._space.params
        searched = {
            key: json.loads(value) if ranges[key].choices else ranges[key].rounded(value)
            for key, value in one.params.items()
        }
        return Trial(
            one.number,
            f"{self._space.study}-{one.number}",
            STATES.get(one.state, "running"),
            {**self._space.fixed, **{k: like(self._base[k], v) for k, v in searched.items()}},
            one.value if one.state == TrialState.COMPLETE else None,
            one.intermediate_values,
            one.user_attrs.get(REASON, ""),
            int(one.datetime_complete.timestamp() * 1000) if one.datetime_complete else 0,
        )


def best(trials: Sequence[Trial]) -> Trial | None:
    """Returns the trial of the highest AP, of equal ones the first; None without an AP."""
    ended = [one for one in trials if one.ap is not None]
    return max(ended, key=lambda one: one.ap or 0.0) if ended else None


def _sampler(name: str, seed: int) -> BaseSampler:
    if name == "random":
        return RandomSampler(seed)
    return TPESampler(seed=seed, constant_liar=True)  # so that parallel trials differ
