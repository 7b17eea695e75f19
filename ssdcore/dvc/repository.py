"""Opens the DVC repository and checks which stages have changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ssdcore.core.errors import InputError, RunError


@contextmanager
def open_repository(folder: Path | None = None) -> Iterator[Any]:
    """Yields the `dvc.repo.Repo` around `folder`, by default around the working folder.

    Raises:
        InputError: the folder is not in a DVC repository.
        RunError: DVC reports an error, here or within the block.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    try:
        with Repo(folder) as repo:
            yield repo
    except NotDvcRepoError:
        raise InputError(
            str(folder or Path.cwd()), "no .dvc", "a folder in a DVC repository",
            "Run this in the repository's root folder",
        ) from None  # fmt: skip
    except DvcException as error:
        raise RunError(f"DVC: {in_one_line(error)}") from None


def changed_stages() -> list[str]:
    """Returns the stages of dvc.yaml that `dvc repro` would run, as far as DVC can tell now.

    Raises:
        InputError, RunError: as `open_repository`.
    """
    with open_repository() as repo:
        return [name for name, changes in repo.status().items() if changes]


def in_one_line(error: Exception) -> str:
    """Returns the text of an error without line breaks."""
    return " ".join(str(error).split())
