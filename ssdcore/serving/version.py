"""Versions of the registered model: read from the repository, tagged, and compared.

The hashes in dvc.lock prove that a trained model and its evaluation match.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ssdcore.coco.operating_point import UNMEASURED_SCORE
from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import md5_of_file, read_json, sha256_of_file
from ssdcore.dvc.lock import LOCK, read_lock
from ssdcore.export.runtime import OnnxFile
from ssdcore.inference.decode import Thresholds
from ssdcore.tracking.context import MODEL_TAG

STAGE = "evaluate"
REMEDY, REMEDY_EXPORT = f"Run dvc repro {STAGE}", "Run dvc repro export"
TILE = "tile"
"""A parameter of the evaluation besides the thresholds."""
DATA_TAG, THRESHOLDS_TAG = "dvc.data_md5", "evaluate.counted"
EXPORT_TAG, MIN_SCORE_TAG = "export.sha256", "serving.score_threshold"
SCORE_TAG = "score_threshold"
FIGURE = "bbox."
"""Prefix of the tags that hold figures, each by its name in metrics/evaluate.json."""
ORIGIN_TAGS = (MODEL_TAG, "git.commit", "dvc.exp_name", DATA_TAG)
SHOWN = 12
"""Characters of a hash in the comparison."""


class Candidate(NamedTuple):
    """A model with its evaluation.

    Attributes:
        exported: the ONNX file of the detector.
        export_sha256: of that file.
        sha256: of the checkpoint.
        data_md5: DVC's hash of the shards of the evaluation.
        counted: values of the parameters on which the figures depend.
        figures: COCO's twelve; None if undefined.
        score: the default minimum score of a request.
        measured: what that score was measured on; "" if the model does not carry one.
    """

    exported: Path
    export_sha256: str
    sha256: str
    data_md5: str
    counted: dict[str, float | None]
    figures: dict[str, float | None]
    score: float = UNMEASURED_SCORE
    measured: str = ""


def read_candidate(repository: Path, score: float | None = None) -> Candidate:
    """Reads the model of a repository and its figures.

    The default minimum score is `score`, or that of the detections that the evaluation counted,
    which is the model's.

    Needs neither data nor predictions: `dvc pull` of the model and its export is enough.

    Raises:
        InputError: a file is missing, or is not the one that the evaluation used or wrote; or
            another checkpoint was exported, or with other thresholds.
    """
    checkpoint, metrics = repository / layout.BEST_CHECKPOINT, repository / layout.EVALUATE_METRICS
    stages = read_lock(repository / LOCK)
    if STAGE not in stages:
        raise InputError(str(repository / LOCK), sorted(stages), f"a record of {STAGE}", REMEDY)
    stage = stages[STAGE]
    _require(checkpoint, stage.deps.get(layout.BEST_CHECKPOINT.as_posix()))
    _require(metrics, stage.outs.get(layout.EVALUATE_METRICS.as_posix()))
    sha256, exported = sha256_of_file(checkpoint), repository / layout.DETECTOR
    metadata = OnnxFile(exported).metadata
    if (found := metadata.origin.get("checkpoint_sha256")) != sha256:
        expected = f"{sha256}, of {layout.BEST_CHECKPOINT}"
        raise InputError(f"checkpoint of {exported}", found, expected, REMEDY_EXPORT)
    counted = {name: stage.params.get(f"{STAGE}.{name}") for name in Thresholds().texts()}
    for (name, value), own in zip(counted.items(), metadata.thresholds, strict=True):
        if own != value and name != "max_candidates":  # ONNX has none
            where, expected = f"{STAGE}.{name} of {exported}", f"{value}, as evaluated"
            raise InputError(where, own, expected, REMEDY_EXPORT)
    if tile := stage.params.get(f"{STAGE}.{TILE}"):
        counted[TILE] = tile
    evaluated = read_json(metrics)
    return Candidate(
        exported,
        sha256_of_file(exported),
        sha256,
        stage.deps.get(layout.converted(evaluated.get("split", "val")).as_posix(), ""),
        counted,
        evaluated["bbox"],
        evaluated.get("threshold", UNMEASURED_SCORE) if score is None else score,
        evaluated.get("model_threshold", ""),
    )


def _require(path: Path, md5: str | None) -> None:
    if not path.is_file():
        raise InputError(str(path), "no file", "the one that dvc.lock has", "Run dvc pull")
    if (found := md5_of_file(path)) != md5:
        expected = f"{md5}, which dvc.lock has from {STAGE}"
        raise InputError(f"md5 of {path}", found, expected, f"{REMEDY}, or dvc checkout")


class Version(NamedTuple):
    """A version in the registry.

    Attributes:
        number: its number.
        tags: as `tags_of` returns them, and those of the run that trained the model.
    """

    number: str
    tags: Mapping[str, str]

    def figure(self, name: str) -> float | None:
        """Returns one of its figures; None if it is undefined.

        Raises:
            InputError: the tag holds something else.
        """
        text = self.tags.get(f"{FIGURE}{name}", "null")
        try:
            return None if text == "null" else float(text)
        except ValueError:
            tag = f"{FIGURE}{name} of version {self.number}"
            raise InputError(tag, text, "a number", "Correct the tag in MLflow") from None


def tags_of(candidate: Candidate) -> dict[str, str]:
    """Returns the tags of a model: hashes, thresholds and figures."""
    figures = {f"{FIGURE}{name}": json.dumps(value) for name, value in candidate.figures.items()}
    measured = {SCORE_TAG: candidate.measured} if candidate.measured else {}
    return identity(candidate) | measured | figures


def identity(candidate: Candidate) -> dict[str, str]:
    """Returns the tags that are equal for two versions that give the same answers and figures."""
    return {
        EXPORT_TAG: candidate.export_sha256,
        MIN_SCORE_TAG: json.dumps(candidate.score),
        MODEL_TAG: candidate.sha256,
        DATA_TAG: candidate.data_md5,
        THRESHOLDS_TAG: json.dumps(candidate.counted, sort_keys=True),
    }


def require_comparable(new: Version, champion: Version) -> None:
    """Refuses to compare versions that were evaluated on different data or thresholds.

    Raises:
        InputError: data or thresholds differ.
    """
    for tag, what in ((DATA_TAG, "data"), (THRESHOLDS_TAG, "thresholds")):
        if new.tags.get(tag) != champion.tags.get(tag):
            raise InputError(
                f"{tag} of this model", new.tags.get(tag),
                f"{champion.tags.get(tag)}, of the champion, version {champion.number}",
                f"AP on other {what} can't be compared: repeat the champion's experiment on these, "
                "or set the alias in MLflow by hand",
            )  # fmt: skip


def replaces(new: Version, champion: Version) -> bool:
    """Returns whether the new version is a better model, or the champion's, packed anew."""
    return new.tags[MODEL_TAG] == champion.tags.get(MODEL_TAG) or is_better(new, champion)


def is_better(new: Version, champion: Version) -> bool:
    """Returns whether the new version's AP is greater; equal is not better."""
    ours, theirs = new.figure("AP"), champion.figure("AP")
    return ours is not None and (theirs is None or ours > theirs)


def comparison(new: Version, champion: Version | None) -> Iterator[str]:
    """Yields the lines of a table of both versions: origin, then figures with their change."""
    theirs = champion.tags if champion else {}
    heading = f"champion, version {champion.number}" if champion else "no champion"
    yield f"{'':16}{f'version {new.number}':>20}{heading:>24}"
    for tag in ORIGIN_TAGS:
        if tag in new.tags or tag in theirs:
            values = (tags.get(tag, "–")[:SHOWN] for tags in (new.tags, theirs))
            yield "{:16}{:>20}{:>24}".format(tag, *values)
    for name in (tag.removeprefix(FIGURE) for tag in new.tags if tag.startswith(FIGURE)):
        ours, other = new.figure(name), champion.figure(name) if champion else None
        change = "" if ours is None or other is None else f"{ours - other:+10.4f}"
        yield f"{name:16}{_format(ours):>20}{_format(other):>24}{change}"


def _format(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
