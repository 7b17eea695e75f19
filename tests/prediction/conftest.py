"""A web server and the folder of downloaded copies; see tests/web_fixtures.py."""

from tests.serving.conftest import checkpoint, detector_file, jpeg  # noqa: F401
from tests.web_fixtures import cache, server  # noqa: F401
