"""Registers the trained model and makes it the champion if its AP is better.

The champion's own model, exported anew or with another `report.score_threshold`, replaces it.

A command for users; not a stage of the DVC pipeline. Exit status: 0 the model is the champion;
1 the old champion has the same AP or a better one, and stays, or an error such as a store that
can't be reached is printed; 2 they can't be compared, or a file is missing.
"""

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from ssdcore.core.command import DEFAULT_PARAMS, ParamsOption, command, run
from ssdcore.core.errors import InputError, RunError
from ssdcore.core.messages import say

FIRST_PORT, LAST_PORT = 5001, 5100
FORBIDDEN = '/:"'
"""Characters that a name may not have in MLflow's registry or its search."""
NameOption = Annotated[
    str | None,
    typer.Option("--name", help="Name of the registered model [tracking.experiment]."),
]


def main(params: ParamsOption = DEFAULT_PARAMS, name: NameOption = None) -> None:
    """Register export/ssd300_photos.onnx in MLflow; make it the champion if its AP is better.

    Exit status: 0 it is the champion, 1 the old champion stays or MLflow can't be reached, 2 they
    can't be compared.
    """
    from ssdcore.params.reader import read_params

    settings = read_params(params)
    name = name or settings.tracking.experiment
    if set(name) & set(FORBIDDEN) or not name.strip():
        raise InputError("--name", name, f"a name without {' '.join(FORBIDDEN)}")

    from ssdcore.serving.version import comparison, read_candidate, replaces, require_comparable
    from ssdcore.tracking.sender import sync
    from ssdcore.tracking.store import UnavailableError, locate, root_folder

    candidate = read_candidate(Path(), settings.report.score_threshold)
    for sent in sync():  # the model's run may be in a spool
        if sent.left:
            say(f"{sent.folder.name} is not sent: {sent.left}", error=True)
    store = locate()

    from ssdcore.serving.registry import CHAMPION, Registry

    try:
        registry = Registry(store, name)
        champion = registry.champion()
        version = registry.find(candidate) or registry.register(
            candidate, settings.tracking.experiment
        )
        say("\n".join(comparison(version, champion)))
        if champion and champion.number != version.number:
            require_comparable(version, champion)
            if not replaces(version, champion):
                say(f"{name}: version {champion.number} stays the {CHAMPION}.")
                sys.exit(1)
        registry.promote(version)
    except UnavailableError as error:
        raise RunError(f"{store.written(root_folder())}: {error}") from error
    if candidate.counted.get("tile"):
        say("AP was measured with tiles (evaluate.tile); a served model uses none")
    say(f"{name}: version {version.number} is the {CHAMPION}. To serve it:")
    serve = f"mlflow models serve -m 'models:/{name}@{CHAMPION}' --env-manager local"
    say(f"{serve} --port {_free_port()}")


def _free_port() -> int:
    """Returns the first free port from 5001 on; `mlflow ui` uses 5000."""
    for port in range(FIRST_PORT, LAST_PORT):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):  # nobody answers
                return port
    return LAST_PORT


app = command(main)

if __name__ == "__main__":
    run(app)
