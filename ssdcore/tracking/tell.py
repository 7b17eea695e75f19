"""What tracking says on stderr: little, and no passwords."""

import sys

from ssdcore.tracking.store import USER

REMEDY = "The next stage sends it, as does `python -m stages.doctor sync`."


def tell(line: str) -> None:
    """Prints a line on stderr, in one piece, user and password in addresses made unreadable."""
    sys.stderr.write(USER.sub("//***@", line) + "\n")
    sys.stderr.flush()
