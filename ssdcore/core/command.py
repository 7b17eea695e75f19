"""Runs a function as a command: options from its signature, exit status from its exceptions.

Exit status 0: done. 2: the user's input is wrong; one message says where and what to do. 75:
stopped by a signal; the same command resumes the work. 1: anything else.
"""

import errno
import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ssdcore.core import layout
from ssdcore.core.errors import Ending, InputError, Stopped, path_error
from ssdcore.core.experiment import report_at_exit
from ssdcore.core.messages import prepare_output, say

ParamsOption = Annotated[Path, typer.Option("--params", help="The parameter file.")]
DEFAULT_PARAMS = layout.PARAMS
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
ERRORS_ONLY = {"GLOG_v": "3", "OPENCV_LOG_LEVEL": "ERROR", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
"""Log levels unless the environment sets others. On a CPU, MindSpore warns about every missing
accelerator; OpenCV and FFmpeg warn about unreadable files, which the stages count and report."""


def run(function: Callable[..., None]) -> None:
    """Runs `function` as this process's command, with arguments from the command line."""
    app = _app()
    app.command()(_with_exit_status(function))
    app()


def run_one_of(
    *functions: Callable[..., None], about: str, otherwise: Callable[..., None] | None = None
) -> None:
    """Runs the function that the first word of the command line names.

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
        command = _with_exit_status(otherwise)

        def without_subcommand(
            context: typer.Context, params: ParamsOption = DEFAULT_PARAMS
        ) -> None:
            if context.invoked_subcommand is None:
                command(params=params)

        app.callback()(without_subcommand)
    for function in functions:
        app.command()(_with_exit_status(function))
    app()


def _app(**settings: Any) -> typer.Typer:
    prepare_output()
    for name, level in ERRORS_ONLY.items():
        os.environ.setdefault(name, level)
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )


def _with_exit_status(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapped(**arguments: object) -> None:
        try:
            with _reporting_failure(arguments.get("params", DEFAULT_PARAMS)):
                function(**arguments)
        except Ending as ending:
            say(f"{ending.word}: {ending}", error=True)
            sys.exit(ending.status)
        except Exception as error:
            if not isinstance(error, OSError) or not (message := _about_file(error)):
                say(traceback.format_exc().rstrip(), error=True)
                sys.exit(1)
            say(f"error: {message}", error=True)
            sys.exit(InputError.status)

    return wrapped


def _about_file(error: OSError) -> str:
    """Returns the message for a full disk or a path that cannot be used; else an empty text."""
    if error.errno in DISK_FULL:
        where = error.filename or "a file"
        return f"{where}: {error.strerror}. Free some space, then run the same command again."
    return str(path_error(error) or "")


@contextmanager
def _reporting_failure(params: object) -> Iterator[None]:
    """Reports a failure of an experiment; a requested stop is not a failure."""
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        report_at_exit(error, Path(str(params)))
        raise
