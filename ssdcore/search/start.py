"""What all trials of a study start from: the commit, the files and the search space."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.core.files import sha256_of_json
from ssdcore.core.processes import git_output
from ssdcore.dvc.repository import at_rest
from ssdcore.params.reader import read_params
from ssdcore.params.schema import Params
from ssdcore.search.space import Space, read_space

RESULTS = ("dvc.lock", "metrics")
"""Committed files that a trial does not start from."""


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
