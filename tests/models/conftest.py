"""Fixtures of a narrow network; see tests/network_fixtures.py."""

from tests.network_fixtures import four_pictures, model, pictures, seeded  # noqa: F401
