"""Fixtures of a narrow network; see tests/network_fixtures.py."""

from tests.network_fixtures import images, model, seeded  # noqa: F401
