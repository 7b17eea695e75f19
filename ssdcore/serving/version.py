"""What a version of the registered model says of itself, and which of two is better."""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ssdcore.core.errors import InputError
from ssdcore.serving.candidate import Candidate
from ssdcore.tracking.context import MODEL_TAG

DATA_TAG, COUNTED_TAG = "dvc.data_md5", "evaluate.counted"
FIGURE = "bbox."
"""Beginning of the tags that hold figures, each by its name in metrics/evaluate.json."""
DECIDES = "AP"
SHOWN = 12
"""Characters of a hash that tell enough."""


class Version(NamedTuple):
    """A version in the registry.

    Attributes:
        number: its number there.
        tags: what `tags_of` gave it, and where it comes from.
    """

    number: str
    tags: Mapping[str, str]

    def figure(self, name: str) -> float | None:
        """Returns one of its figures; None where there was nothing to measure."""
        value: float | None = json.loads(self.tags.get(f"{FIGURE}{name}", "null"))
        return value


def tags_of(candidate: Candidate) -> dict[str, str]:
    """Returns the model's hash, and what was measured on what, as tags."""
    figures = {f"{FIGURE}{name}": json.dumps(value) for name, value in candidate.figures.items()}
    return identity(candidate) | figures


def identity(candidate: Candidate) -> dict[str, str]:
    """Returns the tags that a measurement of a model has in common with its repetition."""
    return {
        MODEL_TAG: candidate.sha256,
        DATA_TAG: candidate.data_md5,
        COUNTED_TAG: json.dumps(candidate.counted, sort_keys=True),
    }


def require_comparable(new: Version, champion: Version) -> None:
    """Refuses to compare what was not measured alike.

    Raises:
        InputError: data or thresholds differ.
    """
    for tag, what in ((DATA_TAG, "data"), (COUNTED_TAG, "thresholds")):
        if new.tags.get(tag) != champion.tags.get(tag):
            raise InputError(
                f"{tag} of the model at hand", new.tags.get(tag),
                f"{champion.tags.get(tag)}, of the champion, version {champion.number}",
                f"AP on other {what} says nothing: repeat the champion's experiment on these, or "
                "set the alias in MLflow by hand",
            )  # fmt: skip


def is_better(new: Version, champion: Version) -> bool:
    """Says whether the new one's AP is greater; equal is not better."""
    ours, theirs = new.figure(DECIDES), champion.figure(DECIDES)
    return ours is not None and (theirs is None or ours > theirs)


def comparison(new: Version, champion: Version | None) -> Iterator[str]:
    """Yields the lines of a table of both: origin, then figures with their difference."""
    theirs = champion.tags if champion else {}
    beside = f"champion, version {champion.number}" if champion else "no champion"
    yield f"{'':16}{f'version {new.number}':>20}{beside:>24}"
    for tag in (MODEL_TAG, "git.commit", "dvc.exp_name", DATA_TAG):
        if tag in new.tags or tag in theirs:
            origins = (tags.get(tag, "–")[:SHOWN] for tags in (new.tags, theirs))
            yield "{:16}{:>20}{:>24}".format(tag, *origins)
    for name in (tag.removeprefix(FIGURE) for tag in new.tags if tag.startswith(FIGURE)):
        ours, other = new.figure(name), champion.figure(name) if champion else None
        change = "" if ours is None or other is None else f"{ours - other:+10.4f}"
        yield f"{name:16}{_shown(ours):>20}{_shown(other):>24}{change}"


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
