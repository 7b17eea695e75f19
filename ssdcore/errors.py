"""The one error that is the user's to mend."""


class InputError(Exception):
    """Input from outside (a parameter, a file, a folder) is wrong; commands exit with status 2.

    Args:
        place: where the value stands, as the user would look for it (`train.lr_max`, a path).
        value: what was found there.
        expected: what would have been right, without a leading "expected".
        remedy: what to do, an imperative sentence without a full stop; empty where it is plain.
    """

    def __init__(self, place: str, value: object, expected: str, remedy: str = "") -> None:
        self.place, self.value, self.expected, self.remedy = place, value, expected, remedy
        message = f"{place}: found {value!r}, expected {expected}"
        super().__init__(f"{message}. {remedy}." if remedy else f"{message}.")
