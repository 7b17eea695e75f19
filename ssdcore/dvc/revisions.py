"""States of the repository to read from: the working folder, git's revisions, DVC's experiments.

The only module that knows DVC. What is not in git comes from DVC's cache, else from its remote.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.core.errors import InputError

WORKSPACE = "workspace"
"""The name of the working folder as it is now, as DVC's own commands call it."""
SHORT = 12  # digits of a commit's hash
MESSAGE_OF_DVC = "dvc: commit experiment "


class Origin(NamedTuple):
    """Where a state comes from; what it does not have is empty.

    Attributes:
        commit: its abbreviated hash; the working folder's is the one it was checked out from.
        subject: the first line of the commit's message, unless DVC wrote it.
        date: the day of the commit, in UTC.
        experiment: DVC's name for it.
        baseline: the abbreviated hash of the commit that the experiment started from.
    """

    commit: str = ""
    subject: str = ""
    date: str = ""
    experiment: str = ""
    baseline: str = ""


class Revision:
    """One state of the repository.

    Args:
        name: as the user calls it.
        origin: where it comes from.
        filesystem: its `DVCFileSystem`.
        folder: the working folder, of whose files those on the disk count; None for a commit.
    """

    def __init__(
        self, name: str, origin: Origin, filesystem: Any, folder: Path | None = None
    ) -> None:
        self.name, self.origin = name, origin
        self._filesystem, self._folder = filesystem, folder

    def read(self, path: Path) -> bytes | None:
        """Returns a file's content; None where this state has no such file.

        Raises:
            InputError: it should have, but neither DVC's cache nor a remote holds it.
        """
        if self._folder and (self._folder / path).is_file():
            return (self._folder / path).read_bytes()
        with self._held(path):
            if not self._has(path):
                return None
            with self._filesystem.open(path.as_posix(), "rb") as file:
                content: bytes = file.read()
                return content

    def fetch(self, folder: Path, target: Path) -> bool:
        """Copies a folder to `target`, a new one; False where this state has no such folder.

        Raises:
            InputError: as `read`.
        """
        if self._folder and (self._folder / folder).is_dir():
            shutil.copytree(self._folder / folder, target)
            return True
        with self._held(folder):
            if not self._has(folder):
                return False
            self._filesystem.get(folder.as_posix(), str(target), recursive=True)
        return True

    def _has(self, path: Path) -> bool:
        try:
            self._filesystem.info(path.as_posix())
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def _held(self, path: Path) -> Iterator[None]:
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexError

        try:
            yield
        except (OSError, DataIndexError, DvcException) as error:
            raise InputError(
                f"{path} of {self.name}",
                _in_one_line(error),
                "a file in DVC's cache or its remote",
                "Push it where it was made (`dvc push`, `dvc exp push`), or make it again: check "
                "it out or apply it, then `dvc repro`",
            ) from None


@contextmanager
def open_revisions(names: Sequence[str], option: str = "--compare") -> Iterator[list[Revision]]:
    """Opens states of the repository around the working folder, in the order of their names.

    Args:
        names: `workspace`, or what git or DVC know: an experiment, a tag, a branch, a hash.
        option: of the command line, where they were named.

    Raises:
        InputError: the working folder is in no such repository, or it has no such revision.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import NoSCM

    try:
        repo = Repo()
    except NotDvcRepoError as error:
        raise InputError(
            str(Path.cwd()), _in_one_line(error), "a folder of a DVC repository"
        ) from None
    with repo:
        if isinstance(repo.scm, NoSCM):
            raise InputError(str(Path.cwd()), "no git", "a git repository, which has revisions")
        yield [_open(repo, name, option) for name in names]


def _open(repo: Any, name: str, option: str) -> Revision:
    from dvc.api import DVCFileSystem

    commit = _commit(repo, "HEAD" if name == WORKSPACE else name, option)
    if name == WORKSPACE:
        origin, folder = Origin(commit.hexsha[:SHORT]), Path(repo.root_dir)
        return Revision(name, origin, DVCFileSystem(repo.root_dir), folder)
    experiment = repo.experiments.get_exact_name([commit.hexsha])[commit.hexsha] or ""
    subject = commit.message.partition("\n")[0]
    origin = Origin(
        commit.hexsha[:SHORT],
        "" if subject.startswith(MESSAGE_OF_DVC) else subject,
        datetime.fromtimestamp(commit.commit_time, timezone.utc).date().isoformat(),
        experiment,
        commit.parents[0][:SHORT] if experiment else "",
    )
    return Revision(name, origin, DVCFileSystem(repo.root_dir, rev=commit.hexsha))


def _commit(repo: Any, name: str, option: str) -> Any:
    from dvc.scm import SCMError, resolve_rev

    try:
        if name:  # git takes an empty one for HEAD
            return repo.scm.resolve_commit(resolve_rev(repo.scm, name))
    except SCMError:
        pass
    raise InputError(
        option,
        name,
        "an experiment, tag, branch or commit",
        "`dvc exp show` and `git log` list them",
    )


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
