"""A group in which one process ends during an exchange, in the way that the argument names."""

import os
import signal
import sys

from ssdcore.models.device import configure
from ssdcore.training.distributed.group import join_group


def main() -> None:
    configure("CPU")
    group = join_group()
    print(f"process {group.rank} is there", flush=True)
    group.gather(None)
    if group.rank == 1:
        if sys.argv[1] == "raise":
            raise RuntimeError("one of us has to")
        if sys.argv[1] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "mistake":
            print("error: a.json: found 1, expected 2.", file=sys.stderr)
            sys.exit(2)
    group.gather(None)
    print("never said")


if __name__ == "__main__":
    main()
