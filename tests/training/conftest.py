"""Fixtures of a narrow network; see tests/network_fixtures.py."""

from tests.network_fixtures import images, model, seeded, two_images  # noqa: F401
