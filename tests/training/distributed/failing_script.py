"""A group of which one process ends before the others hear from it: how, says the argument."""

import os
import signal
import sys

import numpy as np

from ssdcore.models.device import configure
from ssdcore.training.distributed.group import join_group


def main() -> None:
    configure("CPU")
    group = join_group()
    print(f"process {group.rank} is there", flush=True)
    group.gather(np.zeros(1, np.float32))
    if group.rank == 1:
        if sys.argv[1] == "raise":
            raise RuntimeError("one of us has to")
        if sys.argv[1] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[1] == "mistake":
            print("error: a.json: found 1, expected 2.", file=sys.stderr)
            sys.exit(2)
    group.gather(np.zeros(1, np.float32))
    print("never said")


if __name__ == "__main__":
    main()
