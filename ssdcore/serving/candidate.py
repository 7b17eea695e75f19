"""Reads the trained model and its evaluation; the hashes in dvc.lock prove that they match."""

import json
from pathlib import Path
from typing import NamedTuple

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import md5_of_file, sha256_of_file
from ssdcore.dvc.lock import LOCK, LockedStage, read_lock

STAGE = "evaluate"
REMEDY = f"Run dvc repro {STAGE}"
COUNTED = (
    "score_threshold", "nms_iou", "max_detections", "max_per_class", "max_candidates",
)  # fmt: skip
"""The evaluation's parameters that its figures depend on."""


class Candidate(NamedTuple):
    """A checkpoint with its evaluation.

    Attributes:
        checkpoint: its file.
        sha256: of the file.
        data_md5: DVC's hash of the shards of the evaluation.
        counted: values of `COUNTED`.
        figures: COCO's twelve; None if undefined.
    """

    checkpoint: Path
    sha256: str
    data_md5: str
    counted: dict[str, float | None]
    figures: dict[str, float | None]


def read_candidate(repository: Path) -> Candidate:
    """Reads the model of a repository and its figures.

    Needs neither data nor predictions: `dvc pull` of the model alone is enough.

    Raises:
        InputError: a file is missing, or is not the one that the evaluation used or wrote.
    """
    checkpoint, metrics = repository / layout.BEST_CHECKPOINT, repository / layout.EVALUATE_METRICS
    stage = _locked_stage(repository / LOCK)
    _require(checkpoint, stage.deps[layout.BEST_CHECKPOINT.as_posix()])
    _require(metrics, stage.outs[layout.EVALUATE_METRICS.as_posix()])
    return Candidate(
        checkpoint,
        sha256_of_file(checkpoint),
        stage.deps[layout.MINDRECORD.as_posix()],
        {name: stage.params.get(f"{STAGE}.{name}") for name in COUNTED},
        json.loads(metrics.read_text(encoding="utf-8"))["bbox"],
    )


def _locked_stage(lock: Path) -> LockedStage:
    stages = read_lock(lock)
    if STAGE not in stages:
        raise InputError(str(lock), sorted(stages), f"a record of {STAGE}", REMEDY)
    return stages[STAGE]


def _require(path: Path, md5: str) -> None:
    if not path.is_file():
        raise InputError(str(path), "no file", "the one that dvc.lock has", "Run dvc pull")
    if (found := md5_of_file(path)) != md5:
        expected = f"{md5}, which dvc.lock has from {STAGE}"
        raise InputError(f"md5 of {path}", found, expected, f"{REMEDY}, or dvc checkout")
