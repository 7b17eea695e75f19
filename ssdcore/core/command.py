"""The shell that all stages share: a command line, and exit statuses that mean something.

0: done. 2: the user's input is wrong; one message says where and what to do. 75: stopped by a
signal, and the same command goes on from there. 1: anything else.
"""

import errno
import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ssdcore.core import layout
from ssdcore.core.errors import Ending, InputError, Stopped
from ssdcore.core.failure import report_at_exit

ParamsOption = Annotated[Path, typer.Option("--params", help="The parameter file.")]
DEFAULT_PARAMS = layout.PARAMS
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
ERRORS_ONLY = {"GLOG_v": "3", "OPENCV_LOG_LEVEL": "ERROR", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
"""Log levels where the environment sets none: on a CPU MindSpore warns of every accelerator that
is not there, and OpenCV and FFmpeg of images and videos that are counted as broken."""


def run(function: Callable[..., None]) -> None:
    """Runs `function` as this process's command, its arguments read from the command line."""
    app = _app()
    app.command()(_guarded(function))
    app()


def run_one_of(
    *functions: Callable[..., None], about: str, otherwise: Callable[..., None] | None = None
) -> None:
    """Runs the function that the command line's first word names.

    Args:
        functions: named by their own names.
        about: the help of all.
        otherwise: runs where there is no word, with the file of `--params` as `params`; None shows
            the help.
    """
    app = _app(
        help=about, no_args_is_help=otherwise is None, invoke_without_command=otherwise is not None
    )

    if otherwise is None:
        app.callback()(lambda: None)  # without one, a single function would need no name
    else:
        guarded = _guarded(otherwise)

        def without_word(context: typer.Context, params: ParamsOption = DEFAULT_PARAMS) -> None:
            if context.invoked_subcommand is None:
                guarded(params=params)

        app.callback()(without_word)
    for function in functions:
        app.command()(_guarded(function))
    app()


def _app(**settings: Any) -> typer.Typer:
    for name, level in ERRORS_ONLY.items():
        os.environ.setdefault(name, level)
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )


def _guarded(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def guarded(**arguments: object) -> None:
        try:
            with _attended(arguments.get("params", DEFAULT_PARAMS)):
                function(**arguments)
        except Ending as ending:
            typer.secho(f"{ending.word}: {ending}", err=True, fg=typer.colors.RED)
            sys.exit(ending.status)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            place = error.filename or "a file"
            text = f"{place}: {error.strerror}. Make room, then run the same command again."
            typer.secho(f"error: {text}", err=True, fg=typer.colors.RED)
            sys.exit(InputError.status)

    return guarded


@contextmanager
def _attended(params: object) -> Iterator[None]:
    """Attends to failures; a wish to stop is none."""
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        report_at_exit(error, Path(str(params)))
        raise
