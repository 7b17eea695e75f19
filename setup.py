"""Packages of the wheel; pyproject.toml holds everything else.

`stages` is too common a name for a top-level package, so a wheel has it as `ssdcore.stages`.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["ssdcore*"]), "ssdcore.stages"],
    package_dir={"ssdcore.stages": "stages"},
)
