"""What ends a command with a message instead of a traceback, and with an exit status of its own."""


class Ending(Exception):  # noqa: N818 - a wish to stop is no error
    """The command ends here; the text says why, in full sentences.

    Attributes:
        status: the command's exit status.
        word: what the message begins with.
    """

    status = 1
    word = "error"


class InputError(Ending):
    """Input from outside (a parameter, a file, a folder) is wrong; commands exit with status 2.

    Args:
        place: where the value stands, as the user would look for it (`train.lr_max`, a path).
        value: what was found there.
        expected: what would have been right, without a leading "expected".
        remedy: what to do, an imperative sentence without a full stop; empty where it is plain.
    """

    status = 2

    def __init__(self, place: str, value: object, expected: str, remedy: str = "") -> None:
        self.place, self.value, self.expected, self.remedy = place, value, expected, remedy
        message = f"{place}: found {value!r}, expected {expected}"
        super().__init__(f"{message}. {remedy}." if remedy else f"{message}.")


class RunError(Ending):
    """The work failed, and not by the user's input; commands exit with status 1."""


class Stopped(Ending):
    """The work ended before it was done because it was asked to; commands exit with status 75.

    Nothing is wrong: what was done is kept, and the same command goes on from there. 75 is what
    sysexits.h calls a temporary failure, "try again later".
    """

    status = 75
    word = "stopped"
