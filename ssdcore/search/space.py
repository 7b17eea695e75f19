"""Reads search.yaml, which defines the search, and the commit that all trials start from."""

import os
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_json
from ssdcore.core.nested import leaves
from ssdcore.core.processes import git_output
from ssdcore.dvc.repository import at_rest
from ssdcore.params.reader import check_params, read_params, read_values
from ssdcore.params.schema import Params
from ssdcore.params.types import Count, Section, checked, relation

SPACE = Path("search.yaml")
SECTIONS = ("model", "train", "evaluate", "runtime")
"""Sections that may be searched. AP does not compare across data sets."""
DIGITS = 4
"""Significant digits of a proposed number."""
MAX_SEED = 2**32 - 1
RESULTS = ("dvc.lock", "metrics")
"""Committed files that a trial does not start from."""


class Range(Section):
    """The values to try of one parameter: an interval, or a list of choices (lists, too)."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: Annotated[float | int, Field(gt=0)] | None = None
    choices: Annotated[list[Any], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        interval = self.low is not None and self.high is not None
        if interval == (self.choices is not None):
            raise relation("choices", self.choices, "low and high, or else choices")
        if self.choices is not None and (self.log or self.step):
            raise relation("choices", self.choices, "no log and no step beside choices")
        if self.low is not None and self.high is not None:
            if not self.low < self.high:
                raise relation("high", self.high, f"a number above low, {self.low}")
            if self.log and (self.low <= 0 or self.step):
                raise relation("log", self.log, "a low above 0 and no step")
        return self

    def ends(self) -> list[Any]:
        """Returns the values that have to be valid, so that all others are."""
        ends: list[Any] = self.choices or [self.low, self.high]
        if self.step is None:
            return ends
        second = ends[0] + self.step
        return [*ends, second if second <= ends[1] else ends[0] + 0 * self.step]  # of its type

    def rounded(self, value: Any) -> Any:
        """Returns a proposed number with few digits, for people, and within the interval."""
        if not isinstance(value, float):
            return value
        low, high, *_ = self.ends()
        return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def _study_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{,59}", text):
        raise PydanticCustomError("study", "up to 60 letters, digits, - and _")
    return text


class Pruning(Section):
    """The rule that ends a trial early if it is worse than the others."""

    after_trials: Annotated[int, Field(ge=0)]
    after_epochs: Annotated[int, Field(ge=0)]


class Space(Section):
    """The content of search.yaml."""

    study: Annotated[str, AfterValidator(_study_name)]
    trials: Count
    sampler: Literal["tpe", "random"]
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    prune: Pruning | None
    fixed: dict[str, Any]
    params: Annotated[dict[str, Range], Field(min_length=1)]

    def rules(self) -> dict[str, Any]:
        """Returns what must not change during a study: all but the number of trials."""
        return self.model_dump(mode="json", exclude={"trials"})


def read_space(path: Path, params: Path) -> tuple[Space, dict[str, Any]]:
    """Reads the search space in `path`, and checks its parameters and their bounds.

    Returns:
        The space, and the parameters of `params` with the fixed ones, by dotted key.

    Raises:
        InputError: the file is missing or wrong, or a parameter does not exist or may not have a
            value that the search could propose.
    """
    remedy = f"See {SPACE} of a fresh clone and docs/sweeps.md"
    try:
        content = read_values(path)
    except InputError as error:
        if isinstance(error.value, str):
            raise InputError(error.where, error.value, error.expected, remedy) from None
        raise InputError(str(path), error.value, "the keys of a search", remedy) from None
    space = checked(Space, content, str(path), remedy)
    base = dict(leaves(read_values(params)))
    for key in chain(space.fixed, space.params):
        if key.partition(".")[0] not in SECTIONS:
            expected = f"a parameter of {', '.join(SECTIONS)}"
            raise InputError(f"{path}: {key}", key, expected, "AP compares on the same data alone")
        if key in space.fixed and key in space.params:
            raise InputError(f"{path}: {key}", "fixed and searched", "one of both")
        if key not in base:
            check_params(_nested({**base, key: None}), path)  # the message lists the known keys
            raise InputError(f"{path}: {key}", key, f"a parameter of {params}")
    base |= space.fixed
    check_params(_nested(base), path)
    for key, one in space.params.items():
        for value in one.ends():
            check_params(_nested({**base, key: like(base[key], value)}), path)
    return space, base


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the sections of dotted keys, the inverse of `leaves`."""
    sections: dict[str, Any] = {}
    for key, value in values.items():
        *path, name = key.split(".")
        section = sections
        for part in path:
            section = section.setdefault(part, {})
        section[name] = value
    return sections


def is_whole(one: Range, present: object) -> bool:
    """Returns whether an interval has whole numbers alone."""
    bounds = (one.low, one.high, one.step, present)
    return not any(isinstance(bound, float) for bound in bounds)


def like(present: object, value: Any) -> Any:
    """Returns a number as float where the present one is: parameters are strictly typed."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if isinstance(present, float) and is_number else value


class Start(NamedTuple):
    """The start of a study.

    Attributes:
        path: of the search space.
        space: what is searched.
        params: params.yaml.
        base: params.yaml with the fixed parameters, by dotted key.
        baseline: the commit that all experiments start from.
        origin: a hash of the commit and of what is not committed, except the search space.
    """

    path: Path
    space: Space
    params: Params
    base: Mapping[str, Any]
    baseline: str
    origin: str

    def require_same(self) -> None:
        """Checks that a trial would start from the same files now.

        Raises:
            InputError: it would not.
        """
        with at_rest():
            if _origin(self.path) != (self.baseline, self.origin):
                expected = f"the commit and the files that {self.space.study} began with"
                remedy = "Restore them; the same command resumes the search"
                raise InputError(str(Path.cwd()), "changed files", expected, remedy)


def read_start(path: Path) -> Start:
    """Reads the search space in `path`, params.yaml and the state of the repository.

    Raises:
        InputError: a file is missing or wrong, or there is no commit.
    """
    with at_rest():
        params = read_params(layout.PARAMS)
        space, base = read_space(path, layout.PARAMS)
        return Start(path, space, params, base, *_origin(path))


def _origin(path: Path) -> tuple[str, str]:
    commit = git_output(Path(), "rev-parse", "HEAD")
    if not commit:
        raise InputError(str(Path.cwd()), "no commit", "a git repository, which has experiments")
    own = os.path.relpath(path)
    left_out = [*RESULTS, *([] if own.startswith(os.pardir) else [own])]
    excluded = (f":(exclude){path}" for path in left_out)
    changes = git_output(Path(), "diff", "HEAD", "--", ".", *excluded)
    return commit, sha256_of_json([commit, changes])
