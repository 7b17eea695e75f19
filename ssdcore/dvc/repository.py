"""The DVC repository: opens it, lists its changed stages, and reads files of its revisions.

The repository is a git repository, or a subfolder of one, with or without `dvc init --subdir`.
Paths are relative to its root; `folder_in_git` returns the root's path in a commit.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ssdcore.core.errors import InputError, RunError

WORKSPACE = "workspace"
"""The name of the working folder as it is now, as in DVC's own commands."""
SHORT = 12  # digits of an abbreviated commit hash
DVC_MESSAGE = "dvc: commit experiment "
"""The beginning of the message of a commit that DVC makes itself."""


@contextmanager
def open_repository(folder: Path | None = None, *, wait: bool = False) -> Iterator[Any]:
    """Yields the `dvc.repo.Repo` around `folder`, by default around the working folder.

    With `wait`, waits for other DVC commands that change it, instead of failing after 3 s.

    Raises:
        InputError: the folder is not in a DVC repository.
        RunError: DVC reports an error, here or within the block.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(folder, _wait_for_lock=wait) as repo:
            yield repo
    except NotDvcRepoError:
        raise InputError(
            str(folder or Path.cwd()), "no .dvc", "a folder in a DVC repository",
            "Run this in the repository's root folder",
        ) from None  # fmt: skip
    except DvcException as error:
        raise RunError(f"DVC: {in_one_line(error)}") from None


@contextmanager
def at_rest() -> Iterator[Any]:
    """Yields the repository while no DVC command changes the working folder.

    `dvc exp run --temp` stashes the user's changes and restores them when it begins.

    Raises:
        InputError, RunError: as `open_repository`.
    """
    with open_repository(wait=True) as repo, repo.lock:
        yield repo


def status(repo: Any, *stages: str) -> list[str]:
    """Returns which stages, all by default, and stages before them have changed since they ran."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library of DVC's
        found = repo.status(targets=list(stages) or None, with_deps=bool(stages))
    return [name for name, changes in found.items() if changes]


def folder_in_git(repo: Any) -> Path:
    """Returns the root of a DVC repository, relative to the root of the git repository."""
    root, top = (Path(folder).resolve() for folder in (repo.root_dir, repo.scm.root_dir))
    return root.relative_to(top)


def in_one_line(error: Exception) -> str:
    """Returns the text of an error without line breaks."""
    return " ".join(str(error).split())


class Origin(NamedTuple):
    """The origin of a revision; unknown fields are empty.

    Attributes:
        commit: the abbreviated commit hash; for the working folder, that of HEAD.
        subject: the first line of the commit message, unless DVC wrote it.
        date: the day of the commit, in UTC.
        experiment: the name of the DVC experiment.
        baseline: the abbreviated hash of the commit that the experiment started from.
    """

    commit: str = ""
    subject: str = ""
    date: str = ""
    experiment: str = ""
    baseline: str = ""


class Revision:
    """One revision of the repository.

    Args:
        name: the name that the user gave.
        origin: where it comes from.
        filesystem: its `DVCFileSystem`.
        root: the repository's root in that file system.
        folder: the working folder, whose files on disk take precedence; None for a commit.
    """

    def __init__(
        self, name: str, origin: Origin, filesystem: Any, root: Path, folder: Path | None = None
    ) -> None:
        self.name, self.origin = name, origin
        self._filesystem, self._root, self._folder = filesystem, root, folder

    def read(self, path: Path) -> bytes | None:
        """Returns the content of a file; None if the revision has no such file.

        Raises:
            InputError: the revision has the file, but neither DVC's cache nor a remote holds it.
        """
        if self._folder and (self._folder / path).is_file():
            return (self._folder / path).read_bytes()
        with self._explained(path):
            if not self._has(path):
                return None
            content: bytes = self._filesystem.read_bytes(self._inside(path))
            return content

    def fetch(self, path: Path, target: Path) -> Path | None:
        """Returns a folder or file on disk, or copies it to the new `target`; None without one.

        Raises:
            InputError: like `read`.
        """
        if self._folder and (self._folder / path).exists():
            return self._folder / path
        with self._explained(path):
            if not self._has(path):
                return None
            self._filesystem.get(self._inside(path), str(target), recursive=True)
        return target

    def _has(self, path: Path) -> bool:
        try:
            self._filesystem.info(self._inside(path))
        except FileNotFoundError:
            return False
        return True

    def _inside(self, path: Path) -> str:
        return (self._root / path).as_posix()

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        """Turns DVC's errors within the block into one that names the file and a remedy."""
        from dvc.exceptions import DvcException
        from dvc_data.index import DataIndexError

        try:
            yield
        except (OSError, DataIndexError, DvcException) as error:
            raise InputError(
                f"{path} of {self.name}",
                in_one_line(error),
                "a file in DVC's cache or its remote",
                "Push it from where it was made (`dvc push`, `dvc exp push`), or reproduce it: "
                "check out the commit or apply the experiment, then `dvc repro`",
            ) from None


@contextmanager
def open_revisions(
    names: Sequence[str], option: str = "--compare", folder: Path | None = None
) -> Iterator[list[Revision]]:
    """Opens revisions of a repository, in the order of their names.

    Args:
        names: `workspace`, an experiment, or a tag, branch or hash of git.
        option: the command line option that names them, for error messages.
        folder: any folder of the repository; None for the working folder.

    Raises:
        InputError: the folder is not in a repository of git and DVC, or a name is unknown.
        RunError: DVC cannot open the repository.
    """
    from dvc.scm import NoSCM

    with open_repository(folder) as repo:
        if isinstance(repo.scm, NoSCM):
            raise InputError(repo.root_dir, "no git", "a git repository, which has revisions")
        yield [_open(repo, name, option) for name in names]


def _open(repo: Any, name: str, option: str) -> Revision:
    from dvc.api import DVCFileSystem

    commit = _commit(repo, "HEAD" if name == WORKSPACE else name, option)
    if name == WORKSPACE:
        origin, folder = Origin(commit.hexsha[:SHORT]), Path(repo.root_dir)
        return Revision(name, origin, DVCFileSystem(repo.root_dir), Path(), folder)
    experiment = repo.experiments.get_exact_name([commit.hexsha])[commit.hexsha] or ""
    subject = commit.message.partition("\n")[0]
    origin = Origin(
        commit.hexsha[:SHORT],
        "" if subject.startswith(DVC_MESSAGE) else subject,
        datetime.fromtimestamp(commit.commit_time, timezone.utc).date().isoformat(),
        experiment,
        commit.parents[0][:SHORT] if experiment else "",
    )
    # the file system of a commit begins at git's root, where DVC's repository is a nested one
    filesystem = DVCFileSystem(repo.root_dir, rev=commit.hexsha, subrepos=True)
    return Revision(name, origin, filesystem, folder_in_git(repo))


def _commit(repo: Any, name: str, option: str) -> Any:
    from dvc.scm import SCMError, resolve_rev

    try:
        if name:  # git takes an empty name for HEAD
            return repo.scm.resolve_commit(resolve_rev(repo.scm, name))
    except SCMError:
        pass
    raise InputError(
        option,
        name,
        "the name of one experiment, tag, branch or commit",
        "`dvc exp show --all-commits` and `git log` list them; "
        "if several experiments share a name, give the hash",
    )
