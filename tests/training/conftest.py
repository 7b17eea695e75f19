"""Fixtures of a narrow network; see tests/network_fixtures.py."""

from tests.network_fixtures import four_images, images, model, model_512, seeded  # noqa: F401
