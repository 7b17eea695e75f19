"""The shards of a drawn split; see tests/network_fixtures.py."""

from tests.network_fixtures import images  # noqa: F401
