"""Which packages a served model needs, in the versions of requirements.lock."""

import re
from pathlib import Path

from ssdcore.core.errors import InputError

NEEDED = (
    "mindspore", "mlflow", "numpy", "opencv-python-headless", "pillow", "pydantic",
    "pydantic-core", "typing-extensions",
)  # fmt: skip
"""What `ssdcore.serving.image_model` and the modules that it imports import."""


def pinned(lock: Path) -> list[str]:
    """Returns the requirements as pip takes them, with their markers.

    Raises:
        InputError: the lock lacks one of them.
    """
    text = lock.read_text(encoding="utf-8")
    found: list[str] = []
    for name in NEEDED:
        lines = re.findall(rf"^({re.escape(name)}==.*?) *\\?$", text, re.MULTILINE)
        if not lines:
            raise InputError(str(lock), "no such line", f"a version of {name}", "Run make lock")
        found += lines
    return found
