"""The evaluate stage for a checkpoint of `tests.stages.tiny_train`: `python -m` this module."""

from ssdcore.core.command import run
from ssdcore.models import checkpoint
from stages import evaluate
from tests.training.tiny import build_tiny

if __name__ == "__main__":
    checkpoint.build_network = build_tiny
    run(evaluate.app)
