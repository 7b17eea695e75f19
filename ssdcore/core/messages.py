"""Prints messages: the only way from a text to the terminal or the log.

Texts may come from files and servers: names in archives, class names, answers of a server. A
terminal executes control characters in them, so they are printed as escapes.
"""

import io
import os
import sys
from contextlib import nullcontext

ON_UNKNOWN = "backslashreplace"
"""Handling of characters that the encoding of the terminal or log lacks."""


def printable(text: str) -> str:
    r"""Returns `text` with escapes such as \x1b in place of what is not printable.

    Letters of all languages and line breaks stay.
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def counted(number: int, one: str, several: str = "") -> str:
    """Returns a number and its noun: 1 image, 2 images; 2 classes with `several`."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def say(text: str, *, error: bool = False) -> None:
    """Prints a `printable` text and a line break at once, above the progress bar if there is one.

    It never fails: finished work is kept even if nobody reads the output (`| head -1`) or the
    disk of the log is full. Further output of the process is then dropped.
    """
    stream = sys.stderr if error else sys.stdout
    bars = sys.modules.get("tqdm")  # a process that shows no bar need not have it
    try:
        with bars.tqdm.external_write_mode(stream) if bars else nullcontext():
            stream.write(f"{printable(text)}\n")
            stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def prepare_output() -> None:
    """Prepares this process and its children for text that their terminal or log can't show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # it was closed when the process started
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ON_UNKNOWN)
    encoding = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    os.environ["PYTHONIOENCODING"] = f"{encoding}:{ON_UNKNOWN}"
