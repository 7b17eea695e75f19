"""Suppresses MLflow's messages in the terminal."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("mlflow", "alembic", "urllib3")


@contextmanager
def quiet() -> Iterator[None]:
    """Suppresses warnings and the log lines of MLflow, Alembic and urllib3 inside the block.

    A call that fails raises, so nothing important is lost. Other loggers are unaffected.
    """
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
