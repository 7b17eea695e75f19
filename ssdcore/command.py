"""The shell that all stages share: a command line, and exit statuses that mean something.

0: done. 2: the user's input is wrong; one message says where and what to do. 1: anything else.
"""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ssdcore.errors import InputError

ParamsOption = Annotated[Path, typer.Option("--params", help="The parameter file.")]
DEFAULT_PARAMS = Path("params.yaml")
MINDSPORE_ERRORS_ONLY = "3"
"""GLOG_v, MindSpore's log level: on a CPU it warns of every accelerator that is not there."""


def run(function: Callable[..., None]) -> None:
    """Runs `function` as this process's command, its arguments read from the command line."""

    @functools.wraps(function)
    def guarded(**arguments: object) -> None:
        try:
            function(**arguments)
        except InputError as error:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
            sys.exit(2)

    os.environ.setdefault("GLOG_v", MINDSPORE_ERRORS_ONLY)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(guarded)
    app()
