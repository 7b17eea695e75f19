"""The tags of a version of the registered model, and how two versions are compared."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ssdcore.core.errors import InputError
from ssdcore.serving.candidate import Candidate
from ssdcore.tracking.context import MODEL_TAG

DATA_TAG, THRESHOLDS_TAG = "dvc.data_md5", "evaluate.counted"
FIGURE = "bbox."
"""Prefix of the tags that hold figures, each by its name in metrics/evaluate.json."""
ORIGIN_TAGS = (MODEL_TAG, "git.commit", "dvc.exp_name", DATA_TAG)
SHOWN = 12
"""Characters of a hash in the comparison."""


class Version(NamedTuple):
    """A version in the registry.

    Attributes:
        number: its number.
        tags: as `tags_of` returns them, and those of the run that trained the model.
    """

    number: str
    tags: Mapping[str, str]

    def figure(self, name: str) -> float | None:
        """Returns one of its figures; None if it is undefined."""
        value: float | None = json.loads(self.tags.get(f"{FIGURE}{name}", "null"))
        return value


def tags_of(candidate: Candidate) -> dict[str, str]:
    """Returns the tags of a model: hashes, thresholds and figures."""
    figures = {f"{FIGURE}{name}": json.dumps(value) for name, value in candidate.figures.items()}
    return identity(candidate) | figures


def identity(candidate: Candidate) -> dict[str, str]:
    """Returns the tags that are equal for two evaluations of a model on the same data."""
    return {
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
