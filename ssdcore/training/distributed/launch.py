"""Runs a stage as a group of processes with msrun, on one machine or several.

With several machines, run the stage on each of them with the same files and parameters, and set
the machine's number in the environment: `SSD_NODE_RANK=1 python -m stages.train` on the second.
"""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import STDOUT, Popen
from time import strftime

from ssdcore.core.errors import InputError
from ssdcore.core.messages import say
from ssdcore.params.schema import RuntimeParams
from ssdcore.training.distributed.supervise import Supervisor
from ssdcore.training.distributed.worker import ROLE

NODE_RANK = "SSD_NODE_RANK"
LOOPBACK = "127.0.0.1"
CONNECT_SECONDS = 600
"""Limit for the processes of all machines to find each other."""


def is_launcher(runtime: RuntimeParams) -> bool:
    """Returns whether this process must start others instead of training itself."""
    return runtime.devices * runtime.machines > 1 and ROLE not in os.environ


def is_first(runtime: RuntimeParams) -> bool:
    """Returns whether this process is the first of a training: no worker, and on machine 0.

    Raises:
        InputError: the machine's number is invalid.
    """
    return ROLE not in os.environ and _node_rank(runtime.machines) == 0


def launch(module: str, arguments: Sequence[str], runtime: RuntimeParams, logs: Path) -> int:
    """Runs `python -m module arguments…` in `runtime.devices` processes of this machine.

    The output of the first process is shown; all outputs go to a new folder in `logs`. If one
    process fails, the others are ended at once.

    Returns:
        The exit status: 0 if all processes end with it; that of the processes if they end as
        intended (2: input error, 75: stopped with the state saved); 128 plus its number after a
        signal; 1 if a process fails.

    Raises:
        InputError: the machine's number or the address is invalid.
    """
    node_rank = _node_rank(runtime.machines)
    host, port = _scheduler_address(runtime.master if runtime.machines > 1 else None, node_rank)
    size = runtime.devices * runtime.machines
    ranks = range(node_rank * runtime.devices, (node_rank + 1) * runtime.devices)
    name = f"{module.split('.')[-1]}-{strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder = logs.absolute() / name
    folder.mkdir(parents=True)
    command = [
        sys.executable, "-m", "mindspore.parallel.cluster.run",
        f"--worker_num={size}", f"--local_worker_num={len(ranks)}",
        f"--master_addr={host}", f"--master_port={port}", f"--node_rank={node_rank}",
        f"--cluster_time_out={CONNECT_SECONDS}", f"--log_dir={folder}", "--join=False",
        "python", "-m", "ssdcore.training.distributed.worker", str(folder), str(os.getpid()),
        module, *arguments,
    ]  # fmt: skip
    # msrun starts the first `python` on the search path
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
    say(f"{size} processes, logs in {os.path.relpath(folder)}")
    with (folder / "msrun.log").open("wb") as log:
        # in its own session, so that Ctrl+C in a terminal reaches it only through this process
        msrun = Popen(command, stdout=log, stderr=STDOUT, env=environment, start_new_session=True)
    return Supervisor(msrun, folder, ranks, size).run()


def _node_rank(machines: int) -> int:
    """Returns this machine's number, from 0."""
    if machines == 1:
        return 0
    value = os.environ.get(NODE_RANK)
    if value is None or not value.isdecimal() or int(value) >= machines:
        raise InputError(
            NODE_RANK, value, f"this machine's number, 0 to {machines - 1}",
            f"Set it in the environment, 0 on the machine of runtime.master: {NODE_RANK}=0",
        )  # fmt: skip
    return int(value)


def _scheduler_address(master: str | None, node_rank: int) -> tuple[str, int]:
    """Returns host and port of msrun's scheduler.

    Checks that the port is free, because msrun waits silently if it is not.
    """
    host, port = LOOPBACK, 0
    if master is not None:
        host, _, number = master.partition(":")
        port = int(number)
    if node_rank > 0:
        return host, port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of a run that just ended
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                "runtime.master", master, "a free port of the machine with number 0",
                f"{error.strerror}: choose another",
            ) from None  # fmt: skip
        return host, int(probe.getsockname()[1])
