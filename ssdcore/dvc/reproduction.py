"""What a commit says of its run, and what differs when that is repeated.

dvc.lock has a hash of each file that went in and came out, metrics/ the figures, and the report,
which only DVC keeps, the machine.
"""

import json
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.nested import leaves
from ssdcore.dvc.lock import LOCK, LockedStage, parse_lock

METRICS = (layout.TRAIN_METRICS, layout.EVALUATE_METRICS)
REPORT = (layout.REPORT_PAGE, layout.REPORT_JSON, layout.REPORT_TEXT)
TIMED = [str(path) for path in (*METRICS, layout.HISTORY, *REPORT)]
"""Outs that hold speeds, times or the commit's name: their hashes are never the same."""
NO_FIGURES = {"images_per_second", "device"}
NO_MACHINE = {"commit", "DVC experiment"}
AP = f"{layout.EVALUATE_METRICS} bbox.AP"


@dataclass(frozen=True)
class Record:
    """A run.

    Attributes:
        files: hashes of what went in, code and data, by stage and path.
        params: values of the parameters, by stage and dotted key.
        outs: hashes of what came out, by stage and path; without those that are never the same.
        figures: those of metrics/ but for speed, by file and dotted key.
        machine: device, processor and versions, as far as known.
    """

    files: Mapping[str, Any]
    params: Mapping[str, Any]
    outs: Mapping[str, Any]
    figures: Mapping[str, Any]
    machine: Mapping[str, Any]

    @property
    def results(self) -> dict[str, Any]:
        """All that has to be the same again: outs and figures."""
        return {**self.outs, **self.figures}


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was.

    Attributes:
        name: what.
        recorded: as the commit has it; None where it has none.
        repeated: as it is now; None where it is not.
    """

    name: str
    recorded: Any
    repeated: Any


def read_record(read: Callable[[Path], str | None]) -> Record:
    """Returns the record of a run.

    Args:
        read: returns the content of a file that is named from the repository's root; None where
            there is none.

    Raises:
        InputError: dvc.lock or metrics/ are missing.
    """
    texts = {path: read(path) for path in (LOCK, *METRICS)}
    for path, text in texts.items():
        if text is None:
            raise InputError(
                f"{path} of the commit", None, "a run's results",
                "Name a commit that has them: `dvc repro`, then commit dvc.lock and metrics/",
            )  # fmt: skip
    stages = parse_lock(texts[LOCK] or "", f"{LOCK} of the commit")
    metrics = {path: json.loads(texts[path] or "") for path in METRICS}
    made = {path for stage in stages.values() for path in stage.outs}
    report = json.loads(read(layout.REPORT_JSON) or "{}").get("environment", {})
    return Record(
        files=_by_stage(stages, "deps", without=made),
        params=_by_stage(stages, "params"),
        outs=_by_stage(stages, "outs", without=TIMED),
        figures={
            f"{path} {key}": value
            for path, content in metrics.items()
            for key, value in leaves(content)
            if key not in NO_FIGURES
        },
        machine={"device": metrics[layout.EVALUATE_METRICS].get("device")}
        | {name: value for name, value in report.items() if name not in NO_MACHINE},
    )


def _by_stage(
    stages: Mapping[str, LockedStage], kind: str, without: Container[str] = ()
) -> dict[str, Any]:
    """Returns the entries of one kind of all stages, under `stage: path` or `stage: key`."""
    return {
        f"{name}: {key}": value
        for name, stage in stages.items()
        for key, value in getattr(stage, kind).items()
        if key not in without
    }


def differences(recorded: Mapping[str, Any], repeated: Mapping[str, Any]) -> Iterator[Difference]:
    """Yields what differs, in the order of the first; NaN equals NaN."""
    for name in {**recorded, **repeated}:
        before, after = recorded.get(name), repeated.get(name)
        if repr(before) != repr(after):
            yield Difference(name, before, after)
