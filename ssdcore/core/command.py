"""Makes commands of functions: options from the signature, exit status from the exceptions.

Exit status 0: done. 2: the user's input is wrong; one message says where and what to do. 75:
stopped by a signal; the same command resumes the work. 1: anything else.
"""

import functools
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from ssdcore.core import layout
from ssdcore.core.errors import Ending, InputError, Stopped, disk_fault, path_error
from ssdcore.core.experiment import report_at_exit
from ssdcore.core.messages import prepare_output, say

ParamsOption = Annotated[Path, typer.Option("--params", help="The parameter file.")]
DEFAULT_PARAMS = layout.PARAMS
ERRORS_ONLY = {"GLOG_v": "3", "OPENCV_LOG_LEVEL": "ERROR", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
"""Log levels unless the environment sets others. On a CPU, MindSpore warns about every missing
accelerator; OpenCV and FFmpeg warn about unreadable files, which the stages count and report."""


def run(app: typer.Typer) -> None:
    """Runs a command as this process, with arguments from the command line."""
    prepare_output()
    for name, level in ERRORS_ONLY.items():
        os.environ.setdefault(name, level)
    app()


def command(function: Callable[..., None]) -> typer.Typer:
    """Returns a function as a command, whose options are the function's parameters."""
    app = _app()
    app.command()(_with_exit_status(function))
    return app


def subcommands(
    *functions: Callable[..., None], about: str, otherwise: Callable[..., None] | None = None
) -> typer.Typer:
    """Returns a command that calls the function named by the first word of the command line.

    Args:
        functions: each is a subcommand with the function's name.
        about: the help text of the whole command.
        otherwise: called without a subcommand, with the value of `--params` as `params`; if None,
            the help is shown instead.
    """
    app = _app(
        help=about, no_args_is_help=otherwise is None, invoke_without_command=otherwise is not None
    )

    if otherwise is None:
        # Without a callback, Typer drops the name of a single subcommand.
        app.callback()(lambda: None)
    else:
        wrapped = _with_exit_status(otherwise)

        def without_subcommand(
            context: typer.Context, params: ParamsOption = DEFAULT_PARAMS
        ) -> None:
            if context.invoked_subcommand is None:
                wrapped(params=params)

        app.callback()(without_subcommand)
    for function in functions:
        app.command()(_with_exit_status(function))
    return app


def modules(
    package: str,
    descriptions: Mapping[str, str],
    about: str,
    named: Mapping[str, str] = MappingProxyType({}),
) -> typer.Typer:
    """Returns a command that imports the module named by the first word, and runs its `app`.

    The other modules are not imported: neither for the help nor for the shell's completion.
    """

    class Importing(TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            name, found, rest = super().resolve_command(ctx, args)
            if found is not None:
                module = named.get(str(name), str(name))
                found = get_command(import_module(f"{package}.{module}").app)
            return name, found, rest

    app = _app(help=about, no_args_is_help=True, add_completion=True, cls=Importing)
    for name, description in descriptions.items():
        app.command(name, help=description)(lambda: None)
    return app


def _app(**settings: Any) -> typer.Typer:
    fixed = {"rich_markup_mode": None, "pretty_exceptions_enable": False}
    return typer.Typer(**{"add_completion": False, **fixed, **settings})


def _with_exit_status(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapped(**arguments: object) -> None:
        try:
            function(**arguments)
        except Exception as error:
            if not isinstance(error, Stopped):  # a requested stop is not a failure
                report_at_exit(error, Path(str(arguments.get("params", DEFAULT_PARAMS))))
            message, status = _ending(error)
            say(message, error=True)
            sys.exit(status)

    return wrapped


def _ending(error: Exception) -> tuple[str, int]:
    """Returns what to print about an error, and the exit status."""
    if isinstance(error, ModuleNotFoundError) and not find_spec("mindspore"):
        error = InputError(  # an installation for prediction alone
            "this command", f"no package {error.name}", "the packages of the extra `train`",
            "Run pip install 'ssd-pipeline[train]'",
        )  # fmt: skip
    if isinstance(error, OSError):
        error = path_error(error) or error
    if isinstance(error, Ending):
        return f"{error.word}: {error}", error.status
    if reason := disk_fault(error):
        where = getattr(error, "filename", None) or "a file"
        remedy = "Free some space, then run the same command again."
        return f"error: {where}: {reason}. {remedy}", InputError.status
    return "".join(traceback.format_exception(error)).rstrip(), 1
