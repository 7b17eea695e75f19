"""Runs a stage as a group of processes, by msrun, on this machine or on several.

On several machines every one of them runs the stage, with the same files and parameters and with
its own number in the environment: `SSD_NODE_RANK=1 python -m stages.train` on the second one.
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import STDOUT, Popen
from time import strftime

from ssdcore.core import layout
from ssdcore.core.errors import InputError
from ssdcore.params.schema import RuntimeParams
from ssdcore.training.distributed.supervise import Supervisor
from ssdcore.training.distributed.worker import ROLE

NODE_RANK = "SSD_NODE_RANK"
LOOPBACK = "127.0.0.1"
MEETING_SECONDS = 600
"""For the processes of all machines to find each other."""


def is_to_launch(runtime: RuntimeParams) -> bool:
    """Says whether this process has to start others instead of doing the work itself."""
    return runtime.devices * runtime.machines > 1 and ROLE not in os.environ


def launch(module: str, arguments: Sequence[str], runtime: RuntimeParams) -> int:
    """Runs `python -m module arguments…` in `runtime.devices` processes of this machine.

    The first one's output is shown; all outputs are in a folder of .ssd/logs. If one process
    fails, the others are ended at once.

    Returns:
        The exit status: 0 if all processes ended with it, that of the processes if they ended on
        purpose (2: the user's mistake, 75: stopped with the state saved), 128 and its number after
        a signal, 1 for a process that failed.

    Raises:
        InputError: the machines' number or address does not fit.
    """
    node_rank = _node_rank(runtime.machines)
    host, port = _meeting_point(runtime.master if runtime.machines > 1 else None, node_rank)
    size = runtime.devices * runtime.machines
    ranks = range(node_rank * runtime.devices, (node_rank + 1) * runtime.devices)
    name = f"{module.split('.')[-1]}-{strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder = layout.states().absolute() / "logs" / name
    folder.mkdir(parents=True)
    command = [
        sys.executable, "-m", "mindspore.parallel.cluster.run",
        f"--worker_num={size}", f"--local_worker_num={len(ranks)}",
        f"--master_addr={host}", f"--master_port={port}", f"--node_rank={node_rank}",
        f"--cluster_time_out={MEETING_SECONDS}", f"--log_dir={folder}", "--join=False",
        "python", "-m", "ssdcore.training.distributed.worker", str(folder), str(os.getpid()),
        module, *arguments,
    ]  # fmt: skip
    # msrun starts whatever `python` the search path finds first
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    print(f"{size} processes, logs in {os.path.relpath(folder)}", flush=True)
    with (folder / "msrun.log").open("wb") as log:
        # in a session of its own, so that a terminal's Ctrl+C reaches it by us alone
        msrun = Popen(command, stdout=log, stderr=STDOUT, env=environment, start_new_session=True)
    return Supervisor(msrun, folder, ranks, size).run()


def _node_rank(machines: int) -> int:
    """Returns this machine's number, from 0."""
    if machines == 1:
        return 0
    given = os.environ.get(NODE_RANK)
    if given is None or not given.isdecimal() or int(given) >= machines:
        raise InputError(
            NODE_RANK, given, f"this machine's number, 0 to {machines - 1}",
            f"Set it in the environment, 0 on the machine of runtime.master: {NODE_RANK}=0",
        )  # fmt: skip
    return int(given)


def _meeting_point(master: str | None, node_rank: int) -> tuple[str, int]:
    """Returns the address at which msrun's scheduler meets the processes.

    The port is seen to be free: where it is taken, msrun waits without a word.
    """
    host, port = LOOPBACK, 0
    if master is not None:
        host, _, number = master.partition(":")
        port = int(number)
    if node_rank > 0:
        return host, port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a run just over
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                "runtime.master", master, "a free port of the machine with number 0",
                f"{error.strerror}: choose another",
            ) from None  # fmt: skip
        return host, int(probe.getsockname()[1])
