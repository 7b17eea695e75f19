"""The spellings of a file's name: operating systems differ in slashes and composed letters."""

import posixpath
import unicodedata


def plain_name(name: str) -> str:
    """Returns the one spelling by which names are compared: `/` and composed letters (NFC)."""
    return unicodedata.normalize("NFC", posixpath.normpath(name.replace("\\", "/")))


def spellings(name: str) -> list[str]:
    """Returns the name as it is, then with `/` for backslashes and its letters in NFC and NFD."""
    forward = name.replace("\\", "/")
    others = {forward, *(unicodedata.normalize(form, forward) for form in ("NFC", "NFD"))}
    return [name, *sorted(others - {name})]
