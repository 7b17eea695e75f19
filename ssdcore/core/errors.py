"""Exceptions that end a command with a message instead of a traceback, and their exit status."""

import errno
import os
import reprlib

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Ending(Exception):  # noqa: N818 - a requested stop is not an error
    """Ends the command; the text gives the reason in full sentences."""

    status = 1  # the exit status
    word = "error"  # the first of the printed message


LONGEST_VALUE = 500
"""Characters of a value in a message; a file may hold values of any length."""
NESTED = reprlib.Repr()
"""Shows lists and dicts in part: a YAML file of a kilobyte can describe more than memory holds."""
NESTED.maxlevel = 3
NESTED.maxlist = NESTED.maxtuple = NESTED.maxdict = NESTED.maxset = NESTED.maxfrozenset = 20
NESTED.maxstring = NESTED.maxother = NESTED.maxlong = LONGEST_VALUE


class InputError(Ending):
    """The user's input (a parameter, a file, a folder) is wrong; commands exit with status 2.

    Args:
        where: where the user finds the value (`train.lr_max`, a path).
        value: the value that was found.
        expected: a description of a correct value, without a leading "expected".
        remedy: what to do, an imperative sentence without a full stop; empty if it is obvious.
    """

    status = 2

    def __init__(self, where: str, value: object, expected: str, remedy: str = "") -> None:
        self.where, self.value, self.expected, self.remedy = where, value, expected, remedy
        shown = repr(value) if isinstance(value, str) else NESTED.repr(value)
        if len(shown) > LONGEST_VALUE:
            shown = shown[:LONGEST_VALUE] + "…"
        message = f"{where}: found {shown}, expected {expected}"
        super().__init__(f"{message}. {remedy}." if remedy else f"{message}.")


def no_such_path(key: str, path: str, expected: str) -> InputError:
    """Returns the message for a path of the user's, set in `key`, that does not exist."""
    remedy = f"Correct the spelling, or set {key} to another path"
    if path[1:3] in (":\\", ":/"):
        own = f"/mnt/{path[0].lower()}/" + path[3:].replace("\\", "/")
        remedy = f"Windows' disks are under /mnt in WSL: set {key} to {own}"
    return InputError(key, f"{path}, which does not exist", expected, remedy)


class RunError(Ending):
    """The work failed for another reason than the user's input; commands exit with status 1."""


def disk_fault(error: BaseException) -> str:
    """Returns why nothing can be written (no room, no quota, read-only), or "" for other errors.

    Libraries such as safetensors raise errors of their own, which say so only in their text.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return str(error.strerror) if error.errno in DISK_FULL else ""
    texts = {os.strerror(number): os.strerror(number) for number in DISK_FULL}
    texts["No free disk"] = os.strerror(errno.ENOSPC)  # MindRecord's
    return next((reason for text, reason in texts.items() if text in str(error)), "")


class Stopped(Ending):
    """A signal stopped the work before its end; commands exit with status 75.

    The finished part is kept, and the same command resumes it. In sysexits.h, 75 is EX_TEMPFAIL:
    a temporary failure, try again later.
    """

    status = 75
    word = "stopped"


FOUND_INSTEAD = {
    errno.ENOENT: "no file",
    errno.EISDIR: "a folder",
    errno.ENOTDIR: "a file in place of a folder",
    errno.EEXIST: "a file in place of a folder",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENAMETOOLONG: "too long a name",
}
EXPECTED = {
    errno.ENOENT: (
        "a file", "If a stage makes it, run `dvc repro`, which runs the stages in order"
    ),
    errno.EISDIR: ("a file", ""),
}  # fmt: skip


def found_instead(error: Exception) -> str:
    """Returns what was found instead of a usable file, or else the text of the error."""
    found = FOUND_INSTEAD.get(getattr(error, "errno", None) or 0)
    return found or getattr(error, "strerror", None) or str(error) or type(error).__name__


def path_error(error: OSError) -> InputError | None:
    """Returns the message for a path that cannot be used; None if another fault is to blame."""
    if error.filename is None or error.errno not in FOUND_INSTEAD:
        return None
    expected, remedy = EXPECTED.get(error.errno, ("a path that can be used", ""))
    return InputError(str(error.filename), FOUND_INSTEAD[error.errno], expected, remedy)
