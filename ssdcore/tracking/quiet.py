"""Keeps what MLflow says in passing off the terminal of a stage."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("mlflow", "alembic", "urllib3")


@contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings and the log lines of MLflow, Alembic and urllib3 inside the block.

    Migrations, deprecations and retries are no news to whoever trains; a call that fails raises,
    and `Run` tells that once. Other loggers keep their voice; all levels return afterwards.
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
