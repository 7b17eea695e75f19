"""Only MLflow's messages are suppressed, and only inside the block."""

import logging
import warnings

import pytest

from ssdcore.tracking.quiet import LOGGERS, quiet


def test_only_the_loggers_of_mlflow_and_its_tools_are_suppressed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with quiet():
        for name in LOGGERS:
            logging.getLogger(f"{name}.part").critical("inside")
        logging.getLogger("ssdcore").error("ours")
        warnings.warn("an error in these tests", DeprecationWarning, stacklevel=1)
    assert caplog.messages == ["ours"]


def test_levels_and_warnings_are_restored_after_an_error() -> None:
    logger = logging.getLogger(LOGGERS[0])
    before = logger.level
    with pytest.raises(OSError, match="x"), quiet():
        raise OSError("x")
    assert logger.level == before
    with pytest.raises(DeprecationWarning):
        warnings.warn("an error in these tests", DeprecationWarning, stacklevel=1)
